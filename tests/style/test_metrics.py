import cv2
import numpy as np
import pytest

from pipeline.style.features import load_features
from pipeline.style.metrics import evaluate_video, mean_warping_error
from pipeline.style.perceptual import PerceptualLoss
from pipeline.style.temporal import to_image


@pytest.fixture(scope="module")
def clip():
    """A scene that moves right by two pixels a frame."""
    noise = np.random.default_rng(0).integers(40, 200, (8, 20, 3), np.uint8)
    scene = cv2.resize(noise, (160, 48), interpolation=cv2.INTER_CUBIC)
    return [np.ascontiguousarray(scene[:, 40 - 2 * n :][:, :64]) for n in range(4)]


@pytest.fixture(scope="module")
def loss(own_weights, clip):
    return PerceptualLoss(load_features(own_weights), to_image(clip[0]))


def test_an_unchanged_clip_has_no_content_distance_and_no_drift(clip, loss):
    metrics = evaluate_video(clip, clip, loss)
    assert metrics.warping_error < 0.03
    assert metrics.content_distance == pytest.approx(0, abs=1e-6)
    assert metrics.colour_drift == 0
    assert (
        metrics.gram_distance
        < evaluate_video(clip, [255 - frame for frame in clip], loss).gram_distance
    )


def test_flicker_is_warping_error(clip):
    random = np.random.default_rng(1)
    flickering = [np.clip(frame + random.normal(0, 30), 0, 255).astype(np.uint8) for frame in clip]
    assert mean_warping_error(clip, flickering) > 3 * mean_warping_error(clip, clip)


def test_a_growing_tint_is_colour_drift(clip, loss):
    tinted = [frame + np.uint8([0, 0, 10 * n]) for n, frame in enumerate(clip)]
    assert evaluate_video(clip, tinted, loss).colour_drift == pytest.approx(30 / 255, abs=0.001)


def test_fading_content_is_content_drift(clip, loss):
    faded = [frame // (n + 2) for n, frame in enumerate(clip)]
    assert evaluate_video(clip, faded, loss).content_drift > 1.1
