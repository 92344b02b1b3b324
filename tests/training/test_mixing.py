import numpy as np
import pytest
import tensorflow as tf

from pipeline.training.mixing import (
    GREY,
    Mixing,
    cutmix_batch,
    mixup_batch,
    with_background,
    without_background,
)

HEAT = tf.constant(1.0)


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


def test_flow_is_not_blended():
    x, targets = tf.random.stateless_uniform([6, 2, 3, 3, 2], [0, 0]), tf.one_hot(tf.range(6), 6)
    mixed, found = Mixing(1.0, 0.0, 0.5, motion_only=1.0)(x, targets, tf.constant(3), HEAT)
    np.testing.assert_array_equal(mixed, x)
    np.testing.assert_array_equal(found, targets)


def test_cutmix_takes_a_box_of_one_other_window_in_all_frames_and_its_share_of_the_target():
    x = tf.ones([8, 3, 10, 12, 1]) * tf.reshape(tf.range(8.0), [-1, 1, 1, 1, 1])
    mixed, targets = cutmix_batch(x, tf.one_hot(tf.range(8), 8), share=1.0, step=tf.constant(1))
    for number in range(8):
        box = mixed[number, ..., 0] == (number - 1) % 8
        assert (box | (mixed[number, ..., 0] == number)).numpy().all()
        assert (box.numpy() == box.numpy()[0]).all()
        rows, columns = box.numpy()[0].any(1), box.numpy()[0].any(0)
        assert (box.numpy()[0] == rows[:, None] & columns).all()
        share = box.numpy().mean()
        assert float(targets[number, (number - 1) % 8]) == pytest.approx(share)
        assert float(targets[number, number]) == pytest.approx(1 - share)


def test_cutmix_leaves_the_other_windows_as_they_are(batch):
    x, targets = batch
    mixed, found = cutmix_batch(x, targets, share=0.0, step=tf.constant(1))
    np.testing.assert_array_equal(mixed, x)
    np.testing.assert_array_equal(found, targets)


def test_a_background_stands_still_and_fades_motion_alone():
    x = tf.random.stateless_uniform([6, 5, 4, 4, 3], [0, 0])
    mixed = with_background(x, most=0.5, step=tf.constant(4))
    added = (mixed[:, 1:] - mixed[:, :-1]) / (x[:, 1:] - x[:, :-1])
    shares = 1 - added.numpy().reshape(6, -1)
    assert np.ptp(shares, axis=1).max() < 1e-2
    assert 0 <= shares.min() < shares.max() <= 0.5
    background = mixed[0] - (1 - shares[0, 0]) * x[0]
    np.testing.assert_allclose(background[1], shares[0, 0] * x[4, 2], atol=1e-3)


def test_without_background_what_stands_still_is_grey_and_changes_stay():
    x = 255 * tf.random.stateless_uniform([4, 5, 6, 6, 3], [0, 0])
    still = tf.concat([x[..., :3, :], tf.repeat(x[:, :1, :, 3:], 5, axis=1)], axis=3)
    alone = without_background(still, share=tf.constant(1.0), step=tf.constant(0))
    np.testing.assert_allclose(alone[..., 3:, :], GREY, atol=1e-3)
    np.testing.assert_allclose(tf.reduce_mean(alone, axis=1), GREY, atol=1e-3)
    np.testing.assert_allclose(np.diff(alone, axis=1), np.diff(still, axis=1), atol=1e-3)


def test_a_share_of_the_windows_loses_its_background_and_none_once_the_rate_is_zero():
    x = 255 * tf.random.stateless_uniform([400, 3, 2, 2, 3], [0, 0])
    mixing = Mixing(0.0, 0.0, 0.0, motion_only=0.5)
    targets = tf.one_hot(tf.zeros(400, tf.int32), 2)
    for heat, least, most in ((1.0, 0.4, 0.6), (0.5, 0.17, 0.33), (0.0, 0.0, 0.0)):
        mixed, found = mixing(x, targets, tf.constant(7), tf.constant(heat))
        changed = tf.reduce_any(mixed != x, axis=(1, 2, 3, 4))
        assert least <= tf.reduce_mean(tf.cast(changed, tf.float32)) <= most
        np.testing.assert_array_equal(found, targets)


def test_flow_gets_no_background():
    x = tf.random.stateless_uniform([4, 3, 4, 4, 2], [0, 0])
    mixed, _ = Mixing(0.0, 0.0, 0.9, 1.0)(x, tf.one_hot(tf.range(4), 4), tf.constant(0), HEAT)
    np.testing.assert_array_equal(mixed, x)


def test_all_ways_together_keep_shares_of_one():
    x = tf.random.stateless_uniform([8, 3, 4, 4, 3], [0, 0])
    targets = tf.one_hot(tf.range(8), 8)
    mixed, shares = Mixing(0.3, 0.5, 0.3, motion_only=0.5)(x, targets, tf.constant(0), HEAT)
    assert mixed.shape == x.shape
    np.testing.assert_allclose(tf.reduce_sum(shares, axis=1), 1, atol=1e-5)
