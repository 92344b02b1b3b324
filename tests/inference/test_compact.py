"""Compact LiteRT files: the same network in fewer bytes."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from pipeline.inference.compact import compact


@pytest.fixture(scope="module")
def quantized(tmp_path_factory) -> bytes:
    """A small int8 network, as TensorFlow's converter writes it."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(32, 3, activation="relu") for _ in range(3)]
    model = keras.Sequential([keras.Input((16, 16, 3)), *layers])
    ranges = np.random.default_rng(0).uniform(0, 1, (4, 1, 16, 16, 3)).astype(np.float32)
    path = tmp_path_factory.mktemp("quantized") / "int8.tflite"
    with warnings.catch_warnings(action="ignore"):  # of an interpreter that the converter uses
        model.export(
            path,
            format="litert",
            input_signature=[tf.TensorSpec((1, 16, 16, 3))],
            verbose=False,
            optimizations=[tf.lite.Optimize.DEFAULT],
            representative_dataset=lambda: ([each] for each in ranges),
        )
    return path.read_bytes()


def answer(file: bytes) -> np.ndarray:
    interpreter = Interpreter(model_content=file)
    interpreter.allocate_tensors()
    rng = np.random.default_rng(1)
    window = rng.uniform(0, 1, (1, 16, 16, 3)).astype(np.float32)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], window)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_a_compact_file_is_the_same_network_and_smaller(quantized):
    smaller = compact(quantized)
    assert len(smaller) < 0.95 * len(quantized)
    np.testing.assert_array_equal(answer(smaller), answer(quantized))


def test_what_is_compact_stays_as_it_is(quantized):
    smaller = compact(quantized)
    assert len(compact(smaller)) == len(smaller)
