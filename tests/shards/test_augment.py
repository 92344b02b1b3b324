import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from pipeline.shards.augment import DRAWS, Augmentation, augmented, centred  # noqa: E402

PLAIN = Augmentation(area=1.0, aspect=1.0, flip=False, jitter=0.0)


def window(channels=3, height=12, width=16, **scale):
    pictures = np.random.default_rng(0).integers(0, 255, (4, height, width, channels), np.uint8)
    return {"pictures": tf.constant(pictures), **scale}


def flow_window(**size):
    return window(2, scale=tf.constant([0.5, 1.0, 2.0, 0.25]), **size)


def draws(**given):
    return {name: tf.constant(given.get(name, 0.5)) for name in DRAWS}


def test_the_centre_of_a_frame_of_the_right_size_is_untouched():
    given = window()
    assert np.allclose(centred(given, 12), given["pictures"][:, :, 2:14], atol=1e-2)


def test_a_larger_centre_is_scaled_down():
    assert centred(window(height=24, width=32), 12).shape == (4, 12, 12, 3)


def test_flow_is_in_pixels_without_its_mean():
    given = flow_window()
    field = (given["pictures"][:, :, 2:14].numpy().astype(float) - 128) * [
        [[[0.5]]],
        [[[1]]],
        [[[2]]],
        [[[0.25]]],
    ]
    expected = field - field.mean(axis=(1, 2), keepdims=True)
    assert np.allclose(centred(given, 12), expected, atol=1e-2)


def test_flow_grows_with_the_picture():
    given = flow_window(height=12, width=12)
    small, large = centred(given, 12), centred(given, 36)
    middles = large[:, 1::3, 1::3]  # of each pixel that became nine
    once = middles - tf.reduce_mean(middles, (1, 2), keepdims=True)
    assert np.allclose(once, small * 3, atol=1e-2)


def test_a_mirrored_picture_is_the_picture_mirrored():
    how = Augmentation(area=1.0, aspect=1.0, jitter=0.0)
    left, right = (augmented(window(), draws(flip=flip), 12, how) for flip in (0.9, 0.1))
    assert np.allclose(left[:, :, ::-1], right, atol=1e-2)


def test_mirrored_flow_changes_the_sign_of_x_alone():
    how = Augmentation(area=1.0, aspect=1.0)
    left, right = (augmented(flow_window(), draws(flip=flip), 12, how) for flip in (0.9, 0.1))
    assert np.allclose(left[:, :, ::-1] * [-1, 1], right, atol=1e-2)


def test_nothing_is_mirrored_if_flip_is_off():
    assert np.allclose(
        augmented(window(), draws(flip=0.1), 12, PLAIN), centred(window(), 12), atol=0.1
    )


def test_all_frames_get_the_same_crop_and_colour():
    given = window()
    given["pictures"] = tf.repeat(given["pictures"][:1], 4, axis=0)
    x = augmented(given, draws(top=0.2, left=0.9, area=0.1, saturation=0.9), 12, Augmentation())
    assert np.ptp(x, axis=0).max() < 1e-3


@pytest.mark.parametrize("corner", [(0.0, 0.0), (0.999, 0.999)])
def test_crops_stay_inside_the_picture(corner):
    given = {"pictures": tf.fill([2, 12, 16, 3], tf.constant(200, tf.uint8))}
    how = Augmentation(area=0.3, aspect=3.0, jitter=0.0)
    for aspect in (0.0, 0.999):
        drawn = draws(top=corner[0], left=corner[1], aspect=aspect, area=corner[0])
        assert np.allclose(augmented(given, drawn, 12, how), 200, atol=0.1)


def test_brightness_moves_the_mean_and_contrast_keeps_it():
    how = Augmentation(area=1.0, aspect=1.0, flip=False, jitter=0.2)
    plain = tf.constant(100 + np.arange(4 * 12 * 16 * 3).reshape(4, 12, 16, 3) % 50, tf.uint8)
    mean = float(tf.reduce_mean(centred({"pictures": plain}, 12)))
    brighter = augmented({"pictures": plain}, draws(brightness=1.0), 12, how)
    harder = augmented({"pictures": plain}, draws(contrast=1.0), 12, how)
    assert float(tf.reduce_mean(brighter)) == pytest.approx(1.2 * mean, rel=1e-3)
    assert float(tf.reduce_mean(harder)) == pytest.approx(mean, rel=1e-3)
    assert np.std(harder) == pytest.approx(1.2 * np.std(centred({"pictures": plain}, 12)), rel=1e-3)


def test_without_saturation_all_channels_are_alike():
    how = Augmentation(area=1.0, aspect=1.0, flip=False, jitter=1.0)
    x = augmented(window(), draws(saturation=0.0), 12, how)
    assert np.ptp(x, axis=-1).max() < 1e-2


def test_colours_stay_in_range():
    x = augmented(window(), draws(brightness=1.0, contrast=1.0), 12, Augmentation(jitter=0.9))
    assert x.numpy().min() >= 0
    assert x.numpy().max() <= 255


@pytest.mark.parametrize("crop", [7, 8, 12])
def test_colours_change_alike_in_every_pixel(crop):
    picture = tf.fill([4, 12, 16, 3], tf.constant(0, tf.uint8)) + tf.constant(
        [90, 20, 40], tf.uint8
    )
    x = augmented({"pictures": picture}, draws(saturation=0.9), crop, Augmentation())
    assert np.ptp(x, axis=(0, 1, 2)).max() < 1e-3
    assert x[0, 0, 0, 0] > x[0, 0, 0, 2] > x[0, 0, 0, 1]


def test_hue_turns_colours_and_keeps_greys():
    how = Augmentation(area=1.0, aspect=1.0, flip=False, jitter=0.0, hue=2 / 3)

    def turned(colour):
        picture = tf.fill([4, 12, 16, 3], tf.constant(0, tf.uint8)) + tf.constant(colour, tf.uint8)
        return augmented({"pictures": picture}, draws(hue=1.0), 12, how)[0, 0, 0].numpy()

    assert np.allclose(turned([80, 80, 80]), 80, atol=0.1)
    assert np.allclose(sorted(turned([200, 50, 50])), [50, 50, 200], atol=0.5)
    assert turned([200, 50, 50])[0] < 51


def test_a_share_of_windows_is_grey():
    how = Augmentation(area=1.0, aspect=1.0, flip=False, grey=0.3)
    assert np.ptp(augmented(window(), draws(grey=0.2), 12, how), axis=-1).max() < 1e-2
    assert np.ptp(augmented(window(), draws(grey=0.4), 12, how), axis=-1).max() > 10
