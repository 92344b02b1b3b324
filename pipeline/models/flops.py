"""The arithmetic of a network's forward pass."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers


def gflops(model: keras.Model) -> float:
    """2 × multiply-adds of one window forward, in 1e9, of convolutions, dense layers and LSTMs."""
    counted: list[Any] = [layer for layer in model.layers if type(layer) in _MULTIPLY_ADDS]
    # Shapes of a real pass, since folding time into the batch hides T from symbolic ones.
    probe = keras.Model(model.input, [layer.output for layer in counted])
    outputs = probe(np.zeros((1, *model.input_shape[1:]), np.float32), training=False)
    multiply_adds = sum(
        _MULTIPLY_ADDS[type(layer)](layer, math.prod(output.shape))
        for layer, output in zip(counted, outputs, strict=True)
    )
    return float(2 * multiply_adds / 1e9)


def _convolution(layer: Any, outputs: int) -> int:
    return outputs * int(math.prod(layer.kernel.shape[:-1]))


def _depthwise(layer: Any, outputs: int) -> int:
    return outputs * int(math.prod(layer.kernel_size))


def _recurrent(layer: Any, outputs: int) -> int:
    steps: int = outputs // layer.units
    return steps * int(
        math.prod(layer.cell.kernel.shape) + math.prod(layer.cell.recurrent_kernel.shape)
    )


_MULTIPLY_ADDS: dict[type, Callable[[Any, int], int]] = {
    layers.Conv2D: _convolution,
    layers.Conv3D: _convolution,
    layers.Dense: _convolution,
    layers.DepthwiseConv2D: _depthwise,
    layers.LSTM: _recurrent,
}
