import cv2
import h5py
import numpy as np
import pytest

from pipeline.models import build
from pipeline.style.features import VGG19


@pytest.fixture(scope="session")
def own_weights(tmp_path_factory):
    """An untrained vgg_lstm, saved as training does."""
    path = tmp_path_factory.mktemp("own") / "model.keras"
    build("vgg_lstm", input_shape=(2, 32, 32, 3), classes=2).save(path)
    return path


@pytest.fixture(scope="session")
def vgg19_weights(tmp_path_factory):
    """Random weights in the form of Keras' published file of VGG19."""
    path, random, inner = tmp_path_factory.mktemp("vgg") / "vgg19.h5", np.random.default_rng(0), 3
    with h5py.File(path, "w") as file:
        for block, (channels, convolutions) in enumerate(VGG19, start=1):
            for number in range(1, convolutions + 1):
                name = f"block{block}_conv{number}"
                kernel = random.normal(0, (2 / 9 / inner) ** 0.5, (3, 3, inner, channels))
                file[f"{name}/{name}_W_1:0"] = kernel.astype(np.float32)
                file[f"{name}/{name}_b_1:0"] = np.zeros(channels, np.float32)
                inner = channels
    return path


@pytest.fixture(scope="session")
def picture():
    """Smooth random pictures, float32 [height, width, 3] of 0..1."""

    def draw(seed, height=32, width=48):
        noise = np.random.default_rng(seed).random((8, 12, 3), np.float32)
        return cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)

    return draw
