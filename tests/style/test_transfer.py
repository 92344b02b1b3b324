import numpy as np
import pytest
import tensorflow as tf

from pipeline.style.features import load_features
from pipeline.style.transfer import Prior, StyleTransfer, Weights, with_colours_of

WEIGHTS = Weights(content=1.0, style=30.0, total_variation=5.0, temporal=0.0)


@pytest.fixture(scope="module")
def features(own_weights):
    return load_features(own_weights)


def total(transfer, image, content):
    target = transfer.perceptual.content_target(content[None])
    nothing = tf.zeros((1, *content.shape)), tf.zeros((1, *content.shape[:2], 1))
    losses = transfer.losses(tf.constant(image[None]), target, *nothing)
    return sum(getattr(transfer.weights, name) * float(loss) for name, loss in losses.items())


def test_stylizing_lowers_the_loss_and_gives_a_picture(features, picture):
    transfer = StyleTransfer(features, picture(1, 40, 24), WEIGHTS)
    content = picture(0)
    stylized = transfer.stylize(content, start=content, steps=8)
    assert total(transfer, stylized, content) < 0.7 * total(transfer, content, content)
    assert (stylized.shape, stylized.dtype) == (content.shape, np.float32)
    assert stylized.min() >= 0
    assert stylized.max() <= 1


def test_the_style_s_own_picture_has_no_style_loss(features, picture):
    transfer = StyleTransfer(features, picture(1), Weights(0.0, 1.0, 0.0, 0.0))
    assert total(transfer, picture(1), picture(0)) == pytest.approx(0, abs=1e-6)


def test_stylizing_twice_gives_the_same(features, picture):
    transfer = StyleTransfer(features, picture(1), WEIGHTS)
    once, again = (transfer.stylize(picture(0), start=picture(0), steps=3) for _ in range(2))
    np.testing.assert_array_equal(once, again)


def test_a_prior_holds_a_picture_where_it_is_reliable(features, picture):
    weights = Weights(content=1.0, style=1.0, total_variation=0.0, temporal=1000.0)
    transfer = StyleTransfer(features, picture(1), weights)
    reliable = np.zeros((32, 48), np.float32)
    reliable[:, :24] = 1
    prior = Prior(picture(2), reliable)
    stylized = transfer.stylize(picture(0), start=picture(0), steps=20, prior=prior)
    error = np.abs(stylized - prior.warped).mean(axis=(0, 2))
    assert error[:20].max() < 0.1 * error[28:].min()


def test_kept_colours_change_brightness_alone(picture):
    content, stylized = 0.3 + 0.4 * picture(0), 0.3 + 0.4 * picture(1)
    kept = with_colours_of(content, stylized)
    luma = np.asarray([0.299, 0.587, 0.114])
    np.testing.assert_allclose(kept @ luma, stylized @ luma, atol=0.01)
    np.testing.assert_allclose(
        kept - (kept @ luma)[..., None], content - (content @ luma)[..., None], atol=0.01
    )
