import keras
import numpy as np
import pytest

from pipeline.errors import ParamsError
from pipeline.models import applications as room
from pipeline.models import build
from pipeline.models.applications import application, applications, preprocessing

RED = np.array([255.0, 0.0, 0.0], np.float32)


@pytest.fixture
def without_weights(monkeypatch):
    monkeypatch.setattr(room, "WEIGHTS", None)


def test_all_networks_are_known_by_small_letters():
    assert {"resnet50", "efficientnetv2b0", "mobilenetv3small", "vgg16"} < applications().keys()


@pytest.mark.parametrize("name", ["mobilenetv2", "resnet50", "densenet121", "efficientnetb0"])
def test_frames_are_prepared_as_the_network_s_own_module_does(name):
    network = applications()[name]
    module = getattr(keras.applications, network.__module__.rpartition(".")[2])
    expected = np.asarray(module.preprocess_input(RED[None, None].copy()))[0, 0]
    how = preprocessing(network)
    pixel = RED[::-1] if how.bgr else RED
    np.testing.assert_allclose(pixel * how.scale + how.offset, expected, atol=1e-4)


def test_a_network_sees_prepared_frames_and_gives_pooled_features(without_weights):
    frames = keras.Input((32, 32, 3))
    network = application(frames, "mobilenetv2")
    assert network.output.shape == (None, 1280)
    seen = keras.Model(frames, network.get_layer("as_on_imagenet").output)
    np.testing.assert_allclose(seen(np.full((1, 32, 32, 3), 0.5, "f")), 0.5, atol=1e-5)


def test_a_model_on_one_survives_saving(without_weights, tmp_path):
    model = build("resnet_lstm", input_shape=(2, 32, 32, 3), classes=3, backbone="mobilenetv2")
    assert not model.get_layer("Conv1").trainable
    model.save(tmp_path / "model.keras")
    x = np.random.default_rng(0).uniform(0, 255, (1, 2, 32, 32, 3)).astype(np.float32)
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(x), model(x), atol=1e-5)


def test_a_failed_download_says_what_to_do(monkeypatch):
    def offline(**_):
        raise Exception("URL fetch failure on https://…: no route")  # noqa: TRY002 (Keras does)

    monkeypatch.setattr(room, "applications", lambda: {"resnet50": offline})
    monkeypatch.setattr(room, "preprocessing", lambda _: room.Preprocessing([1.0], [0.0], False))
    with pytest.raises(ParamsError, match=r"resnet50.*could not be downloaded.*name a file"):
        application(keras.Input((32, 32, 3)), "resnet50")
