"""Class probabilities of windows."""

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from pipeline.evaluation.predictions import Predictions

Inference = Callable[[tf.Tensor], tf.Tensor]


def inference(model: keras.Model) -> Inference:
    """`model` as a traced function of a batch: quicker than Keras' `predict_on_batch`."""
    shape = tf.TensorSpec(model.input_shape)  # one trace for batches of all sizes
    infer: Inference = tf.function(lambda x: model(x, training=False), input_signature=[shape])
    return infer


def predict(
    infer: Inference,
    windows: tf.data.Dataset,
    *,
    classes: Sequence[str],
    groups: Mapping[str, str],
) -> Predictions:
    """What `infer` says of each window; `windows` gives (x, labels, clips), `groups` is by clip."""
    answers = Collected()
    for x, labels, clips in windows:
        answers.add(infer(x).numpy(), labels.numpy(), names_of(clips))
    return answers.predictions(classes=classes, groups=groups)


class Collected:
    """Answers, gathered batch by batch."""

    def __init__(self) -> None:
        self._probabilities: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []
        self._clips: list[str] = []

    def add(self, probabilities: np.ndarray, labels: np.ndarray, clips: Sequence[str]) -> None:
        """One batch: float32 [B, classes], int [B], and the clip of each row."""
        self._probabilities.append(probabilities)
        self._labels.append(labels)
        self._clips.extend(clips)

    def predictions(self, *, classes: Sequence[str], groups: Mapping[str, str]) -> Predictions:
        """All rows in the order in which they came; `groups` is by clip."""
        return Predictions(
            classes=tuple(classes),
            clips=np.asarray(self._clips),
            groups=np.asarray([groups[clip] for clip in self._clips]),
            labels=np.concatenate(self._labels),
            probabilities=np.concatenate(self._probabilities),
        )


def names_of(clips: tf.Tensor) -> list[str]:
    """A batch's clips as text."""
    return [name.decode() for name in clips.numpy()]
