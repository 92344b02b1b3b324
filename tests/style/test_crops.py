import numpy as np
import pytest

from pipeline.style.crops import MIN_CROP, Crops


@pytest.fixture
def ramps():
    """Pictures whose blue is the column and whose green is the row."""
    columns, rows = np.meshgrid(np.arange(100), np.arange(80))
    return [np.stack([columns, rows, np.full_like(rows, 200)], axis=-1).astype(np.uint8)]


def test_a_batch_is_a_function_of_seed_and_number(ramps):
    crops = Crops(ramps, 16, 3)
    np.testing.assert_array_equal(crops.batch(5), Crops(ramps, 16, 3).batch(5))
    assert np.abs(crops.batch(5) - crops.batch(6)).max() > 0
    assert np.abs(crops.batch(5) - Crops(ramps, 16, 3, seed=1).batch(5)).max() > 0


def test_crops_are_red_green_blue_of_0_to_1(ramps):
    batch = Crops(ramps, 16, 4).batch(0)
    assert (batch.shape, batch.dtype) == ((4, 16, 16, 3), np.float32)
    np.testing.assert_allclose(batch[..., 0], 200 / 255, atol=0.01)


def test_crops_are_squares_of_most_of_the_picture_half_of_them_mirrored(ramps):
    batch = Crops(ramps, 16, 64).batch(0) * 255
    wide = (batch[:, 0, -1, 2] - batch[:, 0, 0, 2]) * 16 / 15
    tall = (batch[:, -1, 0, 1] - batch[:, 0, 0, 1]) * 16 / 15
    np.testing.assert_allclose(np.abs(wide), tall, atol=2)
    assert tall.min() >= MIN_CROP * 80 - 2
    assert tall.max() <= 80
    assert 16 < (wide < 0).sum() < 48
