"""Maps drawn over frames."""

import numpy as np
import pytest

from pipeline.report import activation

GREY = np.full((4, 16, 16, 3), 100, np.float32)


def test_frames_stand_in_a_row_each_under_the_map_of_its_time():
    maps = np.zeros((2, 2, 2), np.float32)
    maps[1] = 1
    row = activation.strip(GREY, maps)
    assert row.shape == (16, 4 * 16, 3)
    cold, warm = row[:, :32], row[:, 32:]
    assert (cold == 100).all()
    assert warm.mean() > 150


@pytest.mark.parametrize("channels", [2, 3])
def test_both_streams_can_be_drawn(channels):
    window = np.random.default_rng(0).uniform(-3, 3, (4, 16, 16, channels))
    row = activation.strip(window.astype(np.float32), np.full((4, 1, 1), 0.5, np.float32))
    assert row.dtype == np.uint8
    assert row.shape == (16, 64, 3)
