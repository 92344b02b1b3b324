"""VGG+LSTM: a VGG-style network (Simonyan 2015) on each frame and its change, then an LSTM."""

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

# Numbers: channels of the 3x3 convolutions between one 2x2 max pooling and the next.
STEM = 24
STAGES = ((48,), (64, 64), (128, 128), (256, 256))
UNITS = 128


# Layers


def frame_features(x: Any) -> Any:
    """[batch, H, W, C] to [batch, 256]: stem at stride 2, VGG stages, global average pooling."""
    x = normalized(layers.Conv2D(STEM, 5, strides=2, padding="same", use_bias=False)(x))
    for stage in STAGES:
        x = layers.MaxPooling2D(2, padding="same")(x)
        for channels in stage:
            x = normalized(layers.Conv2D(channels, 3, padding="same", use_bias=False)(x))
    return layers.GlobalAveragePooling2D()(x)


# Builder


def vgg_lstm(
    *, input_shape: tuple[int, ...], classes: int, stream: str, dropout: float
) -> keras.Model:
    """The whole network for windows of ``input_shape`` (T, H, W, C)."""
    inputs, x = rescaled_input(input_shape, stream)
    x = lstm_over_frames(with_change(x), frame_features, UNITS, dropout)
    return keras.Model(inputs, classifier(x, classes, dropout), name="vgg_lstm")
