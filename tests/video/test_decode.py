import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ClipError
from pipeline.params import Extract
from pipeline.video.decode import first_frames, sample_clip, sample_times


def settings(**changes):
    given = {"fps": 8.0, "max_frames": 64, "width": 32, "height": 24}
    return Extract(**given | {"jpeg_quality": 90, "shards": 4} | changes)


@given(duration=st.floats(0.01, 2000), rate=st.floats(1, 60), limit=st.integers(2, 100))
def test_sample_times_are_a_grid_within_the_clip(duration, rate, limit):
    times = sample_times(duration, rate=rate, limit=limit)
    assert 1 <= len(times) <= limit
    assert 0 <= times[0] <= times[-1] < duration
    assert np.allclose(np.diff(times), 1 / rate)
    left, right = times[0], duration - times[-1]
    assert abs(left - right) <= 2 / rate + 1e-5
    if len(times) < limit:
        assert left == 0
        assert right <= 1 / rate + 1e-5


@pytest.mark.parametrize(("duration", "count"), [(0.9, 9), (0.91, 10), (1.0, 10), (1.0000001, 10)])
def test_a_time_at_the_very_end_is_no_sample(duration, count):
    times = sample_times(duration, rate=10, limit=64)
    assert times.tolist() == [n / 10 for n in range(count)]


def test_a_long_clip_gives_its_middle():
    assert sample_times(100, rate=10, limit=100).tolist() == [n / 10 for n in range(450, 550)]
    assert sample_times(0.7, rate=10, limit=4).tolist() == [0.1, 0.2, 0.3, 0.4]


def test_kept_frames_are_those_that_a_player_shows(film, tmp_path):
    clip = film(tmp_path / "clip.avi", frames=30, fps=20.0, width=32, height=24)
    sampled = sample_clip(clip, duration=1.5, settings=settings())
    shown = [0, 2, 5, 7, 10, 12, 15, 17, 20, 22, 25, 27]
    every = np.stack(first_frames(clip, 30))
    assert np.abs(sampled.frames.astype(int) - every[shown]).max() <= 2
    assert sampled.times.tolist() == pytest.approx([n / 20 for n in shown])


def test_repeated_frames_are_kept_as_often_as_asked(film, tmp_path):
    clip = film(tmp_path / "slow.avi", frames=3, fps=2.0)
    sampled = sample_clip(clip, duration=1.5, settings=settings(fps=4.0))
    assert sampled.times.tolist() == [0.0, 0.0, 0.5, 0.5, 1.0, 1.0]
    assert np.array_equal(sampled.frames[2], sampled.frames[3])
    assert not np.array_equal(sampled.frames[1], sampled.frames[2])


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (200, 40), (16, 16)])
def test_any_shape_is_scaled_to_cover_the_stored_size(film, tmp_path, size):
    clip = film(tmp_path / "clip.avi", frames=4, width=size[0], height=size[1])
    sampled = sample_clip(clip, duration=0.16, settings=settings())
    assert sampled.frames.shape[1:] == (24, 32, 3)


def test_a_wide_clip_keeps_its_middle(tmp_path):
    path = tmp_path / "wide.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 8.0, (96, 24))
    frame = np.zeros((24, 96, 3), np.uint8)
    frame[:, 32:64] = 255
    for _ in range(3):
        writer.write(frame)
    writer.release()
    sampled = sample_clip(path, duration=0.375, settings=settings())
    assert sampled.frames[:, :, 4:-4].mean() > 240


def test_a_file_that_is_no_video_is_refused(tmp_path):
    path = tmp_path / "words.avi"
    path.write_text("not a video")
    with pytest.raises(ClipError, match="begins like no video"):
        sample_clip(path, duration=0.4, settings=settings())


def test_a_clip_that_ends_early_says_where(film, tmp_path):
    clip = film(tmp_path / "short.avi", frames=10, fps=8.0)
    with pytest.raises(ClipError, match=r"stops before the frame at 1.25 s of the 2.5 s"):
        sample_clip(clip, duration=2.5, settings=settings())
