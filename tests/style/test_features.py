import shutil

import h5py
import numpy as np
import pytest

from pipeline.errors import StyleError
from pipeline.models import build
from pipeline.style.features import load_features, vgg19_features


def test_vgg19_s_maps_have_its_shapes(vgg19_weights, picture):
    features = load_features(vgg19_weights)
    shapes = [each.shape for each in features.network(picture(0)[None])]
    assert shapes == [(1, 32, 48, 64), (1, 16, 24, 128), (1, 8, 12, 256), (1, 8, 12, 256)]
    assert features.content == 2


def test_vgg19_takes_blue_green_red_minus_the_imagenet_means(tmp_path, vgg19_weights):
    path = tmp_path / "vgg19.h5"
    shutil.copy(vgg19_weights, path)
    kernel = np.zeros((3, 3, 3, 64), np.float32)
    kernel[1, 1, 0, 0] = kernel[1, 1, 2, 1] = 1  # maps 0 and 1: the first and the last channel
    with h5py.File(path, "r+") as file:
        file["block1_conv1/block1_conv1_W_1:0"][...] = kernel
    blue = np.zeros((1, 16, 16, 3), np.float32)
    blue[..., 2] = 1
    first = vgg19_features(path).network(blue)[0]
    np.testing.assert_allclose(first[0, 5, 5, :2], [255 - 103.939, 0], rtol=1e-5)


def test_the_project_s_own_network_takes_any_size(own_weights, picture):
    features = load_features(own_weights)
    maps = features.network(picture(0, 30, 50)[None])
    assert [each.shape[-1] for each in maps] == [24, 48, 64, 128]
    assert maps[features.content].shape == (1, 8, 13, 64)


def test_features_are_not_trained(own_weights):
    assert not load_features(own_weights).network.trainable_variables


def test_a_missing_file_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(StyleError, match="does not exist; run `dvc repro features`"):
        load_features(tmp_path / "model.keras")


@pytest.mark.parametrize("damage", ["missing", "shape"])
def test_weights_that_do_not_fit_are_an_error(tmp_path, vgg19_weights, damage):
    path = tmp_path / "vgg19.h5"
    shutil.copy(vgg19_weights, path)
    with h5py.File(path, "r+") as file:
        del file["block3_conv4"]
        if damage == "shape":
            file["block3_conv4/kernel"] = np.zeros((3, 3, 256, 7), np.float32)
            file["block3_conv4/bias"] = np.zeros(7, np.float32)
    with pytest.raises(StyleError, match="does not fit VGG19"):
        load_features(path)


def test_a_file_that_is_not_a_network_is_an_error(tmp_path):
    for name in ("model.keras", "vgg19.h5"):
        (tmp_path / name).write_bytes(b"no network")
        with pytest.raises(StyleError, match=name):
            load_features(tmp_path / name)


def test_a_network_of_another_kind_is_an_error(tmp_path):
    path = tmp_path / "model.keras"
    build("csn", input_shape=(4, 32, 32, 3), classes=2).save(path)
    with pytest.raises(StyleError, match="holds csn for 3 channels"):
        load_features(path)


def test_the_real_vgg19_weights_fit(shared):
    features = load_features(shared / "weights" / "vgg19_imagenet_blocks1-3.h5")
    maps = features.network(np.full((1, 16, 16, 3), 0.5, np.float32))
    assert all(np.isfinite(each).all() for each in maps)
