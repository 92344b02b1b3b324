"""CNN+LSTM whose frames are seen by a network that ImageNet trained, their changes by its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
from keras import layers, ops

from pipeline.errors import ParamsError
from pipeline.models.layers import classifier, lstm_over_frames, rescaled_input, with_change

SCRATCH, MOBILENET = "scratch", "mobilenet"
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
    """MobileNet (Howard et al. 2017) of width 0.25 on each frame beside `cnn` on its change; LSTM.

    `backbone` is `mobilenet`, whose weights Keras fetches, or a file of them (without top). They
    train along only if `fine_tune`. A ParamsError tells of weights that do not fit.
    """
    inputs, x = rescaled_input(input_shape, stream)

    def frame_features(x: Any) -> Any:
        frames, changes = ops.split(x, 2, axis=-1)
        seen = _mobilenet(layers.Resizing(SIDE, SIDE)(frames), backbone, fine_tune).output
        return layers.concatenate([seen, cnn(changes)])

    x = lstm_over_frames(with_change(x), frame_features, UNITS, dropout)
    return keras.Model(inputs, classifier(x, classes, dropout), name="pretrained_lstm")


def _mobilenet(frames: Any, backbone: str, fine_tune: bool) -> keras.Model:
    known = backbone == MOBILENET
    if not known and not Path(backbone).is_file():
        raise ParamsError(f"backbone is {backbone!r}: neither {SCRATCH}, {MOBILENET}, nor a file")
    try:
        network = keras.applications.MobileNet(
            input_tensor=frames,
            alpha=WIDTH,
            include_top=False,
            pooling="avg",
            weights="imagenet" if known else backbone,
        )
    except (ValueError, OSError) as error:
        raise ParamsError(
            f"backbone {backbone!r} gives no weights for MobileNet of width {WIDTH} without its "
            f"top: {error}"
        ) from error
    for layer in network.layers:
        # The statistics of a few clips' frames would undo what ImageNet taught.
        layer.trainable = fine_tune and not isinstance(layer, layers.BatchNormalization)
    return network
