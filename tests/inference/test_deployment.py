"""The deployment form: the same answers, from layers that LiteRT has."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from pipeline.inference.deployment import deployment_form
from pipeline.models import ARCHITECTURES, build

FRAMES, SIDE = 4, 16
LEFT_OVER = ("BatchNormalization", "Conv3D", "MaxPooling3D", "AveragePooling3D", "Dropout")


def windows(channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (3, FRAMES, SIDE, SIDE, channels)).astype(np.float32)


def with_statistics(model: keras.Model) -> keras.Model:
    """Batch normalizations as after training, not the identity that they begin as."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization) and layer.trainable:
            shapes = [weight.shape for weight in layer.get_weights()]
            layer.set_weights([rng.uniform(0.5, 1.5, shape) for shape in shapes])
    return model


def assert_same(model: keras.Model, x: np.ndarray) -> keras.Model:
    """The deployment form, once it is found to agree with the model."""
    form = deployment_form(model)
    probabilities = ops.softmax(form(x, training=False)["logits"])
    np.testing.assert_allclose(probabilities, model(x, training=False), atol=1e-6)
    return form


def video_network(*body: layers.Layer) -> keras.Model:
    inputs = keras.Input((FRAMES, SIDE, SIDE, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    for layer in body:
        x = layer(x)
    x = layers.GlobalAveragePooling3D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


@pytest.mark.parametrize("stream", ["rgb", "flow"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_keeps_its_answers(architecture, stream):
    x = windows(3 if stream == "rgb" else 2)
    model = build(architecture, input_shape=x.shape[1:], classes=5, stream=stream)
    form = assert_same(with_statistics(model), x)
    assert not [layer for layer in form.layers if type(layer).__name__ in LEFT_OVER]
    assert all(layer.unroll for layer in form.layers if isinstance(layer, layers.LSTM))


@pytest.mark.parametrize("file", ["mobilenet_2_5_224_tf_no_top.h5", "squeezenet_weights*.h5"])
def test_a_network_with_a_pretrained_backbone_keeps_its_answers(shared, file):
    (weights,) = (shared / "weights").glob(file)
    x = windows()
    model = build(
        "resnet_lstm", input_shape=x.shape[1:], classes=5, backbone=str(weights), dropout=0.5
    )
    form = assert_same(with_statistics(model), x)
    assert not [layer for layer in form.layers if isinstance(layer, layers.BatchNormalization)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_features_begin_with_what_the_last_dense_takes(architecture):
    model = build(architecture, input_shape=windows().shape[1:], classes=5)
    outputs = deployment_form(model)(windows(), training=False)
    kernel, bias = model.layers[-1].get_weights()
    taken = outputs["features"][:, : len(kernel)]
    np.testing.assert_allclose(taken @ kernel + bias, outputs["logits"], atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_features_are_means_of_earlier_layers_too(architecture):
    model = with_statistics(build(architecture, input_shape=windows().shape[1:], classes=5))
    features = deployment_form(model)(windows(), training=False)["features"]
    stem = next(layer for layer in model.layers if isinstance(layer, layers.Activation))
    maps = keras.Model(model.input, stem.output)(windows(), training=False)
    means = np.reshape(maps, (3, -1, maps.shape[-1])).mean(axis=1)
    taken = model.layers[-1].input.shape[-1]
    np.testing.assert_allclose(features[:, taken : taken + means.shape[1]], means, atol=1e-5)
    assert features.shape[1] > taken + means.shape[1]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [1, 2, (2, 1, 1), (1, 2, 2)])
@pytest.mark.parametrize("size", [1, 2, 3, (1, 3, 3), (3, 1, 1)])
def test_3d_convolutions_become_2d_ones(size, strides, padding):
    convolution = layers.Conv3D(6, size, strides, padding=padding, activation="relu")
    form = assert_same(video_network(convolution), windows())
    assert not [layer for layer in form.layers if isinstance(layer, layers.Conv3D)]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("size", "strides"), [(2, None), (3, 2), ((1, 3, 3), (1, 2, 2)), ((2, 1, 1), None)]
)
@pytest.mark.parametrize("pool", [layers.MaxPooling3D, layers.AveragePooling3D])
def test_3d_pooling_is_pooling_in_space_then_in_time(pool, size, strides, padding):
    assert_same(video_network(pool(size, strides, padding=padding)), windows())


@pytest.mark.parametrize(
    "convolution",
    [
        layers.Conv3D(6, 3, padding="same", groups=3),
        layers.Conv3D(6, 2, dilation_rate=2),
        layers.Dense(6, activation="relu"),
        layers.TimeDistributed(layers.Conv2D(6, 3)),
    ],
)
def test_what_has_no_other_form_stays(convolution):
    assert_same(video_network(convolution), windows())


def test_normalization_is_folded_only_where_a_linear_convolution_alone_comes_before():
    after_relu = video_network(layers.Conv3D(6, 1, activation="relu"), layers.BatchNormalization())
    after_input = video_network(layers.BatchNormalization(), layers.Conv3D(6, 1))
    for model in (after_relu, after_input):
        form = assert_same(with_statistics(model), windows())
        assert [layer for layer in form.layers if isinstance(layer, layers.BatchNormalization)]


def test_a_convolution_that_others_use_as_well_is_not_scaled():
    inputs = keras.Input((FRAMES, SIDE, SIDE, 3))
    x = layers.Conv3D(6, 1)(inputs)
    x = layers.add([x, layers.BatchNormalization()(x)])
    outputs = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling3D()(x))
    assert_same(with_statistics(keras.Model(inputs, outputs)), windows())


def test_a_sum_of_convolutions_is_folded_with_one_shift():
    inputs = keras.Input((FRAMES, SIDE, SIDE, 3))
    x = layers.add([layers.Conv3D(6, 1)(inputs), layers.Conv3D(6, 3, padding="same")(inputs)])
    x = layers.BatchNormalization()(x)
    outputs = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling3D()(x))
    form = assert_same(with_statistics(keras.Model(inputs, outputs)), windows())
    assert not [layer for layer in form.layers if isinstance(layer, layers.BatchNormalization)]


def test_a_network_trained_in_half_precision_is_deployed_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build("csn", input_shape=windows().shape[1:], classes=5)
    finally:
        keras.config.set_dtype_policy("float32")
    form = deployment_form(model)
    assert {layer.compute_dtype for layer in form.layers} == {"float32"}
