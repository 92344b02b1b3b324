"""Layers and blocks that several architectures share; channels last, ``keras.ops``."""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

# Brings both streams to about [-1, 1]: rgb from 0..255, flow from a few pixels per sampled step.
SCALE = {"rgb": (1 / 127.5, -1.0), "flow": (1 / 4, 0.0)}
NOISE = 0.01  # flow that is smaller, in the units of SCALE, is mostly the estimate's error
CHANGE = 2.0  # from one frame to the next, pixels change by less than they differ in a frame


def rescaled_input(input_shape: tuple[int, ...], stream: str) -> tuple[Any, Any]:
    """Input of ``input_shape`` (T, H, W, C) and the same, brought to about [-1, 1].

    Flow is compressed, too.
    """
    scale, offset = SCALE[stream]
    inputs = keras.Input(input_shape, name="window")
    x = layers.Rescaling(scale, offset, name="rescaling")(inputs)
    return inputs, compressed(x) if stream == "flow" else x


def compressed(x: Any) -> Any:
    """Twice the signed square root: fingers on keys are not lost beside a waving arm.

    Nearly linear below 0.01 of the input's unit, where flow is noise.
    """
    size = layers.Rescaling(1.0, NOISE, name="size")(ops.abs(x))
    return 2.0 * x / ops.sqrt(size)


def classifier(x: Any, classes: int, dropout: float) -> Any:
    """Features [batch, channels] to class probabilities, float32 in any precision."""
    x = layers.Dropout(dropout)(x)
    return layers.Dense(classes, activation="softmax", dtype="float32", name="probabilities")(x)


def fold_time(x: Any) -> Any:
    """[batch, T, H, W, C] to [batch * T, H, W, C]: 2-D layers then see single frames."""
    return ops.reshape(x, (-1, *x.shape[2:]))


def unfold_time(x: Any, frames: int) -> Any:
    """[batch * T, ...] to [batch, T, ...]."""
    return ops.reshape(x, (-1, frames, *x.shape[1:]))


def with_change(x: Any) -> Any:
    """[batch, T, H, W, C] to 2C channels: each frame and its difference to the one before.

    The "RGB difference" of temporal segment networks (Wang et al. 2016); 0 for the first frame.
    Trained from scratch, frames alone tell one room from another better than actions.
    """
    first, later = ops.split(x, [1], axis=1)
    earlier, _ = ops.split(x, [x.shape[1] - 1], axis=1)
    change = ops.concatenate([ops.zeros_like(first), CHANGE * (later - earlier)], axis=1)
    return ops.concatenate([x, change], axis=-1)


def lstm_over_frames(
    x: Any, frame_features: Callable[[Any], Any], units: int, dropout: float
) -> Any:
    """[batch, T, H, W, C] to [batch, units]: features per frame, an LSTM, its mean over time."""
    features = unfold_time(frame_features(fold_time(x)), x.shape[1])
    features = layers.Dropout(dropout)(features)
    features = layers.LSTM(units, return_sequences=True)(features)
    return layers.GlobalAveragePooling1D()(features)


def normalized(x: Any, *, activation: str | None = "relu") -> Any:
    """Batch normalization, then the activation (none: for the end of a residual branch)."""
    # Epochs are short here (a dozen steps): the usual momentum of 0.99 would lag behind.
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-3)(x)
    return layers.Activation(activation)(x) if activation else x


def depthwise_conv3d(
    x: Any, kernel_size: tuple[int, int, int] = (3, 3, 3), strides: int = 1
) -> Any:
    """Depthwise 3-D convolution, zero-padded: ``Conv3D(groups=channels)`` without its cost on CPUs.

    A kernel of T×H×W is the sum of T depthwise 2-D convolutions of whole frames, shifted in time.
    Strides are spatial; time keeps its length. Input and output: [batch, T, H, W, channels].
    """
    taps, frames = kernel_size[0], x.shape[1]
    folded = fold_time(x)
    parts = []
    for tap in range(taps):
        convolution = layers.DepthwiseConv2D(
            kernel_size[1:],
            strides,
            padding="same",
            use_bias=False,
            depthwise_initializer=keras.initializers.RandomNormal(
                stddev=(2 / math.prod(kernel_size)) ** 0.5
            ),
        )
        parts.append(_delayed(unfold_time(convolution(folded), frames), taps // 2 - tap))
    return layers.add(parts) if taps > 1 else parts[0]


class PictureConv2D(layers.Conv2D):  # type: ignore[misc]  # Keras has no types
    """``Conv2D``, computed as ``Conv3D`` of videos of one frame.

    For a batch of one picture, TensorFlow's oneDNN takes a 2-D convolution three times as slow.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """[batch, height, width, channels] by a kernel [rows, columns, in, out]."""
        videos = ops.expand_dims(inputs, 1)
        strides = (1, *self.strides)
        convolved = ops.conv(videos, kernel[None], strides=strides, padding=self.padding)
        return ops.squeeze(convolved, 1)


def replace_layers(
    model: keras.Model, old: type[keras.layers.Layer], new: type[keras.layers.Layer]
) -> keras.Model:
    """A copy of `model`, weights included, whose layers of exactly the class `old` are `new`.

    Networks are saved in Keras' own layers, so that they load without this repository, and compute
    in faster ones.
    """

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        return (new if type(layer) is old else type(layer)).from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def _delayed(x: Any, steps: int) -> Any:
    """``x`` [batch, T, ...] moved by ``steps`` in time (negative: earlier), zeros moving in."""
    if steps == 0:
        return x
    # Split and concatenate copy whole blocks, also backwards; a slice's is a slow pad.
    if steps > 0:
        kept, lost = ops.split(x, [x.shape[1] - steps], axis=1)
        return ops.concatenate([ops.zeros_like(lost), kept], axis=1)
    lost, kept = ops.split(x, [-steps], axis=1)
    return ops.concatenate([kept, ops.zeros_like(lost)], axis=1)
