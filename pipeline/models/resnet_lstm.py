"""ResNet+LSTM: a small residual network (He 2016) on each frame and its change, then an LSTM."""

from typing import Any

import keras
from keras import layers

from pipeline.models.layers import (
    classifier,
    lstm_over_frames,
    normalized,
    rescaled_input,
    with_change,
)

# Numbers: (channels, stride) of each residual block.
STEM = 24
BLOCKS = ((24, 1), (48, 2), (96, 2), (128, 2))
UNITS = 128


# Layers


def block(x: Any, channels: int, stride: int) -> Any:
    """Basic block: two 3x3 convolutions beside a shortcut."""
    shortcut = x
    if stride > 1 or x.shape[-1] != channels:
        x_ = layers.AveragePooling2D(stride, padding="same")(x) if stride > 1 else x
        shortcut = normalized(layers.Conv2D(channels, 1, use_bias=False)(x_), activation=None)
    x = layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False)(x)
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(normalized(x))
    return layers.ReLU()(layers.add([shortcut, normalized(x, activation=None)]))


def frame_features(x: Any) -> Any:
    """[batch, H, W, C] to [batch, channels of the last block]."""
    x = normalized(layers.Conv2D(STEM, 5, strides=2, padding="same", use_bias=False)(x))
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    for channels, stride in BLOCKS:
        x = block(x, channels, stride)
    return layers.GlobalAveragePooling2D()(x)


# Builder


def resnet_lstm(
    *, input_shape: tuple[int, ...], classes: int, stream: str, dropout: float
) -> keras.Model:
    """The whole network for windows of ``input_shape`` (T, H, W, C)."""
    inputs, x = rescaled_input(input_shape, stream)
    x = lstm_over_frames(with_change(x), frame_features, UNITS, dropout)
    return keras.Model(inputs, classifier(x, classes, dropout), name="resnet_lstm")
