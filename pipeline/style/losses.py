"""The losses of neural style transfer, each a scalar; pictures and maps are [batch, h, w, C]."""

from collections.abc import Sequence
from typing import Any

from keras import ops


def content_loss(maps: Any, target: Any) -> Any:
    """Half the mean squared difference of two feature maps (Gatys et al., 2016, equation 1)."""
    return ops.mean(ops.square(maps - target)) / 2


def gram(maps: Any) -> Any:
    """Gram matrices [batch, C, C] of feature maps: products of channels, averaged over h and w."""
    _, height, width, channels = ops.shape(maps)
    flat = ops.reshape(maps, (-1, height * width, channels))
    return ops.matmul(ops.transpose(flat, (0, 2, 1)), flat) / ops.cast(height * width, flat.dtype)


def style_loss(grams: Sequence[Any], targets: Sequence[Any]) -> Any:
    """Mean over layers of a quarter of the Gram matrices' mean squared difference.

    Equations 4 and 5 of Gatys et al. (2016), for pictures that may differ in size.
    """
    parts = [ops.mean(ops.square(a - b)) / 4 for a, b in zip(grams, targets, strict=True)]
    return sum(parts) / len(parts)


def total_variation(pictures: Any) -> Any:
    """Mean squared difference of horizontal neighbours, plus that of vertical ones."""
    right = pictures[:, :, 1:] - pictures[:, :, :-1]
    down = pictures[:, 1:] - pictures[:, :-1]
    return ops.mean(ops.square(right)) + ops.mean(ops.square(down))


def temporal_loss(pictures: Any, warped: Any, reliable: Any) -> Any:
    """Mean squared difference from the warped previous frame, where flow is reliable.

    `reliable` [batch, h, w, 1] is 1 there and 0 elsewhere (Ruder et al., 2016, equation 7).
    """
    return ops.mean(reliable * ops.square(pictures - warped))
