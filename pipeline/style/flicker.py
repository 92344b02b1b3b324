"""Flicker of a stylized video: how much it changes along the motion of its original."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from pipeline.style.images import shrink
from pipeline.style.temporal import SCENE_CUT, reliable_flow, to_image, warping_error
from pipeline.video.decode import Picture, open_video


def flicker(original: Path, stylized: Path, *, size: int) -> float | None:
    """Mean warping error of neighbouring stylized frames, colours 0..1; None if all are cuts.

    Flow is the original's. Both are scaled down to `size` pixels on the longer side.
    """
    both = zip(
        _frames(original, size), _frames(stylized, size), strict=False
    )  # a preview ends first
    errors = [_error(before, after) for before, after in pairwise(both)]
    known = [error for error in errors if error is not None]
    return float(np.mean(known)) if known else None


def _error(before: tuple[Picture, Picture], after: tuple[Picture, Picture]) -> float | None:
    """The warping error of two neighbouring pairs (original, stylized); None at a scene cut."""
    backward, reliable = reliable_flow(before[0], after[0])
    if reliable.mean() < SCENE_CUT:
        return None
    return warping_error(to_image(before[1]), to_image(after[1]), backward, reliable)


def _frames(path: Path, size: int) -> Iterator[Picture]:
    with open_video(path) as video:
        for shown in video.frames():
            yield shrink(video.picture(shown.frame), size)
