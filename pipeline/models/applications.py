"""Any network of keras.applications by its name, pretrained on ImageNet."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from pipeline.errors import ParamsError

WEIGHTS = "imagenet"


class Preprocessing(NamedTuple):
    """What a network takes: pixels in 0..255 by `scale` and `offset`, of RGB or (`bgr`) BGR."""

    scale: list[float]
    offset: list[float]
    bgr: bool


def applications() -> dict[str, Callable[..., keras.Model]]:
    """The networks by their names in small letters, such as `efficientnetv2b0`."""
    found = {name: getattr(keras.applications, name) for name in dir(keras.applications)}
    return {name.lower(): each for name, each in found.items() if name[0].isupper()}


def application(frames: Any, name: str) -> keras.Model:
    """The network of that name on frames in about [-1, 1], to pooled features.

    Keras downloads its weights; raises a ParamsError where it cannot.
    """
    network = applications()[name]
    how = preprocessing(network)
    pixels = layers.Rescaling(127.5, 127.5)(ops.flip(frames, axis=-1) if how.bgr else frames)
    prepared = layers.Rescaling(how.scale, how.offset, name="as_on_imagenet")(pixels)
    try:
        return network(input_tensor=prepared, include_top=False, pooling="avg", weights=WEIGHTS)
    except Exception as error:
        # Keras raises nothing more exact for a download that fails.
        if "URL fetch failure" not in str(error):
            raise
        raise ParamsError(
            f"the weights of backbone {name!r} could not be downloaded: {error}; run once with a "
            "network connection, or name a file of MobileNet's or SqueezeNet's weights"
        ) from error


def preprocessing(network: Callable[..., keras.Model]) -> Preprocessing:
    """What `preprocess_input` of the network's module does, measured on black, white and red."""
    module = getattr(keras.applications, network.__module__.rpartition(".")[2])

    def prepared(*pixel: float) -> np.ndarray:
        image = np.array([[pixel]], np.float32)
        return np.asarray(module.preprocess_input(image)).reshape(3)

    black, white, red = prepared(0, 0, 0), prepared(255, 255, 255), prepared(255, 0, 0)
    scale = (white - black) / 255
    return Preprocessing(scale.tolist(), black.tolist(), bgr=bool(red[0] == black[0]))
