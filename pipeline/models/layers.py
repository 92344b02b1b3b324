"""Layers and blocks that several architectures share; channels last, ``keras.ops``.

One layer has a faster form on TensorFlow alone, tested equal to Keras' own; another, for networks
that paint, stands here so that Keras knows all layers by importing ``pipeline.models``.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

# Brings both streams to about [-1, 1]: rgb from 0..255, flow from a few pixels a sampled step.
SCALE = {"rgb": (1 / 127.5, -1.0), "flow": (1 / 4, 0.0)}
CHANGE = 2.0  # from one frame to the next, pixels change by less than they differ in a frame


def rescaled_input(input_shape: tuple[int, ...], stream: str) -> tuple[Any, Any]:
    """Input of ``input_shape`` (T, H, W, C) and the same, brought to about [-1, 1]."""
    scale, offset = SCALE[stream]
    inputs = keras.Input(input_shape, name="window")
    return inputs, layers.Rescaling(scale, offset, name="rescaling")(inputs)


def classifier(x: Any, classes: int, dropout: float) -> Any:
    """Class probabilities, float32 whatever the precision, from features [batch, channels]."""
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
    """[batch, T, H, W, C] to [batch, units]: features a frame, an LSTM over them, its mean."""
    features = unfold_time(frame_features(fold_time(x)), x.shape[1])
    features = layers.Dropout(dropout)(features)
    features = layers.LSTM(units, return_sequences=True)(features)
    return layers.GlobalAveragePooling1D()(features)


def normalized(x: Any, *, activation: str | None = "relu") -> Any:
    """Batch normalization, then the activation (none: for the end of a residual branch)."""
    # Epochs are short here (a dozen steps): the usual momentum of 0.99 would lag behind.
    x = FusedBatchNormalization(momentum=0.9, epsilon=1e-3)(x)
    return layers.Activation(activation)(x) if activation else x


@keras.saving.register_keras_serializable(package="pipeline")
class FusedBatchNormalization(layers.BatchNormalization):  # type: ignore[misc]
    """Batch normalization over all but the last axis, trained by TensorFlow's fused operation.

    Keras' own layer passes over memory several times, a fifth of a training step of these networks.
    """

    def call(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalizes by the batch in training (and follows its statistics), else by these."""
        fused = training and self.trainable and mask is None
        if not fused or keras.backend.backend() != "tensorflow":
            return super().call(x, training=training, mask=mask)
        folded = ops.reshape(x, (-1, 1, x.shape[-2], x.shape[-1]))
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            folded, self.gamma.value, self.beta.value, epsilon=self.epsilon
        )
        # The operation gives the unbiased variance, Keras follows the biased one.
        count = ops.cast(ops.size(folded) // x.shape[-1], variance.dtype)
        self._follow(self.moving_mean, mean)
        self._follow(self.moving_variance, variance * (count - 1) / count)
        return ops.reshape(y, ops.shape(x))

    def _follow(self, moving: Any, value: Any) -> None:
        moving.assign(moving * self.momentum + value * (1 - self.momentum))


@keras.saving.register_keras_serializable(package="pipeline")
class DepthwiseConv3D(layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Depthwise 3-D convolution, zero-padded: ``Conv3D(groups=channels)`` without its cost on CPUs.

    A kernel of T×H×W is the sum of T depthwise 2-D convolutions of whole frames, shifted in time.
    Strides are spatial; time keeps its length. Input and output: [batch, T, H, W, channels].
    """

    def __init__(
        self, kernel_size: tuple[int, int, int] = (3, 3, 3), strides: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_size = tuple(kernel_size)
        self.strides = strides

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """One weight ``kernel`` [T, H, W, channels]."""
        height, width = self.kernel_size[1:]
        fan_in = height * width * self.kernel_size[0]
        self.kernel = self.add_weight(
            shape=(*self.kernel_size, input_shape[-1]),
            initializer=keras.initializers.RandomNormal(stddev=(2 / fan_in) ** 0.5),
            name="kernel",
        )

    def call(self, x: Any) -> Any:
        """Sum over the kernel's taps in time."""
        frames, taps = x.shape[1], self.kernel_size[0]
        folded = fold_time(x)
        y = 0.0
        for tap in range(taps):
            part = ops.depthwise_conv(
                folded, self.kernel[tap][..., None], strides=self.strides, padding="same"
            )
            y = y + _delayed(unfold_time(part, frames), taps // 2 - tap)
        return y

    def get_config(self) -> dict[str, Any]:
        """Arguments that make the same layer again."""
        own = {"kernel_size": self.kernel_size, "strides": self.strides}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="pipeline")
class PictureConv2D(layers.Conv2D):  # type: ignore[misc]  # Keras has no types
    """``Conv2D``, computed as ``Conv3D`` of films of one frame.

    For a batch of one picture, TensorFlow's oneDNN takes a 2-D convolution three times as slow.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """[batch, height, width, channels] by a kernel [rows, columns, in, out]."""
        films = ops.expand_dims(inputs, 1)
        strides = (1, *self.strides)
        convolved = ops.conv(films, kernel[None], strides=strides, padding=self.padding)
        return ops.squeeze(convolved, 1)


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
