"""gallery: stylize the same clips by every method, evaluate them, and put them side by side."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.dataset.catalogue import labels, read_catalogue
from pipeline.dataset.names import path_on_disk
from pipeline.files import write_text
from pipeline.paths import CATALOGUE, FEATURES, GALLERY, STYLE
from pipeline.style.features import feature_file, load_features
from pipeline.style.feedforward import FeedForward, load_generator
from pipeline.style.images import read_picture, shrink
from pipeline.style.metrics import evaluate_video
from pipeline.style.nst import NeuralStyle
from pipeline.style.perceptual import PerceptualLoss
from pipeline.style.temporal import to_image
from pipeline.video.decode import Picture, first_frames
from pipeline.video.pictures import contact_sheet, write_picture

if TYPE_CHECKING:
    from pipeline.params import Params

log = logging.getLogger(__name__)

NST = "nst"


def run(params: Params) -> None:
    """Write data/gallery/comparison.json and data/gallery/NAME/{metrics.json,stylized.png}."""
    clips = _clips(params)
    # Neural style transfer follows a style of the table.
    names = (NST, *params.styles) if params.styles else ()
    rows = [_row(params, name, clips) for name in names]
    GALLERY.mkdir(parents=True, exist_ok=True)
    write_text(GALLERY / "comparison.json", json.dumps(rows, indent=2) + "\n")
    log.info("wrote %s", GALLERY / "comparison.json")


def _clips(params: Params) -> list[list[Picture]]:
    """The first frames of some test clips, spread over all of them."""
    table = read_catalogue(CATALOGUE)
    paths = dict(zip(table["clip"].to_pylist(), table["path"].to_pylist(), strict=True))
    names = sorted(labels(table, "test"))
    chosen = np.linspace(0, len(names) - 1, params.gallery.clips).round().astype(int)
    clips = [first_frames(path_on_disk(paths[names[at]]), params.gallery.frames) for at in chosen]
    return [[shrink(frame, params.gallery.size) for frame in clip] for clip in clips]


def _row(params: Params, name: str, clips: list[list[Picture]]) -> dict[str, Any]:
    """One row of the comparison; its pictures are written, too."""
    stylizer, known = _method(params, name)
    style = read_picture(STYLE / known["style"] / "style.png")
    loss = PerceptualLoss(load_features(FEATURES), to_image(style))
    stylizer.picture(clips[0][0])  # TensorFlow traces first, which is not the method's time
    started = time.perf_counter()
    videos = [list(stylizer.video(iter(clip))) for clip in clips]
    seconds = (time.perf_counter() - started) / sum(map(len, clips))
    singles = [[stylizer.picture(frame) for frame in clip] for clip in clips]
    row = {
        "name": name,
        **known,
        "seconds_per_frame": seconds,
        "video": _mean_metrics(clips, videos, loss),
        "per_frame": _mean_metrics(clips, singles, loss),
    }
    (GALLERY / name).mkdir(parents=True, exist_ok=True)
    last = [clip[-1] for clip in (*clips, *videos)]
    write_picture(GALLERY / name / "stylized.png", contact_sheet(last, columns=len(clips)))
    write_text(GALLERY / name / "metrics.json", json.dumps(row, indent=2) + "\n")
    return row


def _method(params: Params, name: str) -> tuple[NeuralStyle | FeedForward, dict[str, Any]]:
    """The stylizer and its record; neural style transfer follows the first row's style."""
    if name == NST:
        first = next(iter(params.styles))
        size = feature_file(FEATURES).stat().st_size
        style = read_picture(STYLE / first / "style.png")
        known = {"method": NST, "style": first, "train_seconds": 0.0, "size_bytes": size}
        return NeuralStyle(style, params.stylize, FEATURES), known
    record = json.loads((STYLE / name / "record.json").read_text(encoding="utf-8"))
    network = load_generator(STYLE / name / "model.keras")
    known = {key: record[key] for key in ("method", "train_seconds", "size_bytes")}
    return FeedForward(network, blend=params.stylize.blend), {"style": name, **known}


def _mean_metrics(
    clips: list[list[Picture]], stylized: list[list[Picture]], loss: PerceptualLoss
) -> dict[str, float]:
    """Means over the clips."""
    rows = [asdict(evaluate_video(*pair, loss)) for pair in zip(clips, stylized, strict=True)]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
