"""SqueezeNet 1.1 (Iandola et al. 2016) without its top; Keras has none of its own."""

from pathlib import Path
from typing import Any

import h5py
import keras
from keras import layers, ops

# Fire modules by number: channels squeezed to, and expanded to by 1x1 and by 3x3.
FIRES = {
    2: (16, 64),
    3: (16, 64),
    4: (32, 128),
    5: (32, 128),
    6: (48, 192),
    7: (48, 192),
    8: (64, 256),
    9: (64, 256),
}
POOLED_BEFORE = (2, 4, 6)
MEAN = (103.939, 116.779, 123.68)  # ImageNet's blue, green and red, which Caffe takes away


def holds_squeezenet(weights: Path) -> bool:
    """Whether an HDF5 file holds weights by SqueezeNet's names; an OSError if it is no HDF5."""
    with h5py.File(weights) as file:
        return "fire2" in file


def squeezenet(frames: Any, weights: Path) -> keras.Model:
    """[batch, H, W, 3] in -1..1 to [batch, 512], with ImageNet's weights from a Keras 1 file.

    A KeyError or a ValueError tells of weights that do not fit.
    """
    shift = [127.5 - mean for mean in MEAN]
    x = layers.Rescaling(127.5, shift, name="caffe_pixels")(ops.flip(frames, axis=-1))
    x = _convolved(x, "conv1", 64, 3, strides=2, padding="valid")
    for number, (squeezed, expanded) in FIRES.items():
        if number in POOLED_BEFORE:
            x = layers.MaxPooling2D(3, 2)(x)
        x = _fire(x, f"fire{number}", squeezed, expanded)
    x = layers.GlobalAveragePooling2D()(x)
    network = keras.Model(keras.utils.get_source_inputs(frames), x)
    _load(network, weights)
    return network


def _fire(x: Any, name: str, squeezed: int, expanded: int) -> Any:
    x = _convolved(x, f"{name}_squeeze1x1", squeezed, 1)
    sides = (_convolved(x, f"{name}_expand{side}x{side}", expanded, side) for side in (1, 3))
    return layers.concatenate(list(sides))


def _convolved(x: Any, name: str, channels: int, side: int, **given: Any) -> Any:
    settings = {"padding": "same", "activation": "relu", **given}
    return layers.Conv2D(channels, side, name=name, **settings)(x)


def _load(network: keras.Model, weights: Path) -> None:
    with h5py.File(weights) as file:
        for layer in network.layers:
            if layer.weights:
                group = file[layer.name.replace("_", "/")]  # Keras 3 forbids the slash
                layer.set_weights([group[name][()] for name in group.attrs["weight_names"]])
