import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pipeline.models.layers import PictureConv2D


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(("size", "strides"), [(3, 1), (5, 1), (3, 2), (4, 2)])
def test_values_and_gradients_are_those_of_conv2d(batch, size, strides):
    ours, keras_own = (
        each(6, size, strides, padding="same", activation="relu")
        for each in (PictureConv2D, layers.Conv2D)
    )
    x = tf.random.stateless_normal((batch, 13, 10, 4), seed=(0, 1))
    ours.build(x.shape)
    keras_own.build(x.shape)
    keras_own.set_weights(ours.get_weights())
    for one, other in zip(
        *(values_and_gradients(each, x) for each in (ours, keras_own)), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-4)


def values_and_gradients(layer, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_sum(y**2)
    return [y, *tape.gradient(loss, [x, layer.kernel.value, layer.bias.value])]


def test_it_survives_saving(tmp_path):
    model = keras.Sequential([keras.Input((None, None, 3)), PictureConv2D(2, 3)])
    model.save(tmp_path / "model.keras")
    x = np.ones((1, 5, 6, 3), np.float32)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(x), model(x), atol=1e-6)
