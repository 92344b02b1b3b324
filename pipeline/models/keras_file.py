"""Keras files that a user names: read without running code from them or trusting their sizes."""

import json
import zipfile
from pathlib import Path
from typing import Any

import keras

MEMBERS = {"config.json", "metadata.json", "model.weights.h5"}
MAX_CONFIG = 1 << 24  # bytes
MAX_RATIO = 20  # of a file to its compressed size: weights barely compress


def read_network(path: Path) -> keras.Model:
    """The uncompiled network in a `.keras` file; a ValueError says why it is not used.

    Keras' safe mode refuses code and links to other files. What it does not bound is memory: a file
    that unpacks to gigabytes, or whose config declares layers larger than the weights it brings.
    """
    try:
        _demand_bounded(path)
        network: keras.Model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read as a Keras model: {error}") from error
    return network


def _demand_bounded(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        if set(infos) != MEMBERS:
            raise ValueError(f"it holds {', '.join(sorted(infos))}; expected {sorted(MEMBERS)}")
        size = sum(info.file_size for info in infos.values())
        if infos["config.json"].file_size > MAX_CONFIG or size > MAX_RATIO * path.stat().st_size:
            raise ValueError(f"it would unpack {path.stat().st_size} bytes to {size}")
        config = json.loads(archive.read("config.json"))
    _demand_weights(config, infos["model.weights.h5"].file_size)


def _demand_weights(config: dict[str, Any], stored: int) -> None:
    """Refuse a config that declares more weights than are stored; none are allocated to see it."""
    with keras.StatelessScope(initialize_variables=False):
        network = keras.saving.deserialize_keras_object(config, safe_mode=True)
        declared = 4 * network.count_params()
    if declared > stored:
        raise ValueError(f"its layers need {declared} bytes of weights, and it holds {stored}")
