"""Flicker of whole files: none where the style moves with the picture, some where it does not."""

import cv2
import numpy as np
import pytest

from pipeline.style.flicker import flicker
from pipeline.video.write import rewrite


@pytest.fixture
def original(film, tmp_path):
    return film(tmp_path / "clip.avi", frames=6, width=96, height=64, speed=2)


def stylized(original, change):
    path = original.with_name("stylized.mp4")
    rewrite(original, path, lambda frames: map(change, frames))
    return flicker(original, path, size=96)


def test_a_style_that_moves_with_the_picture_does_not_flicker(original):
    assert stylized(original, lambda frame: 255 - frame) < 0.03


def test_a_style_that_changes_from_frame_to_frame_does(original):
    shades = iter(range(0, 240, 40))
    assert stylized(original, lambda frame: np.full_like(frame, next(shades))) == pytest.approx(
        40 / 255, abs=0.02
    )


def test_it_is_measured_at_the_size_given(original, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "pipeline.style.flicker.warping_error",
        lambda before, *_: seen.append(before.shape) or 0.0,
    )
    flicker(original, original, size=48)
    assert set(seen) == {(32, 48, 3)}


def test_a_rotated_original_is_measured_upright(shared, tmp_path):
    original, result = shared / "reports/rotated_90.mp4", tmp_path / "stylized.mp4"
    rewrite(original, result, lambda frames: (255 - frame for frame in frames))
    upright = flicker(result, result, size=96)
    assert flicker(original, result, size=96) == pytest.approx(upright, rel=0.1)


def test_a_video_of_scene_cuts_alone_has_no_value(tmp_path):
    path = tmp_path / "cuts.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (96, 64))
    for seed in range(3):
        noise = np.random.default_rng(seed).integers(0, 255, (8, 12, 3), np.uint8)
        writer.write(cv2.resize(noise, (96, 64), interpolation=cv2.INTER_CUBIC))
    writer.release()
    assert flicker(path, path, size=96) is None
