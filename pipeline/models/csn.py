"""CSN: channel-separated networks, whose only 3-D convolutions are depthwise (Tran et al. 2019)."""

from typing import Any

import keras
from keras import layers

from pipeline.models.layers import (
    classifier,
    depthwise_conv3d,
    normalized,
    rescaled_input,
    with_change,
)

# Numbers: (kind, channels, bottleneck channels, stride in time, stride in space) of each block.
STEM = 24
BLOCKS = (
    ("ip", 48, 24, 1, 1),
    ("ip", 96, 48, 1, 2),
    ("ir", 96, 48, 1, 1),
    ("ip", 192, 96, 2, 2),
    ("ir", 192, 96, 1, 1),
    ("ip", 256, 128, 2, 2),
    ("ir", 256, 128, 1, 1),
)


# Layers


def pointwise(x: Any, channels: int) -> Any:
    """1x1x1: the only convolution across channels."""
    return layers.Dense(channels, use_bias=False)(x)


def block(
    x: Any, *, kind: str, channels: int, bottleneck: int, time_stride: int, space_stride: int
) -> Any:
    """Bottleneck block, the 3x3x3 depthwise.

    Interaction-reduced (``ir``): 1x1x1, depthwise, 1x1x1. Interaction-preserved (``ip``): one more
    1x1x1 before the depthwise gives back the channel interactions of a full 3x3x3.
    """
    strides = (time_stride, space_stride, space_stride)
    shortcut = x
    if x.shape[-1] != channels:
        pooled = layers.AveragePooling3D(strides, padding="same")(x) if max(strides) > 1 else x
        shortcut = normalized(pointwise(pooled, channels), activation=None)
    x = normalized(pointwise(x, bottleneck))
    if kind == "ip":
        x = pointwise(x, bottleneck)
    x = normalized(depthwise_conv3d(x, strides=space_stride))
    if time_stride > 1:
        x = layers.AveragePooling3D((time_stride, 1, 1), padding="same")(x)
    x = normalized(pointwise(x, channels), activation=None)
    return layers.ReLU()(layers.add([shortcut, x]))


def stem(x: Any) -> Any:
    """1x5x5 at stride 2, max pooling: a quarter of the input's height and width."""
    x = layers.Conv3D(STEM, (1, 5, 5), (1, 2, 2), padding="same", use_bias=False)(x)
    return layers.MaxPooling3D((1, 3, 3), (1, 2, 2), padding="same")(normalized(x))


# Builder


def csn(*, input_shape: tuple[int, ...], classes: int, stream: str, dropout: float) -> keras.Model:
    """The whole network for windows of ``input_shape`` (T, H, W, C)."""
    inputs, x = rescaled_input(input_shape, stream)
    x = stem(with_change(x))
    for kind, channels, bottleneck, time_stride, space_stride in BLOCKS:
        x = block(
            x,
            kind=kind,
            channels=channels,
            bottleneck=bottleneck,
            time_stride=time_stride,
            space_stride=space_stride,
        )
    x = layers.GlobalAveragePooling3D()(x)
    return keras.Model(inputs, classifier(x, classes, dropout), name="csn")
