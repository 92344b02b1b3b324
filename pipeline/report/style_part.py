"""The report's part on style transfer: the methods in numbers, in words and in pictures."""

import json
from pathlib import Path
from typing import Any

from pipeline.report.html import Section, template

Row = dict[str, Any]

METHODS = {
    "nst": "neural style transfer",
    "fast": "feed-forward network",
    "cyclegan": "CycleGAN",
}
# What differs in kind: of each, its input, training, speed, generalization and control.
WORDS = {
    "nst": (
        "a clip and one style image",
        "none",
        "one optimization per frame",
        "any style image, at once",
        "weights of the losses, steps, size, colours: at every call",
    ),
    "fast": (
        "a clip; to train, one style image and any photographs",
        "once per style image",
        "one pass per frame",
        "any clip, one style image",
        "weights of the losses: in training",
    ),
    "cyclegan": (
        "a clip; to train, photographs and style images, unpaired",
        "once per pair of domains, four networks",
        "one pass per frame",
        "any clip like its photographs, one domain's style",
        "the choice of both domains",
    ),
}


def sections(folder: Path) -> list[Section]:
    """The sections on style transfer, from what the stage `gallery` wrote; none without styles."""
    rows: list[Row] = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    if not rows:
        return []
    part = template("style_part.html")
    pictures = [(_title(row), (folder / row["name"] / "stylized.png").read_bytes()) for row in rows]
    return [
        Section("Style transfer", part.methods(map(_numbers, rows), map(_words, rows))),
        Section("Gallery", part.gallery(pictures)),
    ]


def _numbers(row: Row) -> tuple[str, ...]:
    video, alone = row["video"], row["per_frame"]
    return (
        _title(row),
        f"{row['seconds_per_frame']:.3f}",
        f"{row['train_seconds'] / 60:.1f} min" if row["train_seconds"] else "none",
        f"{row['size_bytes'] / 1e6:.1f} MB",
        f"{video['warping_error']:.4f}",
        f"{alone['warping_error']:.4f}",
        f"{video['gram_distance']:.3g}",
        f"{alone['gram_distance']:.3g}",
        f"{video['content_distance']:.3g}",
        f"{video['content_drift']:.2f}",
        f"{video['colour_drift']:.3f}",
    )


def _words(row: Row) -> tuple[str, ...]:
    given, training, speed, reach, control = WORDS[row["method"]]
    if row["train_seconds"]:
        training = f"{training}; here {row['train_seconds'] / 60:.1f} min"
    speed = f"{speed}; here {1 / row['seconds_per_frame']:.1f} frames/s"
    return _title(row), given, training, speed, reach, control


def _title(row: Row) -> str:
    method = METHODS[row["method"]]
    return method if row["name"] == row["method"] else f"{method} ({row['name']})"
