"""Crops, mirror images and colours of a window: one draw for all of its frames.

A window is a dictionary: pictures uint8 [T, H, W, C] and, for flow alone, scale float32 [T], the
pixels that a byte stands for.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

Window = dict[str, tf.Tensor]
DRAWS = ("start", "area", "aspect", "top", "left", "flip", "brightness", "contrast", "saturation")


@dataclass(frozen=True)
class Augmentation:
    """What training draws anew for each window."""

    area: float = 0.3  # smallest crop, as a share of the largest square in a frame
    aspect: float = 4 / 3  # a crop's sides stretch by at most this factor
    flip: bool = True  # mirror half of the windows, left to right
    jitter: float = 0.4  # brightness, contrast and saturation change by at most this share


class Box(NamedTuple):
    """Part of a picture, in pixels."""

    top: tf.Tensor
    left: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor


def augmented(window: Window, draws: Window, crop: int, how: Augmentation) -> tf.Tensor:
    """A random crop of the window, float32 [T, crop, crop, C]; `draws` are in [0, 1) by name."""
    height, width = _size(window)
    side = tf.minimum(height, width) * tf.sqrt(_between(how.area, 1.0, draws["area"]))
    stretch = how.aspect ** _between(-0.5, 0.5, draws["aspect"])
    rows, columns = tf.minimum(side / stretch, height), tf.minimum(side * stretch, width)
    box = Box(draws["top"] * (height - rows), draws["left"] * (width - columns), rows, columns)
    x = _cropped(window, box, crop, flip=tf.logical_and(how.flip, draws["flip"] < 0.5))
    return x if "scale" in window else _recoloured(x, draws, how.jitter)


def centred(window: Window, crop: int) -> tf.Tensor:
    """The largest square in the middle, float32 [T, crop, crop, C]."""
    height, width = _size(window)
    side = tf.minimum(height, width)
    box = Box((height - side) // 2, (width - side) // 2, side, side)
    return _cropped(window, box, crop, flip=tf.constant(False))


def _cropped(window: Window, box: Box, crop: int, *, flip: tf.Tensor) -> tf.Tensor:
    """The box, scaled to `crop` pixels a side; flow keeps its meaning, less its mean a field."""
    pictures = window["pictures"]
    frames = pictures.shape[0]
    corners = tf.tile(_corners(box, _size(window), flip)[None], [frames, 1])
    x = tf.image.crop_and_resize(pictures, corners, tf.range(frames), [crop, crop])
    if "scale" not in window:
        return x
    zoom = tf.stack([tf.where(flip, -crop / box.width, crop / box.width), crop / box.height])
    x -= tf.reduce_mean(x, axis=(1, 2), keepdims=True)  # takes the byte of no motion along
    return x * (window["scale"][:, None] * zoom)[:, None, None]


def _corners(box: Box, size: tuple[tf.Tensor, tf.Tensor], flip: tf.Tensor) -> tf.Tensor:
    """Top, left, bottom, right as shares of the picture; left and right change places to flip."""
    height, width = size[0] - 1, size[1] - 1
    top, bottom = box.top / height, (box.top + box.height - 1) / height
    left, right = box.left / width, (box.left + box.width - 1) / width
    return tf.where(flip, [top, right, bottom, left], [top, left, bottom, right])


def _recoloured(x: tf.Tensor, draws: Window, jitter: float) -> tf.Tensor:
    """Brightness, contrast (about the window's mean) and saturation, as one affine map."""
    brightness, contrast, saturation = (
        _between(1 - jitter, 1 + jitter, draws[name])
        for name in ("brightness", "contrast", "saturation")
    )
    mix = contrast * (saturation * tf.eye(3) + (1 - saturation) / 3)
    shift = tf.reduce_mean(x) * (brightness - contrast)
    # Several pixels in a row of the product: four times as fast as a 3 × 3 matrix for each.
    pixels = math.gcd(x.shape[2], 8)
    block = tf.reshape(tf.eye(pixels)[:, None, :, None] * mix[None, :, None], [3 * pixels] * 2)
    mixed = tf.reshape(tf.reshape(x, [-1, 3 * pixels]) @ block, x.shape)
    return tf.clip_by_value(mixed + shift, 0.0, 255.0)


def _size(window: Window) -> tuple[tf.Tensor, tf.Tensor]:
    height, width = tf.unstack(tf.cast(tf.shape(window["pictures"])[1:3], tf.float32))
    return height, width


def _between(low: float, high: float, draw: tf.Tensor) -> tf.Tensor:
    return low + (high - low) * draw
