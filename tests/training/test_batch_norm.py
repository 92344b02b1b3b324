import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.models import ARCHITECTURES, build
from pipeline.models.layers import replace_layers
from pipeline.training.batch_norm import FusedBatchNormalization


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


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_network_with_fused_layers_gives_what_the_network_gives(architecture):
    model = build(architecture, input_shape=(4, 16, 16, 3), classes=3)
    fused = replace_layers(model, keras.layers.BatchNormalization, FusedBatchNormalization)
    assert any(isinstance(layer, FusedBatchNormalization) for layer in fused.layers)
    x = np.random.default_rng(0).uniform(0, 255, (2, 4, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(fused(x), model(x), atol=1e-6)
