import cv2
import numpy as np
import pytest

from pipeline.style.temporal import (
    reliability,
    stylize_frames,
    to_image,
    to_picture,
    warp,
    warped_prior,
    warping_error,
)


def field(right, down, shape=(32, 48)):
    return np.broadcast_to(np.asarray([right, down], np.float32), (*shape, 2)).copy()


def scene(seed):
    noise = np.random.default_rng(seed).integers(0, 255, (16, 40, 3), np.uint8)
    return cv2.resize(noise, (160, 64), interpolation=cv2.INTER_CUBIC)


def moving(seed, frames=4, speed=2):
    """Frames [64, 96, 3] of a camera that moves left, so that all moves right."""
    return [np.ascontiguousarray(scene(seed)[:, 40 - speed * n :][:, :96]) for n in range(frames)]


def test_warp_fetches_each_point_from_where_the_field_leads(picture):
    image = picture(0)
    np.testing.assert_allclose(warp(image, field(3, 0))[:, :-3], image[:, 3:], atol=1e-6)
    np.testing.assert_allclose(warp(image, field(0, -2))[2:], image[:-2], atol=1e-6)


def test_half_a_pixel_is_the_mean_of_two(picture):
    image = picture(0)
    halves = (image[:, :-1] + image[:, 1:]) / 2
    np.testing.assert_allclose(warp(image, field(0.5, 0))[:, :-1], halves, atol=1e-5)


def test_all_is_reliable_where_flows_close():
    assert reliability(field(3, 1), field(-3, -1)).min() == 1


def test_occluded_points_are_not_reliable():
    forward, backward = field(2, 0), field(-2, 0)
    backward[:, 30:] = 0  # these points come from where others went
    reliable = reliability(forward, backward)
    assert reliable[:, :28].min() == 1
    assert reliable[:, 30:].max() == 0


def test_a_motion_boundary_is_not_reliable():
    backward = field(0, 0)
    backward[:, 24:] = -0.6
    assert reliability(-backward, backward)[:, 23:25].max() == 0


def test_warping_error_by_hand():
    before, after = np.zeros((2, 2, 3), np.float32), np.zeros((2, 2, 3), np.float32)
    after[0, 0] = (0.3, 0.0, 0.0)
    after[1, 1] = 1.0
    reliable = np.asarray([[1, 1], [1, 0]], np.float32)
    error = warping_error(before, after, field(0, 0, (2, 2)), reliable)
    assert error == pytest.approx(np.sqrt(0.3**2 / 3 / 3))


def test_a_picture_moved_along_has_no_warping_error(picture):
    image = picture(0)
    after = np.roll(image, 4, axis=1)
    known = np.zeros((32, 48), np.float32)
    known[:, 4:] = 1
    assert warping_error(image, after, field(-4, 0), known) == pytest.approx(0, abs=1e-6)
    assert warping_error(image, after, field(0, 0), known) > 0.05


def test_no_reliable_flow_gives_no_warping_error(picture):
    nothing = np.zeros((32, 48), np.float32)
    assert warping_error(picture(0), picture(1), field(0, 0), nothing) == 0


def test_the_prior_follows_the_motion():
    before, frame = moving(0, 2)
    prior = warped_prior(before, frame, to_image(before))
    assert prior.reliable.mean() > 0.7
    inner = (slice(8, -8), slice(8, -8))
    gone = np.abs(prior.warped - to_image(frame))[inner].mean()
    assert gone < 0.3 * np.abs(to_image(before) - to_image(frame))[inner].mean()


def test_a_scene_cut_has_no_prior():
    assert warped_prior(moving(0)[0], moving(1)[0], to_image(moving(0)[0])) is None


def test_frames_are_stylized_with_a_prior_except_after_a_scene_cut():
    priors = []

    def stylize(frame, prior):
        priors.append(prior)
        return 1 - frame

    frames = moving(0, 3) + moving(1, 2)
    stylized = list(stylize_frames(frames, stylize))
    assert [prior is None for prior in priors] == [True, False, False, True, False]
    np.testing.assert_allclose(stylized[1], 255 - frames[1])


def test_frames_are_asked_for_one_by_one():
    taken = []

    def film():
        for number, frame in enumerate(moving(0, 4)):
            taken.append(number)
            yield frame

    next(stylize_frames(film(), lambda frame, prior: frame))
    assert taken == [0]


def test_one_frame_is_enough():
    assert len(list(stylize_frames(moving(0, 1), lambda frame, prior: frame))) == 1


def test_pictures_are_equal_after_conversion_to_images_and_back():
    frame = moving(0)[0]
    np.testing.assert_array_equal(to_picture(to_image(frame)), frame)
    assert to_image(np.asarray([[[255, 0, 0]]], np.uint8)).tolist() == [[[0, 0, 1]]]
