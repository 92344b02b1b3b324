"""(2+1)D: residual network of spatial, then temporal convolutions (Tran et al. 2018)."""

from typing import Any

import keras
from keras import layers

from pipeline.models.layers import classifier, normalized, rescaled_input, with_change

# Numbers: (channels, stride in time, stride in space) of each residual block.
STEM = (16, 24)
BLOCKS = ((24, 1, 1), (48, 2, 2), (96, 2, 2))
LAST = 128


# Layers


def conv2plus1d(x: Any, channels: int, time_stride: int = 1, space_stride: int = 1) -> Any:
    """1x3x3, batch normalization, ReLU, 3x1x1: two nonlinearities instead of the one of a 3x3x3."""
    x = layers.Conv3D(
        channels, (1, 3, 3), (1, space_stride, space_stride), padding="same", use_bias=False
    )(x)
    x = normalized(x)
    return layers.Conv3D(channels, (3, 1, 1), (time_stride, 1, 1), padding="same", use_bias=False)(
        x
    )


def block(x: Any, channels: int, time_stride: int, space_stride: int) -> Any:
    """Basic residual block of two (2+1)D convolutions."""
    shortcut = x
    if x.shape[-1] != channels:
        strides = (time_stride, space_stride, space_stride)
        shortcut = layers.AveragePooling3D(strides, padding="same")(x)
        shortcut = normalized(layers.Conv3D(channels, 1, use_bias=False)(shortcut), activation=None)
    x = normalized(conv2plus1d(x, channels, time_stride, space_stride))
    x = normalized(conv2plus1d(x, channels), activation=None)
    return layers.ReLU()(layers.add([shortcut, x]))


def stem(x: Any) -> Any:
    """1x5x5 at stride 2, 3x1x1, max pooling: a quarter of the input's height and width."""
    space, time = STEM
    x = layers.Conv3D(space, (1, 5, 5), (1, 2, 2), padding="same", use_bias=False)(x)
    x = layers.MaxPooling3D((1, 2, 2), padding="same")(normalized(x))
    return normalized(layers.Conv3D(time, (3, 1, 1), padding="same", use_bias=False)(x))


# Builder


def r2plus1d(
    *, input_shape: tuple[int, ...], classes: int, stream: str, dropout: float
) -> keras.Model:
    """The whole network for windows of ``input_shape`` (T, H, W, C)."""
    inputs, x = rescaled_input(input_shape, stream)
    x = stem(with_change(x))
    for channels, time_stride, space_stride in BLOCKS:
        x = block(x, channels, time_stride, space_stride)
    x = normalized(conv2plus1d(x, LAST, 1, 2))
    x = layers.GlobalAveragePooling3D()(x)
    return keras.Model(inputs, classifier(x, classes, dropout), name="r2plus1d")
