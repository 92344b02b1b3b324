"""Frames of videos as training sees them, made by a thread of their own."""

import threading

import numpy as np
import pytest

from pipeline.errors import ClipError
from pipeline.inference.frames import ahead, picture_steps, video_steps
from pipeline.shards.build import Clip, extract_clip
from pipeline.video.flow import byte_planes, decode_jpeg
from tests.inference.example import SAMPLING


def test_steps_are_what_extraction_stores(film, tmp_path, how):
    path = film(tmp_path / "clip.avi", frames=30)
    record = extract_clip(Clip("a/clip", "a", path, "0" * 64, 30 / 25), how)
    steps = list(video_steps(path, SAMPLING, {"rgb", "flow"}))
    assert len(steps) == len(record.frames) == 10
    for step, frame, field, scale in zip(
        steps, record.frames, record.flow, record.flow_scale, strict=True
    ):
        assert np.array_equal(step["rgb"].pixels, decode_jpeg(frame)[..., ::-1])
        assert np.array_equal(step["flow"].pixels, byte_planes(field))
        assert step["flow"].scale == scale


def test_only_the_streams_that_are_asked_for_are_made(film, tmp_path):
    path = film(tmp_path / "clip.avi", frames=5)
    assert [set(step) for step in video_steps(path, SAMPLING, {"flow"})] == [{"flow"}] * 2


def test_a_picture_that_stands_alone_does_not_move():
    picture = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    (step,) = picture_steps([picture], SAMPLING, {"flow"})
    assert np.ptp(step["flow"].pixels) <= 1


def test_a_long_video_is_not_held(film, tmp_path):
    path = film(tmp_path / "clip.avi", frames=500)
    assert sum(1 for _ in video_steps(path, SAMPLING, {"rgb"})) == 160


def test_a_damaged_video_is_refused(film, tmp_path):
    path = film(tmp_path / "clip.avi", frames=30)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(ClipError, match="cut off"):
        list(video_steps(path, SAMPLING, {"rgb"}))


def test_items_come_in_order_from_another_thread():
    def items():
        yield threading.current_thread()
        yield from range(100)

    with ahead(items(), limit=3) as made:
        first, *rest = made
    assert first is not threading.current_thread()
    assert rest == list(range(100))


def test_an_error_is_raised_where_the_items_are_taken():
    def items():
        yield 1
        raise ClipError("lost")

    with ahead(items()) as made:
        assert next(made) == 1
        with pytest.raises(ClipError, match="lost"):
            next(made)


def test_items_that_are_no_longer_wanted_are_not_made():
    asked = []
    with ahead((asked.append(number) for number in range(10**9)), limit=2) as made:
        next(made)
    assert len(asked) < 10
    assert not [each for each in threading.enumerate() if each.name.endswith("(_make)")]
