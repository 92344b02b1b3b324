"""Conversion to LiteRT and ONNX of small networks, each in a process of its own."""

import os
import signal

import keras
import numpy as np
import pytest
from keras import layers

from pipeline.errors import BundleError
from pipeline.inference import convert as module
from pipeline.inference.calibration import probabilities
from pipeline.inference.convert import FILES, conversion, write_form
from pipeline.inference.runtime import LiteRT, Onnx
from pipeline.models import ARCHITECTURES, build
from pipeline.models.layers import fold_time, unfold_time

SHAPE = (4, 32, 32, 3)


def windows(count: int) -> np.ndarray:
    coarse = np.random.default_rng(0).uniform(0, 255, (count, 4, 4, 4, 3))
    return coarse.repeat(8, axis=2).repeat(8, axis=3).astype(np.float32)


def write_all(folder, ranges: np.ndarray) -> None:
    with conversion(folder / "model.keras", folder, ranges) as wait_for:
        assert [wait_for(form) for form in FILES] == [folder / file for file in FILES.values()]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def converted(request, tmp_path_factory):
    """A network, and the folder that has its forms."""
    folder = tmp_path_factory.mktemp(request.param)
    model = build(request.param, input_shape=SHAPE, classes=5)
    model.save(folder / "model.keras")
    write_all(folder, windows(8))
    return model, folder


def answers(folder, form: str) -> np.ndarray:
    runtime = Onnx(folder / FILES[form]) if form == "onnx" else LiteRT(folder / FILES[form])
    return probabilities(runtime(windows(4)).logits, 1.0)


@pytest.mark.parametrize(
    ("form", "tolerance"), [("float32", 1e-5), ("onnx", 1e-5), ("float16", 1e-2), ("int8", 0.2)]
)
def test_a_form_answers_as_keras_does(converted, form, tolerance):
    model, folder = converted
    expected = model(windows(4), training=False).numpy()
    np.testing.assert_allclose(answers(folder, form), expected, atol=tolerance)


@pytest.mark.filterwarnings("ignore:In the future `np.object`")  # by Keras, outside its process
def test_frames_that_a_network_scales_lose_no_pixel_in_onnx(tmp_path):
    window = keras.Input((2, 96, 96, 3))
    x = layers.Resizing(160, 160)(fold_time(window))  # 160 / 96 is rounded down in float32
    for strides in (2, 4):
        x = layers.ReLU()(layers.Conv2D(4, 3, strides, padding="same")(x))
    x = layers.GlobalAveragePooling1D()(unfold_time(layers.GlobalAveragePooling2D()(x), 2))
    model = keras.Model(window, layers.Dense(3, activation="softmax")(x))
    model.save(tmp_path / "model.keras")
    write_form("onnx", tmp_path / "model.keras", tmp_path / FILES["onnx"], tmp_path)
    frames = np.random.default_rng(0).uniform(0, 255, (1, 2, 96, 96, 3)).astype(np.float32)
    found = probabilities(Onnx(tmp_path / FILES["onnx"])(frames).logits, 1.0)
    np.testing.assert_allclose(found, model(frames, training=False).numpy(), atol=1e-5)


def test_smaller_numbers_make_smaller_files(converted):
    _, folder = converted
    whole, half, integers = (
        (folder / FILES[form]).stat().st_size for form in ("float32", "float16", "int8")
    )
    assert integers < half < whole


def test_windows_are_answered_one_by_one_with_logits_and_features(converted):
    _, folder = converted
    outputs = LiteRT(folder / FILES["int8"])(windows(3))
    assert outputs.logits.shape == (3, 5)
    assert outputs.features.shape[0] == 3
    assert outputs.logits.dtype == outputs.features.dtype == np.float32


def crash(form, *given):
    """Stands in for a converter: it writes float32, and dies of float16."""
    if form == "float16":
        os.kill(os.getpid(), signal.SIGSEGV)


def refuse(form, *given):
    if form == "int8":
        raise ValueError("no such kernel")


@pytest.mark.parametrize(
    ("stand_in", "message"),
    [
        (crash, "converted to float16: the converter crashed"),
        (refuse, "converted to int8: no such kernel"),
    ],
)
def test_a_converter_that_fails_is_an_error_that_names_the_form(
    tmp_path, monkeypatch, stand_in, message
):
    monkeypatch.setattr(module, "write_form", stand_in)
    with pytest.raises(BundleError, match=message):
        write_all(tmp_path, windows(1))
