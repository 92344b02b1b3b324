"""What networks that ImageNet taught have in common: Caffe's pixels, and files of their weights."""

from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from keras import layers, ops

MEAN = (103.939, 116.779, 123.68)  # of ImageNet's blue, green and red, 0..255


def caffe_pixels(x: Any) -> Any:
    """Red, green, blue in 0..255 as Caffe's networks see them: blue, green, red, less the mean."""
    shift = [-mean for mean in MEAN]
    return layers.Rescaling(1.0, shift, name="caffe_pixels")(ops.flip(x, axis=-1))


def load_by_name(network: keras.Model, weights: Path) -> None:
    """Give each layer the kernel and the bias of its name in an HDF5 file of any Keras.

    A KeyError, ValueError or OSError tells of weights that do not fit.
    """
    with h5py.File(weights) as file:
        for layer in network.layers:
            if layer.weights:
                # Keras 3 forbids the slash of older names.
                name = layer.name if layer.name in file else layer.name.replace("_", "/")
                layer.set_weights(_arrays(file[name]))


def _arrays(group: h5py.Group) -> list[np.ndarray]:
    """The kernel and the bias, which Keras' versions nest and name differently."""
    found: list[np.ndarray] = []

    def collect(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found.append(item[()])

    group.visititems(collect)
    return sorted(found, key=np.ndim, reverse=True)
