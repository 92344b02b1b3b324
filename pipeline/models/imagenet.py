"""What networks pretrained on ImageNet share: Caffe's preprocessing, and files of weights."""

from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from keras import layers, ops

MEAN = (103.939, 116.779, 123.68)  # ImageNet's blue, green and red, 0..255


def caffe_pixels(x: Any) -> Any:
    """RGB in 0..255 as Caffe's networks take it: BGR, less ImageNet's mean."""
    shift = [-mean for mean in MEAN]
    return layers.Rescaling(1.0, shift, name="caffe_pixels")(ops.flip(x, axis=-1))


def load_by_name(network: keras.Model, weights: Path) -> None:
    """Give each layer the kernel and bias of its name in an HDF5 file of any version of Keras.

    Raises a KeyError, ValueError or OSError for weights that do not fit.
    """
    with h5py.File(weights) as file:
        for layer in network.layers:
            if layer.weights:
                # Keras 3 forbids the slash of older names.
                name = layer.name if layer.name in file else layer.name.replace("_", "/")
                layer.set_weights(_arrays(file[name]))


def _arrays(group: h5py.Group) -> list[np.ndarray]:
    """The kernel and the bias; versions of Keras nest and name them differently."""
    found: list[np.ndarray] = []

    def collect(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found.append(item[()])

    group.visititems(collect)
    return sorted(found, key=np.ndim, reverse=True)
