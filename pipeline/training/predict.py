"""Class probabilities of windows."""

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from pipeline.training.evaluation import Predictions


def inference(model: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """`model` as a traced function of a batch: quicker than Keras' `predict_on_batch`."""
    shape = tf.TensorSpec(model.input_shape)  # one trace for batches of all sizes
    infer: Callable[[tf.Tensor], tf.Tensor] = tf.function(
        lambda x: model(x, training=False), input_signature=[shape]
    )
    return infer


def predict(
    infer: Callable[[tf.Tensor], tf.Tensor],
    windows: tf.data.Dataset,
    *,
    classes: Sequence[str],
    groups: Mapping[str, str],
) -> Predictions:
    """What `infer` says of each window; `windows` gives (x, labels, clips), `groups` is by clip."""
    probabilities, labels = [], []
    clips: list[str] = []
    for x, y, names in windows:
        probabilities.append(infer(x).numpy())
        labels.append(y.numpy())
        clips.extend(name.decode() for name in names.numpy())
    return Predictions(
        classes=tuple(classes),
        clips=np.asarray(clips),
        groups=np.asarray([groups[clip] for clip in clips]),
        labels=np.concatenate(labels),
        probabilities=np.concatenate(probabilities),
    )
