import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ClipError
from pipeline.params import Extract
from pipeline.video.decode import sample_clip, sample_indices


def settings(**changes):
    given = {"fps": 8.0, "max_frames": 64, "width": 32, "height": 24}
    return Extract(**given | {"jpeg_quality": 90, "shards": 4} | changes)


@given(
    frames=st.integers(1, 2000),
    fps=st.floats(1, 120),
    rate=st.floats(1, 60),
    limit=st.integers(2, 100),
)
def test_samples_lie_within_half_a_frame_of_their_time(frames, fps, rate, limit):
    indices = sample_indices(frames, fps, rate=rate, limit=limit)
    assert 1 <= len(indices) <= limit
    assert indices[0] >= 0
    assert indices[-1] < frames
    spacing = (indices - indices[0]) / fps - np.arange(len(indices)) / rate
    assert np.abs(spacing).max() <= 1.0 / fps + 1e-6


@pytest.mark.parametrize("fps", [12.5, 25.0, 29.97, 60.0])
def test_a_second_gives_as_many_samples_at_any_frame_rate(fps):
    assert len(sample_indices(round(4 * fps), fps, rate=8, limit=64)) == 32


def test_a_long_clip_gives_its_middle():
    indices = sample_indices(1000, 10.0, rate=10, limit=100)
    assert indices.tolist() == list(range(450, 550))


def test_a_slow_clip_repeats_its_frames():
    assert sample_indices(3, 2.0, rate=4, limit=9).tolist() == [0, 1, 1, 2, 2]


def test_kept_frames_are_those_that_plain_decoding_gives(film, tmp_path):
    clip = film(tmp_path / "clip.avi", frames=30, fps=24.0, width=32, height=24)
    sampled = sample_clip(clip, frames=30, fps=24.0, settings=settings())
    capture = cv2.VideoCapture(str(clip))
    every = np.stack([capture.read()[1] for _ in range(30)])
    assert np.array_equal(sampled.frames, every[::3])
    assert sampled.times.tolist() == pytest.approx(np.arange(0, 30, 3) / 24.0)


def test_repeated_frames_are_decoded_once_and_kept_as_often_as_asked(film, tmp_path):
    clip = film(tmp_path / "slow.avi", frames=3, fps=2.0)
    sampled = sample_clip(clip, frames=3, fps=2.0, settings=settings(fps=4.0))
    assert len(sampled.frames) == len(sampled.times) == 5
    assert np.array_equal(sampled.frames[1], sampled.frames[2])


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (200, 40), (16, 16)])
def test_any_shape_is_scaled_to_cover_the_stored_size(film, tmp_path, size):
    clip = film(tmp_path / "clip.avi", frames=4, width=size[0], height=size[1])
    sampled = sample_clip(clip, frames=4, fps=25.0, settings=settings())
    assert sampled.frames.shape[1:] == (24, 32, 3)


def test_a_wide_clip_keeps_its_middle(tmp_path):
    path = tmp_path / "wide.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 8.0, (96, 24))
    frame = np.zeros((24, 96, 3), np.uint8)
    frame[:, 32:64] = 255
    for _ in range(3):
        writer.write(frame)
    writer.release()
    sampled = sample_clip(path, frames=3, fps=8.0, settings=settings())
    assert sampled.frames[:, :, 4:-4].mean() > 240


def test_a_file_that_is_no_video_is_refused(tmp_path):
    path = tmp_path / "words.avi"
    path.write_text("not a video")
    with pytest.raises(ClipError, match="cannot open it"):
        sample_clip(path, frames=10, fps=25.0, settings=settings())


def test_a_clip_that_ends_early_says_at_which_frame(film, tmp_path):
    clip = film(tmp_path / "short.avi", frames=10, fps=8.0)
    with pytest.raises(ClipError, match="stops before frame 10 of the 20"):
        sample_clip(clip, frames=20, fps=8.0, settings=settings())
