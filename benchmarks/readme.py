"""Draw README's tables from committed JSON: `python -m benchmarks.readme` after a new run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import accuracy
from pipeline.report.comparison import Row
from pipeline.report.comparison import markdown as comparison
from pipeline.report.markdown import table

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Rewrite README's tables in place."""
    path = ROOT / "README.md"
    path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")


def with_tables(readme: str) -> str:
    """The text with each table between its two marks redrawn."""
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
    rows = []
    for name, found in result["architectures"].items():
        rates, best = found["windows_a_second"], found["best_of_torch"]
        how = best.removeprefix("torch, ").replace("_", " ")
        ours = f"{rates['ours, float32']:.0f} windows/s"
        rows.append([name, ours, f"{rates[best]:.0f} ({how})", f"{found['ratio']:.2f}"])
    return table(["network", "ours", "PyTorch, at its best", "ratio"], rows)


def tutorial(result: dict[str, Any]) -> str:
    """Test accuracy by minutes of training, beside TensorFlow's tutorial."""
    minutes = [f"{row['minutes']:g} min" for row in result["ours"]["by_minutes"]]
    rows = []
    for name, side in (("ours (r2plus1d)", "ours"), ("the tutorial's", "tutorial")):
        reached = [f"{100 * row['video_accuracy']:.1f} %" for row in result[side]["by_minutes"]]
        rows.append([name, f"{result[side]['parameters'] / 1e6:.2f} M", *reached])
    return table(["network", "parameters", *minutes], rows)


def forms(result: dict[str, Any]) -> str:
    """What each form of a network keeps, weighs and takes."""
    head = ["network", "accuracy: Keras, int8", "MB: float32, float16, int8"]
    head += ["ms a window: `predict`, Keras' function", "ONNX", "float32", "int8"]
    rows = []
    for name, found in result["networks"].items():
        judged, ms = found["accuracy"], found["timing"]["1"]
        accuracies = [f"{judged[form]['video_accuracy']:.1%}" for form in ("keras", "int8")]
        sizes = [f"{judged[f]['size_bytes'] / 1e6:.2f}" for f in ("float32", "float16", "int8")]
        keras = [f"{ms[how]:.1f}" for how in ("keras predict", "keras")]
        times = [f"{ms[form]:.1f}" for form in ("onnx", "float32", "int8")]
        rows.append([name, *map(", ".join, (accuracies, sizes, keras)), *times])
    return table(head, rows)


def style(result: dict[str, Any]) -> str:
    """Style networks: what they cost, and how steady their videos are."""
    head = ["network", "method", "training", "frames/s"]
    head += ["warping error: video, frame by frame", "ratio", "Gram distance, ratio"]
    rows = []
    for name, found in result["networks"].items():
        video, alone = found["video"], found["per_frame"]
        error, gram = (video[key] / alone[key] for key in ("warping_error", "gram_distance"))
        minutes, rate = found["train_seconds"] / 60, found["frames_a_second"]
        errors = f"{video['warping_error']:.3f}, {alone['warping_error']:.3f}"
        costs = [f"{minutes:.1f} min", f"{rate:.1f}"]
        rows.append([name, found["method"], *costs, errors, f"{error:.2f}", f"{gram:.2f}"])
    return table(head, rows)


TABLES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "sample": ("results/comparison.json", sample),
    "ucf101": ("benchmarks/accuracy.json", accuracy.markdown),
    "training": ("benchmarks/training.json", training),
    "tutorial": ("benchmarks/tutorial.json", tutorial),
    "forms": ("benchmarks/inference.json", forms),
    "style": ("benchmarks/style.json", style),
}

if __name__ == "__main__":
    main()
