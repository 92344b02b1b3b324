"""The report's part on style transfer: the methods in numbers, in words and in pictures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.report.html import Section, heading, paragraph, photo, table

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
    pictures = [
        heading(_title(row))
        + photo((folder / row["name"] / "stylized.png").read_bytes(), alt=f"By {row['name']}")
        for row in rows
    ]
    gallery = paragraph(
        "Above: frames of test clips; below: the same frames, stylized as part of a video."
    )
    return [
        Section("Style transfer", (paragraph(_reading()), numbers(rows), _words(rows))),
        Section("Gallery", (gallery, *pictures)),
    ]


def numbers(rows: Sequence[Row]) -> str:
    """One row per method."""
    head = (
        "method",
        "seconds per frame",
        "training",
        "size",
        "warping error",
        "each frame alone",
        "Gram distance",
        "each frame alone",
        "content distance",
        "content drift",
        "colour drift",
    )
    return table(head, [_cells(row) for row in rows])


def _reading() -> str:
    return (
        "Warping error: the root mean square change from frame to frame along the clip's own "
        "motion, of 0..1, beside the same frames stylized one by one. Gram and content distance: "
        "the perceptual losses over the network of stylize.features. Content drift: "
        "the last frame's content distance over the first one's. Colour drift: how far the mean "
        "colour moves beyond the original's."
    )


def _cells(row: Row) -> tuple[str, ...]:
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


def _words(rows: Sequence[Row]) -> str:
    head = ("method", "input", "training", "speed", "generalization", "control")
    cells = []
    for row in rows:
        given, training, speed, reach, control = WORDS[row["method"]]
        if row["train_seconds"]:
            training = f"{training}; here {row['train_seconds'] / 60:.1f} min"
        speed = f"{speed}; here {1 / row['seconds_per_frame']:.1f} frames/s"
        cells.append((_title(row), given, training, speed, reach, control))
    return table(head, cells, kind="words")


def _title(row: Row) -> str:
    method = METHODS[row["method"]]
    return method if row["name"] == row["method"] else f"{method} ({row['name']})"
