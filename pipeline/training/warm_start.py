"""Training that starts from an earlier model of the same architecture."""

import logging
from pathlib import Path

import keras

from pipeline.errors import TrainingError
from pipeline.models.keras_file import read_network

log = logging.getLogger(__name__)


def take_weights(model: keras.Model, earlier: Path) -> None:
    """Give `model` the weights of the Keras file `earlier`, but for a head of other classes.

    A TrainingError tells of a model of another architecture, stream or window.
    """
    try:
        found = read_network(earlier)
    except ValueError as error:
        raise TrainingError(f"warm start: {error}") from error
    layers = zip(model.layers, found.layers, strict=False)
    fits = model.name == found.name and len(model.layers) == len(found.layers)
    if not fits or any(_shapes(a) != _shapes(b) for a, b in list(layers)[:-1]):
        raise TrainingError(
            f"warm start: {earlier} is a {found.name} for windows {found.input_shape[1:]}, and the "
            f"model to train a {model.name} for {model.input_shape[1:]}; both must be the same"
        )
    for layer, other in zip(model.layers, found.layers, strict=True):
        if _shapes(layer) == _shapes(other):
            layer.set_weights(other.get_weights())
    log.info("%s starts from %s", model.name, earlier)


def _shapes(layer: keras.layers.Layer) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]
