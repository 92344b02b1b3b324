"""Crops, mirror images and colours of a window: one draw for all of its frames.

A window is a dictionary: pictures uint8 [T, H, W, C] and, for flow alone, scale float32 [T], the
pixels that a byte stands for.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

Window = dict[str, tf.Tensor]
DRAWS = (
    *("start", "area", "aspect", "top", "left", "flip"),
    *("brightness", "contrast", "saturation", "hue", "grey"),
)


@dataclass(frozen=True)
class Augmentation:
    """What training draws for each window."""

    area: float = 0.3  # smallest crop, as a share of the largest square in a frame
    aspect: float = 4 / 3  # a crop's sides stretch by at most this factor
    flip: bool = True  # mirror half of the windows, left to right
    jitter: float = 0.4  # brightness, contrast and saturation change by at most this share
    hue: float = 0.0  # colours turn by at most this share of half a circle
    grey: float = 0.0  # share of windows without colour


class Box(NamedTuple):
    """Part of a picture, in whole pixels (int32)."""

    top: tf.Tensor
    left: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor


def augmented(window: Window, draws: Window, crop: int, how: Augmentation) -> tf.Tensor:
    """A random crop of the window, float32 [T, crop, crop, C]; `draws` are in [0, 1) by name."""
    box = _random_box(_size(window), draws, how)
    flip = tf.logical_and(how.flip, draws["flip"] < 0.5)
    part = _part(window, box)
    part = tf.cond(flip, lambda: tf.reverse(part, [2]), lambda: part)
    # Before it is scaled up, a crop has fewer pixels to mirror and to colour.
    x = tf.cast(part, tf.float32)
    if "scale" not in window:
        x = _recoloured(x, draws, how)
    x = _resized(x, crop)
    return _in_pixels(x, window["scale"], box, flip) if "scale" in window else x


def centred(window: Window, crop: int) -> tf.Tensor:
    """The largest square in the middle, float32 [T, crop, crop, C]."""
    height, width = _size(window)
    side = tf.minimum(height, width)
    box = Box((height - side) // 2, (width - side) // 2, side, side)
    x = _resized(_part(window, box), crop)
    unflipped = tf.constant(False)
    return _in_pixels(x, window["scale"], box, unflipped) if "scale" in window else x


def mirrored(x: tf.Tensor) -> tf.Tensor:
    """`x` [..., W, C] left to right; in flow (C = 2), horizontal motion changes its sign."""
    turned = tf.reverse(x, [tf.rank(x) - 2])
    return turned * [-1.0, 1.0] if x.shape[-1] == 2 else turned


def _random_box(size: tuple[tf.Tensor, tf.Tensor], draws: Window, how: Augmentation) -> Box:
    height, width = (tf.cast(pixels, tf.float32) for pixels in size)
    side = tf.minimum(height, width) * tf.sqrt(_between(how.area, 1.0, draws["area"]))
    stretch = how.aspect ** _between(-0.5, 0.5, draws["aspect"])
    rows = tf.round(tf.clip_by_value(side / stretch, 1.0, height))
    columns = tf.round(tf.clip_by_value(side * stretch, 1.0, width))
    top = tf.floor(draws["top"] * (height - rows + 1))
    left = tf.floor(draws["left"] * (width - columns + 1))
    return Box(*(tf.cast(pixels, tf.int32) for pixels in (top, left, rows, columns)))


def _part(window: Window, box: Box) -> tf.Tensor:
    """The box of every frame."""
    pictures = window["pictures"]
    frames, channels = pictures.shape[0], pictures.shape[3]
    return tf.slice(pictures, [0, box.top, box.left, 0], [frames, box.height, box.width, channels])


def _resized(x: tf.Tensor, crop: int) -> tf.Tensor:
    # A fifth of the time of `tf.image.crop_and_resize`, which may cut between pixels.
    return tf.image.resize(x, [crop, crop])


def _in_pixels(x: tf.Tensor, scale: tf.Tensor, box: Box, flip: tf.Tensor) -> tf.Tensor:
    """Bytes of flow as pixels of the scaled box a sampled step, less their mean over each field."""
    crop = x.shape[1]
    zoom_y, zoom_x = (tf.cast(crop / pixels, tf.float32) for pixels in (box.height, box.width))
    zoom = tf.stack([tf.where(flip, -zoom_x, zoom_x), zoom_y])
    x -= tf.reduce_mean(x, axis=(1, 2), keepdims=True)  # takes the byte of no motion along
    return x * (scale[:, None] * zoom)[:, None, None]


def _recoloured(x: tf.Tensor, draws: Window, how: Augmentation) -> tf.Tensor:
    """Brightness, contrast (about the window's mean), saturation and hue, as one affine map."""
    brightness, contrast, saturation = (
        _between(1 - how.jitter, 1 + how.jitter, draws[name])
        for name in ("brightness", "contrast", "saturation")
    )
    saturation = tf.where(draws["grey"] < how.grey, 0.0, saturation)
    angle = math.pi * _between(-how.hue, how.hue, draws["hue"])
    mix = contrast * _colour_matrix(saturation, angle)
    shift = tf.reduce_mean(x) * (brightness - contrast)
    # Several pixels in a row of the product: four times as fast as a 3 × 3 matrix for each. Not by
    # oneDNN's matmul, which takes another while to prepare for each size of crop.
    pixels = math.gcd(x.shape[0], 8)
    block = tf.reshape(tf.eye(pixels)[:, None, :, None] * mix[None, :, None], [3 * pixels] * 2)
    mixed = tf.einsum("ni,ij->nj", tf.reshape(x, [-1, 3 * pixels]), block)
    return tf.clip_by_value(tf.reshape(mixed, tf.shape(x)) + shift, 0.0, 255.0)


def _colour_matrix(saturation: tf.Tensor, angle: tf.Tensor) -> tf.Tensor:
    """Scale and turn the colours about the axis of greys."""
    along, across = saturation * tf.cos(angle), saturation * tf.sin(angle) / math.sqrt(3)
    turn = tf.constant([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]])
    return along * tf.eye(3) + (1 - along) / 3 + across * turn


def _size(window: Window) -> tuple[tf.Tensor, tf.Tensor]:
    height, width = tf.unstack(tf.shape(window["pictures"])[1:3])
    return height, width


def _between(low: float, high: float, draw: tf.Tensor) -> tf.Tensor:
    return low + (high - low) * draw
