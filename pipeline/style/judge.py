"""How good a stylized video is, in numbers: steady, in style, true to its content, not drifting."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import tensorflow as tf

from pipeline.style.perceptual import PerceptualLoss
from pipeline.style.temporal import followed, to_image, warping_error
from pipeline.video.decode import Picture


@dataclass(frozen=True)
class Judgement:
    """Means over a video's frames; all but the drifts are better when smaller."""

    warping_error: float  # of 0..1, from frame to frame along the original's flow
    gram_distance: float  # the style loss
    content_distance: float  # the content loss
    content_drift: float  # content distance of the last frame over that of the first: 1 is none
    colour_drift: float  # of 0..1: how far the mean colour moves, beyond the original's


def judge(
    originals: Sequence[Picture], painted: Sequence[Picture], loss: PerceptualLoss
) -> Judgement:
    """Judge at least two frames of one scene, all of one size."""
    parts = [
        _parts(original, each, loss) for original, each in zip(originals, painted, strict=True)
    ]
    contents = [part["content"] for part in parts]
    return Judgement(
        warping_error=mean_warping_error(originals, painted),
        gram_distance=float(np.mean([part["style"] for part in parts])),
        content_distance=float(np.mean(contents)),
        content_drift=contents[-1] / max(contents[0], 1e-9),
        colour_drift=float(np.abs(_tint(originals, painted)).max()),
    )


def mean_warping_error(originals: Sequence[Picture], painted: Sequence[Picture]) -> float:
    """Root mean square over pairs of neighbours of each pair's warping error."""
    squares = []
    for (before, after), (was, is_now) in zip(pairwise(originals), pairwise(painted), strict=True):
        backward, known = followed(before, after)
        squares.append(warping_error(to_image(was), to_image(is_now), backward, known) ** 2)
    return float(np.sqrt(np.mean(squares)))


def _parts(original: Picture, painted: Picture, loss: PerceptualLoss) -> dict[str, float]:
    wanted = loss.wanted(tf.constant(to_image(original)[None]))
    losses = loss(tf.constant(to_image(painted)[None]), wanted)
    return {name: float(value) for name, value in losses.items()}


def _tint(originals: Sequence[Picture], painted: Sequence[Picture]) -> np.ndarray:
    """By how much more the mean colour changes from the first frame to the last when painted."""
    moved = [
        to_image(frames[-1]).mean(axis=(0, 1)) - to_image(frames[0]).mean(axis=(0, 1))
        for frames in (painted, originals)
    ]
    return np.asarray(moved[0] - moved[1])
