"""SqueezeNet 1.1 (Iandola et al. 2016) without its top, which Keras does not have."""

from pathlib import Path
from typing import Any

import h5py
import keras
from keras import layers

from pipeline.models.imagenet import caffe_pixels, load_by_name

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


def holds_squeezenet(weights: Path) -> bool:
    """Whether an HDF5 file has SqueezeNet's layers; raises an OSError if it is not HDF5."""
    with h5py.File(weights) as file:
        return "fire2" in file


def squeezenet(frames: Any, weights: Path) -> keras.Model:
    """[batch, H, W, 3] in -1..1 to [batch, 512], with ImageNet's weights from a file.

    Raises a KeyError or ValueError for weights that do not fit.
    """
    x = caffe_pixels((frames + 1) * 127.5)
    x = _convolved(x, "conv1", 64, 3, strides=2, padding="valid")
    for number, (squeezed, expanded) in FIRES.items():
        if number in POOLED_BEFORE:
            x = layers.MaxPooling2D(3, 2)(x)
        x = _fire(x, f"fire{number}", squeezed, expanded)
    x = layers.GlobalAveragePooling2D()(x)
    network = keras.Model(keras.utils.get_source_inputs(frames), x)
    load_by_name(network, weights)
    return network


def _fire(x: Any, name: str, squeezed: int, expanded: int) -> Any:
    x = _convolved(x, f"{name}_squeeze1x1", squeezed, 1)
    sides = (_convolved(x, f"{name}_expand{side}x{side}", expanded, side) for side in (1, 3))
    return layers.concatenate(list(sides))


def _convolved(x: Any, name: str, channels: int, side: int, **given: Any) -> Any:
    settings = {"padding": "same", "activation": "relu", **given}
    return layers.Conv2D(channels, side, name=name, **settings)(x)
