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


def training(result: dict[str, Any]) -> str:
    """Windows a second that train, beside PyTorch."""
    lines = ["| network | ours | PyTorch, at its best | ratio |", "| --- | --- | --- | --- |"]
    for name, found in result["architectures"].items():
        rates, best = found["windows_a_second"], found["best_of_torch"]
        how = best.removeprefix("torch, ").replace("_", " ")
        lines.append(
            f"| {name} | {rates['ours, float32']:.0f} windows/s | {rates[best]:.0f} ({how}) "
            f"| {found['ratio']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def tutorial(result: dict[str, Any]) -> str:
    """Test accuracy by minutes of training, beside TensorFlow's tutorial."""
    sides = {"ours (r2plus1d)": result["ours"], "the tutorial's": result["tutorial"]}
    minutes = [row["minutes"] for row in result["ours"]["by_minutes"]]
    head = ["network", "parameters", *(f"{each:g} min" for each in minutes)]
    lines = [f"| {' | '.join(head)} |", "|" + " --- |" * len(head)]
    for name, side in sides.items():
        reached = [f"{100 * row['video_accuracy']:.1f} %" for row in side["by_minutes"]]
        cells = [name, f"{side['parameters'] / 1e6:.2f} M", *reached]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def style(result: dict[str, Any]) -> str:
    """Networks that paint: what they cost, and how steady their videos are."""
    lines = [
        "| network | method | training | frames/s | warping error: video, frame by frame | ratio "
        "| Gram distance, ratio |",
        "|" + " --- |" * 7,
    ]
    for name, found in result["networks"].items():
        video, alone = found["video"], found["per_frame"]
        error, gram = (video[key] / alone[key] for key in ("warping_error", "gram_distance"))
        lines.append(
            f"| {name} | {found['method']} | {found['train_seconds'] / 60:.1f} min "
            f"| {found['frames_a_second']:.1f} | {video['warping_error']:.3f}, "
            f"{alone['warping_error']:.3f} | {error:.2f} | {gram:.2f} |"
        )
    return "\n".join(lines) + "\n"


TABLES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "sample": ("results/comparison.json", sample),
    "ucf101": ("benchmarks/accuracy.json", accuracy.markdown),
    "training": ("benchmarks/training.json", training),
    "tutorial": ("benchmarks/tutorial.json", tutorial),
    "style": ("benchmarks/style.json", style),
}

if __name__ == "__main__":
    main()
