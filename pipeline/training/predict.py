"""Class probabilities of windows."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from pipeline.training.evaluation import Predictions


def predict(
    model: keras.Model,
    windows: tf.data.Dataset,
    *,
    classes: Sequence[str],
    groups: Mapping[str, str],
) -> Predictions:
    """What `model` says of each window; `windows` gives (x, labels, clips), `groups` is by clip."""
    probabilities, labels = [], []
    clips: list[str] = []
    for x, y, names in windows:
        probabilities.append(model.predict_on_batch(x))
        labels.append(y.numpy())
        clips.extend(name.decode() for name in names.numpy())
    return Predictions(
        classes=tuple(classes),
        clips=np.asarray(clips),
        groups=np.asarray([groups[clip] for clip in clips]),
        labels=np.concatenate(labels),
        probabilities=np.concatenate(probabilities),
    )
