"""The form of a trained network that small runtimes compute fast, with the same answers.

LiteRT has no 3-D pooling, no int8 3-D convolution and no loops, so that networks are rewritten:

    Conv3D 1×k×k            Conv2D of frames, folded into the batch
    Conv3D k×1×1            Conv2D k×1 of [batch, T, H·W, C]
    Conv3D k×k×k            Conv2D of frames beside their neighbours in time, as channels
    Dense of 5-D tensors    Conv2D 1×1
    pooling in 3-D          pooling in space, then in time
    BatchNormalization      folded into the convolutions before it
    LSTM                    unrolled
    zeros concatenated      padding
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers, ops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from keras import Operation
    from numpy.typing import NDArray

    Call = Callable[..., Any]

INPUT = "window"
_VIDEO = 5  # the rank of [batch, T, H, W, C]
_CONVOLUTIONS = ("Conv2D", "Conv3D", "Dense", "DepthwiseConv2D")


def deployment_form(model: keras.Model) -> keras.Model:
    """`model` with the outputs logits and features.

    Features are what its last Dense takes and, since that forgets what its classes do not need to
    be told apart, the means of earlier layers, too: see `_seen`.
    """
    head = next(layer for layer in reversed(model.layers) if isinstance(layer, layers.Dense))
    body = keras.Model(model.input, [head.input, *_seen(model)])
    folds = _Folds(body)

    def deployed(operation: Operation) -> Call:
        if operation in folds.absorbed:
            return _unchanged
        return _RULES.get(_kind(operation), _copied)(operation, folds)

    inputs = keras.Input(model.input_shape[1:], name=INPUT)
    copy = keras.models.clone_model(body, inputs, deployed, _call)
    taken, *seen = copy.outputs
    logits = _weighted(layers.Dense(head.units), head.get_weights())(taken)
    means = [_mean(each, model.input_shape[1]) for each in seen]
    features = ops.concatenate([taken, *means], axis=-1) if means else taken
    return keras.Model(inputs, {"logits": logits, "features": features}, name=model.name)


def _seen(model: keras.Model) -> list[Any]:
    """What an LSTM takes, and the last activation of each size but the smallest, fine to coarse."""
    maps: dict[int, Any] = {}
    for layer in model.layers:
        if isinstance(layer, layers.ReLU | layers.Activation) and len(layer.output.shape) > 3:
            maps[layer.output.shape[-2]] = layer.output
    frames = [layer.input for layer in model.layers if isinstance(layer, layers.LSTM)]
    return [maps[size] for size in sorted(maps, reverse=True)[:-1]] + frames


def _mean(x: Any, frames: int) -> Any:
    """[batch, channels]: the mean over time and space of a video, also of one folded to frames."""
    values = math.prod(x.shape[1:-1]) * (frames if len(x.shape) == _VIDEO - 1 else 1)
    return ops.mean(ops.reshape(x, (-1, values, x.shape[-1])), axis=1)


def _call(call: Call, *args: Any, mask: Any = None, training: Any = None) -> Any:
    """Call without a mask: windows have none, and LiteRT cannot skip what it would."""
    return call(*args)


# The graph


def _kind(operation: Operation) -> str:
    return type(operation).__name__


def _before(operation: Operation) -> list[Operation]:
    """What makes the inputs of `operation`, in their order."""
    tensors = operation._inbound_nodes[0].input_tensors
    return [tensor._keras_history.operation for tensor in tensors]


def _is_video(operation: Operation) -> bool:
    return len(operation._inbound_nodes[0].input_tensors[0].shape) == _VIDEO


# Batch normalization


class _Folds:
    """Which normalizations of a network disappear in the convolutions before them, and how."""

    def __init__(self, model: keras.Model) -> None:
        self.absorbed: set[Operation] = set()
        self._affine: dict[Operation, tuple[NDArray[Any], NDArray[Any]]] = {}
        self._uses: dict[Operation, int] = defaultdict(int)
        for operation in model.operations:
            for before in _before(operation):
                self._uses[before] += _kind(operation) != "ZerosLike"
        for layer in model.layers:
            if isinstance(layer, layers.BatchNormalization):
                self._fold(layer)

    def weights(self, layer: layers.Layer) -> tuple[NDArray[Any], NDArray[Any]]:
        """Kernel and bias of a convolution, with the normalization after it."""
        kernel, *bias = layer.get_weights()
        of_channels = kernel.shape[-2:] if _kind(layer) == "DepthwiseConv2D" else kernel.shape[-1]
        scale, shift = self._affine.get(layer, (np.ones(1, np.float32), 0))
        bias = bias[0] if bias else np.zeros(np.prod(of_channels), np.float32)
        by_channel = np.broadcast_to(scale, bias.shape)
        return kernel * by_channel.reshape(of_channels), bias * scale + shift

    def _fold(self, normalization: layers.Layer) -> None:
        """Fold it if nothing but convolutions come before, whose results are added at most."""
        found = list(self._convolutions(normalization, normalization.input.shape[-1]))
        still = [layer for layer, moved in found if layer and not moved]
        if not still or not all(layer for layer, _ in found):
            return
        scale, shift = _scale_and_shift(normalization)
        self._affine |= {layer: (scale, np.zeros_like(shift)) for layer, _ in found if layer}
        self._affine[still[0]] = scale, shift  # once in a sum, and where no zeros move in
        self.absorbed.add(normalization)

    def _convolutions(
        self, operation: Operation, channels: int, *, moved: bool = False
    ) -> Iterator[tuple[Operation | None, bool]]:
        """Those before `operation`, and whether frames move on the way; None for all else."""
        for before in _before(operation):
            kind = _kind(before)
            if kind == "ZerosLike":
                continue
            if self._uses[before] > 1 or not _gives(before, channels):
                yield None, moved
            elif kind in _CONVOLUTIONS and before.activation is keras.activations.linear:
                yield before, moved
            elif kind in ("Add", "Concatenate", "Reshape", "Split"):
                moves = moved or kind in ("Concatenate", "Split")
                yield from self._convolutions(before, channels, moved=moves)
            else:
                yield None, moved


def _gives(operation: Operation, channels: int) -> bool:
    outputs = operation._inbound_nodes[0].output_tensors
    return all(output.shape[-1] == channels for output in outputs)


def _scale_and_shift(layer: layers.Layer) -> tuple[NDArray[Any], NDArray[Any]]:
    """A batch normalization as x · scale + shift."""
    mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    gamma = layer.gamma.numpy() if layer.scale else np.ones_like(mean)
    beta = layer.beta.numpy() if layer.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - mean * scale


# Rules: what is called in an operation's place


def _unchanged(x: Any) -> Any:
    return x


def _dropout(layer: layers.Layer, folds: _Folds) -> Call:
    return _unchanged


def _copied(operation: Operation, folds: _Folds) -> Call:
    if not isinstance(operation, layers.Layer):
        another: Call = type(operation).from_config(operation.get_config() | {"name": None})
        return another
    return _weighted(_another(operation), operation.get_weights())


def _another(layer: layers.Layer, **changed: Any) -> layers.Layer:
    """A layer like this one, under another name."""
    given = {"name": None, "dtype": "float32", **changed}
    return type(layer).from_config(layer.get_config() | given)


def _weighted(layer: layers.Layer, weights: Any) -> Call:
    def call(*args: Any, **options: Any) -> Any:
        outputs = layer(*args, **options)
        layer.set_weights(weights)
        return outputs

    return call


def _lstm(layer: layers.Layer, folds: _Folds) -> Call:
    return _weighted(_another(layer, unroll=True), layer.get_weights())


def _framewise(layer: layers.Layer, folds: _Folds) -> Call:
    """Frames as a batch: there, the converter merges activations into convolutions."""
    copy = _copied(layer, folds)
    return _of_frames(copy) if _is_video(layer) else copy


def _convolution(layer: layers.Layer, folds: _Folds) -> Call:
    return _weighted(_another(layer, use_bias=True), folds.weights(layer))


def _dense(layer: layers.Layer, folds: _Folds) -> Call:
    if not _is_video(layer):
        return _convolution(layer, folds)
    kernel, bias = folds.weights(layer)
    pointwise = layers.Conv2D(layer.units, 1, activation=layer.activation)
    return _of_frames(_weighted(pointwise, (kernel[None, None], bias)))


def _conv3d(layer: layers.Layer, folds: _Folds) -> Call:
    if layer.groups > 1 or max(layer.dilation_rate) > 1:
        return _convolution(layer, folds)
    kernel, bias = folds.weights(layer)
    taps, stride = layer.kernel_size[0], layer.strides[0]
    in_space = _conv2d(layer, layer.kernel_size[1:], layer.strides[1:])
    if taps == stride == 1:
        return _of_frames(_weighted(in_space, (kernel[0], bias)))
    if (*layer.kernel_size[1:], *layer.strides[1:]) == (1, 1, 1, 1):
        in_time = _conv2d(layer, (taps, 1), (stride, 1))
        return _over_time(_weighted(in_time, (kernel[:, :, 0], bias)))
    beside = np.moveaxis(kernel, 0, 2).reshape(*kernel.shape[1:3], -1, layer.filters)
    convolved = _of_frames(_weighted(in_space, (beside, bias)))
    return lambda x: convolved(_neighbours(x, taps, stride, layer.padding))


def _conv2d(layer: layers.Layer, size: tuple[int, ...], strides: tuple[int, ...]) -> layers.Layer:
    return layers.Conv2D(
        layer.filters, size, strides, padding=layer.padding, activation=layer.activation
    )


def _neighbours(x: Any, taps: int, stride: int, padding: str) -> Any:
    """The frames that a convolution of `taps` frames sees at once, as channels of one."""
    if padding == "same":
        lacking = max((-(-x.shape[1] // stride) - 1) * stride + taps - x.shape[1], 0)
        x = _padded(x, 1, lacking // 2, lacking - lacking // 2)
    frames = (x.shape[1] - taps) // stride + 1
    shifted = [x[:, tap : tap + (frames - 1) * stride + 1 : stride] for tap in range(taps)]
    return ops.concatenate(shifted, axis=-1)


def _pooling3d(layer: layers.Layer, folds: _Folds) -> Call:
    pool = getattr(layers, _kind(layer).replace("3D", "2D"))
    (time, *space), (step, *stride) = layer.pool_size, layer.strides
    in_space = pool(tuple(space), tuple(stride), padding=layer.padding)
    in_time = pool((time, 1), (step, 1), padding=layer.padding)
    calls = []
    if (*space, *stride) != (1, 1, 1, 1):
        calls.append(_of_frames(in_space))
    if (time, step) != (1, 1):
        calls.append(_over_time(in_time))
    return _chained(calls)


def _global_pooling3d(layer: layers.Layer, folds: _Folds) -> Call:
    pool = getattr(layers, _kind(layer).replace("3D", "2D"))()
    return lambda x: pool(_flat_space(x))


def _split(operation: Operation, folds: _Folds) -> Call:
    """Slices: what nobody uses of a split is not copied."""
    (tensor,) = operation._inbound_nodes[0].input_tensors
    size, axis = tensor.shape[operation.axis], operation.axis % len(tensor.shape)
    given = operation.indices_or_sections
    cuts = range(size // given, size, size // given) if isinstance(given, int) else given
    bounds = list(zip((0, *cuts), (*cuts, size), strict=True))
    return lambda x: [x[(slice(None),) * axis + (slice(*each),)] for each in bounds]


def _concatenate(operation: Operation, folds: _Folds) -> Call:
    """Padding, if all but one are zeros."""
    zeros = [_kind(each) == "ZerosLike" for each in _before(operation)]
    if zeros.count(False) != 1:
        return _copied(operation, folds)
    place, axis = zeros.index(False), operation.axis

    def call(tensors: list[Any]) -> Any:
        sizes = [tensor.shape[axis] for tensor in tensors]
        return _padded(tensors[place], axis, sum(sizes[:place]), sum(sizes[place + 1 :]))

    return call


_RULES: dict[str, Callable[[Any, _Folds], Call]] = {
    "Activation": _framewise,
    "Add": _framewise,
    "AveragePooling3D": _pooling3d,
    "BatchNormalization": _framewise,
    "Concatenate": _concatenate,
    "Conv2D": _convolution,
    "Conv3D": _conv3d,
    "Dense": _dense,
    "DepthwiseConv2D": _convolution,
    "Dropout": _dropout,
    "GlobalAveragePooling3D": _global_pooling3d,
    "GlobalMaxPooling3D": _global_pooling3d,
    "LSTM": _lstm,
    "MaxPooling3D": _pooling3d,
    "ReLU": _framewise,
    "Rescaling": _framewise,
    "Split": _split,
}


# Shapes


def _of_frames(call: Call) -> Call:
    """`call` on [batch * T, H, W, C] instead of [batch, T, H, W, C]; of one or several tensors."""

    def folded(x: Any) -> Any:
        several = isinstance(x, list | tuple)
        frames = (x[0] if several else x).shape[1]
        y = call([_folded(each) for each in x] if several else _folded(x))
        return ops.reshape(y, (-1, frames, *y.shape[1:]))

    return folded


def _folded(x: Any) -> Any:
    return ops.reshape(x, (-1, *x.shape[2:]))


def _over_time(call: Call) -> Call:
    """`call` on [batch, T, H·W, C] instead of [batch, T, H, W, C]."""

    def flattened(x: Any) -> Any:
        y = call(_flat_space(x))
        return ops.reshape(y, (-1, y.shape[1], *x.shape[2:4], y.shape[-1]))

    return flattened


def _flat_space(x: Any) -> Any:
    return ops.reshape(x, (-1, x.shape[1], x.shape[2] * x.shape[3], x.shape[4]))


def _padded(x: Any, axis: int, before: int, after: int) -> Any:
    widths = [(0, 0)] * len(x.shape)
    widths[axis] = (before, after)
    return ops.pad(x, widths)


def _chained(calls: list[Call]) -> Call:
    def chained(x: Any) -> Any:
        for call in calls:
            x = call(x)
        return x

    return chained
