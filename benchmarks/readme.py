"""Draw README's tables from committed JSON: `python -m benchmarks.readme` after a new run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import accuracy
from pipeline.report.comparison import Row
from pipeline.report.comparison import markdown as comparison

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Rewrite README's tables in place."""
    path = ROOT / "README.md"
    path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")


def with_tables(readme: str) -> str:
    """The text with each table between its two marks drawn anew."""
    for name, (source, draw) in TABLES.items():
        result = json.loads((ROOT / source).read_text(encoding="utf-8"))
        head, begin, rest = readme.partition(f"<!-- {name} -->\n")
        _, end, tail = rest.partition(f"<!-- /{name} -->")
        readme = f"{head}{begin}{draw(result)}{end}{tail}"
    return readme


def sample(result: list[dict[str, Any]]) -> str:
    """The comparison of the sample data set."""
    return comparison([Row(**row) for row in result])


TABLES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "sample": ("results/comparison.json", sample),
    "ucf101": ("benchmarks/accuracy.json", accuracy.markdown),
}

if __name__ == "__main__":
    main()
