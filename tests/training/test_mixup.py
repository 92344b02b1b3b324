import numpy as np
import pytest
import tensorflow as tf

from pipeline.training.mixup import mixup_batch


@pytest.fixture(scope="module")
def batch():
    x = tf.random.stateless_uniform([6, 2, 3, 3, 1], [0, 0])
    return x, tf.one_hot(tf.range(6), 6)


def test_window_and_target_are_blended_with_the_same_partner_by_the_same_share(batch):
    x, targets = batch
    blended, shares = mixup_batch(x, targets, alpha=1.0, step=tf.constant(3))
    np.testing.assert_allclose(tf.reduce_sum(shares, axis=1), 1, atol=1e-6)
    expected = tf.einsum("ij,jthwc->ithwc", shares, x)
    np.testing.assert_allclose(blended, expected, atol=1e-6)
    assert 0.05 < float(shares[0, 0]) < 0.95 or 0.05 < float(shares[1, 1]) < 0.95


def test_each_step_draws_other_shares_and_the_same_step_the_same(batch):
    once, again, later = (
        mixup_batch(*batch, alpha=0.2, step=tf.constant(step))[1] for step in (1, 1, 2)
    )
    np.testing.assert_array_equal(once, again)
    assert np.abs(once - later).max() > 0


def test_a_tiny_alpha_gives_finite_values(batch):
    blended, shares = mixup_batch(*batch, alpha=1e-3, step=tf.constant(0))
    assert np.isfinite(blended).all()
    assert np.isfinite(shares).all()
