"""Draw README's tables from committed JSON: `python -m benchmarks.readme` after a new run."""

import json
from pathlib import Path

from pipeline.report.comparison import Row, markdown

ROOT = Path(__file__).parents[1]
TABLES = {"sample": "results/comparison.json", "ucf101": "benchmarks/ucf101.json"}


def main() -> None:
    """Rewrite README's tables in place."""
    path = ROOT / "README.md"
    path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")


def with_tables(readme: str) -> str:
    """The text with each table between its two marks drawn anew."""
    for name, source in TABLES.items():
        rows = [Row(**row) for row in json.loads((ROOT / source).read_text(encoding="utf-8"))]
        head, begin, rest = readme.partition(f"<!-- {name} -->\n")
        _, end, tail = rest.partition(f"<!-- /{name} -->")
        readme = f"{head}{begin}{markdown(rows)}{end}{tail}"
    return readme


if __name__ == "__main__":
    main()
