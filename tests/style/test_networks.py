import numpy as np
import pytest
from keras import layers

from pipeline.models.layers import PictureConv2D, replace_layers
from pipeline.style.feedforward import load_generator
from pipeline.style.networks import discriminator, generator


@pytest.fixture(scope="module")
def network():
    return generator(widths=(4, 8, 8), blocks=1)


def test_pictures_of_any_size_become_pictures_of_that_size(network, picture):
    stylized = network(picture(0, 32, 48)[None]).numpy()
    assert stylized.shape == (1, 32, 48, 3)
    assert 0 < stylized.min() < stylized.max() < 1


def test_each_picture_is_normalized_by_itself(network, picture):
    # Instance normalization, not batch: each picture by itself.
    alone = network(picture(0)[None]).numpy()[0]
    among = network(np.stack([picture(0), picture(1)])).numpy()[0]
    np.testing.assert_allclose(alone, among, atol=1e-5)


def test_a_residual_generator_begins_nearer_to_the_picture_than_another(picture):
    dark = picture(0)[None] / 4
    residual, other = (
        generator(widths=(4, 8, 8), blocks=1, residual=each) for each in (True, False)
    )
    distance = [np.abs(each(dark).numpy() - dark).mean() for each in (residual, other)]
    assert distance[0] < distance[1] / 2


def test_the_generator_has_under_200_000_parameters():
    assert generator(widths=(8, 24, 48), blocks=4).count_params() < 200_000


def test_saved_in_layers_of_keras_and_loaded_it_gives_the_same(network, picture, tmp_path):
    path = tmp_path / "model.keras"
    replace_layers(network, PictureConv2D, layers.Conv2D).save(path)
    loaded = load_generator(path)
    np.testing.assert_allclose(loaded(picture(0)[None]), network(picture(0)[None]), atol=1e-5)


def test_a_seed_decides_the_weights():
    one, same, other = (generator(widths=(4, 4, 4), blocks=1, seed=s).weights[0] for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one.numpy() - other.numpy()).max() > 0


def test_there_is_one_score_per_patch(picture):
    scores = discriminator(width=4)(picture(0, 64, 96)[None]).numpy()
    assert scores.shape == (1, 8, 12, 1)
    assert np.ptp(scores) > 0
