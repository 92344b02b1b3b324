"""Metrics of a stylized video: steadiness, style, content, drift."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import tensorflow as tf

from pipeline.style.perceptual import PerceptualLoss
from pipeline.style.temporal import reliable_flow, to_image, warping_error
from pipeline.video.decode import Picture


@dataclass(frozen=True)
class StyleMetrics:
    """Means over a video's frames; all but the drifts are better when smaller."""

    warping_error: float  # of 0..1, from frame to frame along the original's flow
    gram_distance: float  # the style loss
    content_distance: float  # the content loss
    content_drift: float  # content distance of the last frame over that of the first: 1 is none
    colour_drift: float  # of 0..1: how far the mean colour moves, beyond the original's


def evaluate_video(
    originals: Sequence[Picture], stylized: Sequence[Picture], loss: PerceptualLoss
) -> StyleMetrics:
    """Evaluate at least two frames of one scene, all of one size."""
    losses = [
        _losses(original, each, loss) for original, each in zip(originals, stylized, strict=True)
    ]
    contents = [each["content"] for each in losses]
    return StyleMetrics(
        warping_error=mean_warping_error(originals, stylized),
        gram_distance=float(np.mean([each["style"] for each in losses])),
        content_distance=float(np.mean(contents)),
        content_drift=contents[-1] / max(contents[0], 1e-9),
        colour_drift=float(np.abs(_mean_colour_change(originals, stylized)).max()),
    )


def mean_warping_error(originals: Sequence[Picture], stylized: Sequence[Picture]) -> float:
    """Root mean square of the warping errors of all pairs of neighbours."""
    squares = []
    for (before, after), results in zip(pairwise(originals), pairwise(stylized), strict=True):
        backward, reliable = reliable_flow(before, after)
        first, second = map(to_image, results)
        squares.append(warping_error(first, second, backward, reliable) ** 2)
    return float(np.sqrt(np.mean(squares)))


def _losses(original: Picture, stylized: Picture, loss: PerceptualLoss) -> dict[str, float]:
    target = loss.content_target(tf.constant(to_image(original)[None]))
    losses = loss(tf.constant(to_image(stylized)[None]), target)
    return {name: float(value) for name, value in losses.items()}


def _mean_colour_change(originals: Sequence[Picture], stylized: Sequence[Picture]) -> np.ndarray:
    """Change of the mean colour from first frame to last, minus the original's change."""
    changes = [
        to_image(frames[-1]).mean(axis=(0, 1)) - to_image(frames[0]).mean(axis=(0, 1))
        for frames in (stylized, originals)
    ]
    return np.asarray(changes[0] - changes[1])
