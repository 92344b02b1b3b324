import h5py
import keras
import numpy as np
import pytest

from pipeline.errors import ParamsError
from pipeline.models import build
from pipeline.models.squeezenet import FIRES, squeezenet


def squeezenet_file(path):
    """Weights by the names that SqueezeNet's have in a file of Keras 1; each its own number."""
    shapes = {"conv1": (3, 3, 3, 64)}
    inputs = 64
    for number, (squeezed, expanded) in FIRES.items():
        shapes[f"fire{number}/squeeze1x1"] = (1, 1, inputs, squeezed)
        for side in (1, 3):
            shapes[f"fire{number}/expand{side}x{side}"] = (side, side, squeezed, expanded)
        inputs = 2 * expanded
    with h5py.File(path, "w") as file:
        for number, (name, shape) in enumerate(shapes.items()):
            group = file.create_group(name)
            group["kernel"] = np.full(shape, number / 1000, np.float32)
            group["bias"] = np.zeros(shape[-1], np.float32)
            group.attrs["weight_names"] = [b"kernel", b"bias"]
    return str(path)


def test_squeezenet_brings_its_weights_and_keeps_them(tmp_path):
    weights = squeezenet_file(tmp_path / "squeezenet.h5")
    model = build("resnet_lstm", input_shape=(2, 32, 32, 3), classes=3, backbone=weights)
    for name, number in (("conv1", 0), ("fire2_squeeze1x1", 1), ("fire9_expand3x3", 24)):
        layer = model.get_layer(name)
        assert not layer.trainable
        np.testing.assert_array_equal(np.unique(layer.kernel), np.float32(number / 1000))


def test_squeezenet_sees_frames_in_bgr_less_the_mean(tmp_path):
    weights = squeezenet_file(tmp_path / "squeezenet.h5")
    red = keras.Input((64, 64, 3))
    seen = squeezenet(red, weights)
    first = keras.Model(red, seen.get_layer("conv1").input)
    pixel = np.array([1.0, -1.0, -1.0], np.float32)  # red alone
    shown = first(np.broadcast_to(pixel, (1, 64, 64, 3)))
    np.testing.assert_allclose(shown[0, 0, 0], [-103.939, -116.779, 255 - 123.68], rtol=1e-5)


def test_a_squeezenet_that_lacks_a_layer_is_an_error(tmp_path):
    weights = squeezenet_file(tmp_path / "squeezenet.h5")
    with h5py.File(weights, "a") as file:
        del file["fire7/expand3x3"]
    with pytest.raises(ParamsError, match="does not hold"):
        build("resnet_lstm", input_shape=(2, 32, 32, 3), classes=3, backbone=weights)


def test_it_survives_saving(tmp_path):
    weights = squeezenet_file(tmp_path / "squeezenet.h5")
    model = build("resnet_lstm", input_shape=(2, 32, 32, 3), classes=3, backbone=weights)
    model.save(tmp_path / "model.keras")
    x = np.random.default_rng(0).uniform(0, 255, (1, 2, 32, 32, 3)).astype(np.float32)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(x), model(x), atol=1e-6)
