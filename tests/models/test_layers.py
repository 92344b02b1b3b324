import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pipeline.models.layers import (
    DepthwiseConv3D,
    FusedBatchNormalization,
    PictureConv2D,
    with_change,
)


def values_and_gradients(layer, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_sum(tf.sin(y))
    return y, *tape.gradient(loss, [x, layer.trainable_variables[0].value])


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("kernel_size", [(3, 3, 3), (1, 3, 3), (5, 3, 3)])
def test_equals_grouped_convolution_in_values_and_gradients(kernel_size, strides):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, 7, 8, 4)).astype(np.float32)
    ours = DepthwiseConv3D(kernel_size, strides)
    theirs = keras.layers.Conv3D(
        4, kernel_size, (1, strides, strides), padding="same", groups=4, use_bias=False
    )
    ours.build(x.shape)
    theirs.build(x.shape)
    theirs.kernel.assign(ours.kernel[:, :, :, None, :])
    y, by_x, by_kernel = values_and_gradients(ours, x)
    y_, by_x_, by_kernel_ = values_and_gradients(theirs, x)
    np.testing.assert_allclose(y, y_, atol=1e-5)
    np.testing.assert_allclose(by_x, by_x_, atol=1e-5)
    np.testing.assert_allclose(by_kernel, tf.reshape(by_kernel_, by_kernel.shape), atol=1e-4)


def test_config_makes_the_same_layer():
    layer = DepthwiseConv3D((5, 3, 3), 2, name="it")
    again = DepthwiseConv3D.from_config(layer.get_config())
    assert (again.kernel_size, again.strides, again.name) == ((5, 3, 3), 2, "it")


def batch_normalizations(*inside):
    options = {"momentum": 0.9, "epsilon": 1e-3}
    layers = FusedBatchNormalization(**options), keras.layers.BatchNormalization(**options)
    for layer in layers:
        layer.build((None, *inside, 4))
        layer.gamma.assign([0.5, 1, 2, 3])
        layer.beta.assign([0, 1, -1, 2])
    return layers


@pytest.mark.parametrize("inside", [(5, 5), (2, 5, 5)])
def test_fused_batch_normalization_equals_the_layer_of_keras(inside):
    x = tf.constant(np.random.default_rng(0).normal(3, 2, (3, *inside, 4)).astype(np.float32))
    results = []
    for layer in batch_normalizations(*inside):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(tf.sin(y))
        gradients = tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])
        after = layer(x, training=False)
        results.append([y, *gradients, layer.moving_mean, layer.moving_variance, after])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_frozen_batch_normalization_does_not_follow_the_batch():
    layer, _ = batch_normalizations(5, 5)
    layer.trainable = False
    layer(tf.ones((2, 5, 5, 4)), training=True)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(4))


def test_a_frame_comes_with_its_change_since_the_one_before():
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 3, 2)).astype(np.float32)
    y = with_change(tf.constant(x)).numpy()
    np.testing.assert_array_equal(y[..., :2], x)
    np.testing.assert_array_equal(y[:, 0, ..., 2:], np.zeros((2, 3, 3, 2)))
    np.testing.assert_allclose(y[:, 1:, ..., 2:], 2 * (x[:, 1:] - x[:, :-1]), atol=1e-6)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(("size", "strides"), [(3, 1), (5, 1), (3, 2), (4, 2)])
def test_a_picture_s_convolution_has_conv2d_s_values_and_gradients(batch, size, strides):
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


def test_a_picture_s_convolution_survives_saving(tmp_path):
    model = keras.Sequential([keras.Input((None, None, 3)), PictureConv2D(2, 3)])
    model.save(tmp_path / "model.keras")
    x = np.ones((1, 5, 6, 3), np.float32)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(x), model(x), atol=1e-6)
