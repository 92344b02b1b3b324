"""A convolution that is fast for single pictures."""

from typing import Any

import keras
from keras import layers, ops


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
