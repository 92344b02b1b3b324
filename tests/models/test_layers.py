import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pipeline.models.layers import (
    PictureConv2D,
    compressed,
    depthwise_conv3d,
    replace_layers,
    with_change,
)


def by_name(model):
    """Layers in the order in which they were made."""
    return sorted(model.layers, key=lambda layer: (len(layer.name), layer.name))


def values_and_gradients(layer, x, weights=None):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_sum(tf.sin(y))
    weights = [weight.value for weight in weights or layer.trainable_variables]
    return y, *tape.gradient(loss, [x, *weights])


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("kernel_size", [(3, 3, 3), (1, 3, 3), (5, 3, 3)])
def test_depthwise_conv3d_equals_grouped_convolution_in_values_and_gradients(kernel_size, strides):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, 7, 8, 4)).astype(np.float32)
    inputs = keras.Input(x.shape[1:])
    ours = keras.Model(inputs, depthwise_conv3d(inputs, kernel_size, strides))
    theirs = layers.Conv3D(
        4, kernel_size, (1, strides, strides), padding="same", groups=4, use_bias=False
    )
    theirs.build(x.shape)
    taps = [each.kernel for each in by_name(ours) if isinstance(each, layers.DepthwiseConv2D)]
    theirs.kernel.assign(np.stack([tap.numpy().swapaxes(2, 3) for tap in taps]))
    y, by_x, *by_taps = values_and_gradients(ours, x, taps)
    y_, by_x_, by_kernel_ = values_and_gradients(theirs, x)
    np.testing.assert_allclose(y, y_, atol=1e-5)
    np.testing.assert_allclose(by_x, by_x_, atol=1e-5)
    by_kernel = np.stack([tap.numpy().swapaxes(2, 3) for tap in by_taps])
    np.testing.assert_allclose(by_kernel, by_kernel_, atol=1e-4)


def test_replaced_layers_keep_names_weights_and_outputs():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((9, 9, 3))
    x = layers.Conv2D(4, 3, name="first")(inputs)
    model = keras.Model(inputs, layers.Conv2D(2, 3)(layers.ReLU()(x)), name="two")
    fast = replace_layers(model, layers.Conv2D, PictureConv2D)
    assert [type(layer) for layer in fast.layers[1::2]] == [PictureConv2D] * 2
    assert (fast.name, fast.layers[1].name) == ("two", "first")
    picture = np.random.default_rng(0).normal(size=(1, 9, 9, 3)).astype(np.float32)
    np.testing.assert_allclose(fast(picture), model(picture), atol=1e-5)
    back = replace_layers(fast, PictureConv2D, layers.Conv2D)
    assert {type(layer) for layer in back.layers} == {type(layer) for layer in model.layers}


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


def test_compression_keeps_direction_and_order_and_lifts_what_is_slow():
    flow = np.linspace(-5, 5, 2001, dtype=np.float32)
    found = compressed(tf.constant(flow)).numpy()
    np.testing.assert_allclose(found, -found[::-1], atol=1e-6)
    assert (np.diff(found) > 0).all()
    slow, fast = compressed(tf.constant([0.05, 5.0])).numpy()
    assert fast / slow < 12  # of 100
