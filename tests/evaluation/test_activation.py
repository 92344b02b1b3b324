"""Class-activation maps, where the answer is known."""

import keras
import numpy as np
import pytest
from keras import layers

from pipeline.evaluation.activation import activation_maps
from pipeline.models import ARCHITECTURES, build

SHAPE = (4, 16, 16, 3)


def seeing_brightness():
    """A network whose class 1 is brightness and whose class 0 is darkness."""
    inputs = keras.Input((4, 8, 8, 1))
    x = layers.AveragePooling3D((2, 2, 2))(inputs)
    x = layers.GlobalAveragePooling3D()(x)
    model = keras.Model(inputs, layers.Dense(2, activation="softmax", name="probabilities")(x))
    model.get_layer("probabilities").set_weights([np.array([[-1.0, 1.0]]), np.zeros(2)])
    return model


def test_a_bright_corner_at_the_end_is_what_speaks_for_brightness():
    window = np.zeros((1, 4, 8, 8, 1), np.float32)
    window[0, 2:, :2, 6:] = 5
    (maps,) = activation_maps(seeing_brightness(), window, np.array([1]))
    expected = np.zeros((2, 4, 4))
    expected[1, 0, 3] = 1
    np.testing.assert_allclose(maps, expected, atol=1e-6)
    against = activation_maps(seeing_brightness(), window, np.array([0]))
    assert not against.any()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_has_maps_over_time_in_0_to_1(architecture):
    model = build(architecture, input_shape=SHAPE, classes=3)
    windows = np.random.default_rng(0).uniform(0, 255, (2, *SHAPE)).astype(np.float32)
    maps = activation_maps(model, windows, np.array([0, 2]))
    assert maps.shape[0] == 2
    assert maps.shape[1] == (4 if "lstm" in architecture else 1)
    assert maps.min() >= 0
    assert maps.max() <= 1


def test_maps_depend_on_the_class_and_on_the_window_alone():
    model = build("resnet_lstm", input_shape=SHAPE, classes=3)
    windows = np.random.default_rng(0).uniform(0, 255, (2, *SHAPE)).astype(np.float32)
    both = activation_maps(model, windows, np.array([0, 2]))
    alone = activation_maps(model, windows[1:], np.array([2]))
    other = activation_maps(model, windows[1:], np.array([1]))
    np.testing.assert_allclose(both[1], alone[0], atol=1e-4)
    assert not np.allclose(alone, other, atol=1e-3)
