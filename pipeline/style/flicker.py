"""How much a painted video flickers: what changes in it though its original only moves."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

from pipeline.style.images import shrink
from pipeline.style.temporal import CUT, followed, to_image, warping_error
from pipeline.video.decode import Picture


def flicker(original: Path, painted: Path, *, size: int) -> float | None:
    """Mean warping error of neighbouring painted frames, colours 0..1; None where all are cuts.

    Flow is the original's. Both are scaled down to `size` pixels on the longer side.
    """
    both = zip(
        _frames(original, size), _frames(painted, size), strict=False
    )  # a preview ends first
    errors = [_error(before, after) for before, after in pairwise(both)]
    known = [error for error in errors if error is not None]
    return float(np.mean(known)) if known else None


def _error(before: tuple[Picture, Picture], after: tuple[Picture, Picture]) -> float | None:
    """The warping error of one pair of (original, painted) frames; None at a cut."""
    backward, reliable = followed(before[0], after[0])
    if reliable.mean() < CUT:
        return None
    return warping_error(to_image(before[1]), to_image(after[1]), backward, reliable)


def _frames(path: Path, size: int) -> Iterator[Picture]:
    with av.open(path) as film:
        for frame in film.decode(video=0):
            yield shrink(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8), size)
