import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pipeline.training import data_parallel as parallel
from pipeline.training.data_parallel import data_parallel


def network():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    return keras.Model(inputs, layers.BatchNormalization()(layers.Dense(2)(inputs)))


def rows(count):
    return tf.constant(np.random.default_rng(0).normal(size=(count, 3)).astype("f"))


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_answers_are_those_of_the_whole_batch_in_its_order(count):
    model, x = network(), rows(count)
    np.testing.assert_allclose(
        data_parallel(model, x, training=False), model(x, training=False), 1e-5
    )


def test_each_half_is_normalized_by_itself_in_training():
    model, x = network(), rows(8)
    answers = data_parallel(model, x, training=True)
    for half in (answers[:4], answers[4:]):
        np.testing.assert_allclose(tf.reduce_mean(half, 0), 0, atol=1e-5)


def test_gradients_are_the_mean_of_those_of_the_halves():
    model, x = network(), rows(8)

    def gradients(answers, *batches):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean([tf.reduce_mean(answers(batch) ** 3) for batch in batches])
        return tape.gradient(loss, model.trainable_variables)

    together = gradients(lambda batch: data_parallel(model, batch, training=True), x)
    apart = gradients(lambda batch: model(batch, training=True), x[:4], x[4:])
    for ours, theirs in zip(together, apart, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_with_gpus_each_is_one_device(monkeypatch):
    monkeypatch.setattr(parallel.tf.config, "list_physical_devices", lambda kind: [kind] * 3)
    assert parallel.devices() == ["GPU:0", "GPU:1", "GPU:2"]
