"""The losses against values worked by hand."""

import numpy as np
import pytest
from keras import ops

from pipeline.style.losses import content_loss, gram, style_loss, temporal_loss, total_variation


def maps(*values, shape):
    return ops.convert_to_tensor(np.asarray(values, np.float32).reshape(1, *shape))


def test_content_loss_is_half_the_mean_squared_difference():
    a, b = maps(1, 2, 3, 4, shape=(2, 2, 1)), maps(1, 0, 3, 1, shape=(2, 2, 1))
    assert float(content_loss(a, b)) == (4 + 9) / 4 / 2


def test_gram_is_the_mean_product_of_channels():
    # Two places, channels (1, 3) and (2, -1): sums of products 1+4, 3-2, 9+1; two places.
    seen = gram(maps(1, 3, 2, -1, shape=(1, 2, 2)))
    np.testing.assert_allclose(seen[0], [[2.5, 0.5], [0.5, 5.0]])


def test_gram_does_not_depend_on_positions():
    places = np.random.default_rng(0).random((6, 4)).astype(np.float32)
    moved = places[::-1].copy()
    np.testing.assert_allclose(
        gram(maps(places, shape=(2, 3, 4))), gram(maps(moved, shape=(3, 2, 4))), rtol=1e-6
    )


def test_style_loss_is_the_mean_over_layers_as_gatys_defines_it():
    one, other = maps(2, 0, 0, 2, shape=(2, 2)), maps(1, 0, 0, 0, shape=(2, 2))
    # Squares 1 and 4, N = 2 channels: (1 + 4) / (4 · 2²); the second layer is as wanted.
    assert float(style_loss([one, other], [other, other])) == pytest.approx(5 / 16 / 2)


def test_style_loss_equals_the_paper_s_formula_for_pictures_of_one_size():
    random = np.random.default_rng(1)
    f, a = random.random((2, 12, 5)).astype(np.float32)  # M = 12 places, N = 5 channels
    paper = np.square(f.T @ f - a.T @ a).sum() / (4 * 5**2 * 12**2)
    ours = style_loss([gram(maps(f, shape=(3, 4, 5)))], [gram(maps(a, shape=(3, 4, 5)))])
    assert float(ours) == pytest.approx(float(paper), rel=1e-5)


def test_total_variation_sums_both_directions_means():
    # Right: 1, 1; down: 2, 2.
    assert float(total_variation(maps(0, 1, 2, 3, shape=(2, 2, 1)))) == 1 + 4


def test_total_variation_of_a_flat_picture_is_zero():
    assert float(total_variation(maps(*[0.3] * 12, shape=(2, 2, 3)))) == 0


def test_temporal_loss_counts_reliable_points_only():
    picture, warped = maps(1, 1, 1, 1, shape=(2, 2, 1)), maps(0, 3, 1, 9, shape=(2, 2, 1))
    reliable = maps(1, 0.5, 1, 0, shape=(2, 2, 1))
    assert float(temporal_loss(picture, warped, reliable)) == (1 + 0.5 * 4) / 4
