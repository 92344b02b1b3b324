"""CNN+LSTM on a pretrained backbone: it sees the frames, the network's own CNN their changes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
from keras import layers, ops

from pipeline.errors import ParamsError
from pipeline.models.applications import application, applications
from pipeline.models.layers import classifier, lstm_over_frames, rescaled_input, with_change
from pipeline.models.squeezenet import holds_squeezenet, squeezenet

MOBILENET = "mobilenet"
WIDTH = 0.25
SIDE = 160  # pixels; ImageNet's objects are larger than those of our frames
UNITS = 128


def pretrained_lstm(
    *,
    input_shape: tuple[int, ...],
    classes: int,
    stream: str,
    dropout: float,
    cnn: Callable[[Any], Any],
    backbone: str,
    fine_tune: bool,
) -> keras.Model:
    """A network pretrained on ImageNet on each frame, beside `cnn` on its change; then an LSTM.

    `backbone` is `mobilenet`, whose weights Keras downloads (Howard et al. 2017; width 0.25), any
    network of keras.applications by its name in small letters, or a file of MobileNet's or
    SqueezeNet's weights, without top. It stays frozen unless `fine_tune`. Raises a ParamsError for
    weights that do not fit.
    """
    inputs, x = rescaled_input(input_shape, stream)

    def frame_features(x: Any) -> Any:
        frames, changes = ops.split(x, 2, axis=-1)
        seen = _pretrained(layers.Resizing(SIDE, SIDE)(frames), backbone, fine_tune).output
        return layers.concatenate([seen, cnn(changes)])

    x = lstm_over_frames(with_change(x), frame_features, UNITS, dropout)
    return keras.Model(inputs, classifier(x, classes, dropout), name="pretrained_lstm")


def _pretrained(frames: Any, backbone: str, fine_tune: bool) -> keras.Model:
    if backbone not in (MOBILENET, *applications()) and not Path(backbone).is_file():
        raise ParamsError(
            f"backbone is {backbone!r}; it must be scratch, a file of weights or one of "
            f"{', '.join(applications())}"
        )
    try:
        network = _with_weights(frames, backbone)
    except (ValueError, KeyError, OSError) as error:
        raise ParamsError(
            f"backbone {backbone!r} does not hold the weights of MobileNet of width {WIDTH} or of "
            f"SqueezeNet 1.1, without top: {error}"
        ) from error
    for layer in network.layers:
        # The statistics of a few clips' frames would replace ImageNet's.
        layer.trainable = fine_tune and not isinstance(layer, layers.BatchNormalization)
    return network


def _with_weights(frames: Any, backbone: str) -> keras.Model:
    if backbone != MOBILENET and backbone in applications():
        return application(frames, backbone)
    if backbone != MOBILENET and holds_squeezenet(Path(backbone)):
        return squeezenet(frames, Path(backbone))
    return keras.applications.MobileNet(
        input_tensor=frames,
        alpha=WIDTH,
        include_top=False,
        pooling="avg",
        weights="imagenet" if backbone == MOBILENET else backbone,
    )
