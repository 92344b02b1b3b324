import random

import cv2
import numpy as np
import pytest

from pipeline.errors import ClipError
from pipeline.video.probe import probe


def film(path, *, frames=30, size=(64, 48), fps=25.0, codec="XVID"):
    """Write a film of noise that moves."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, size)
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    for index in range(frames):
        writer.write(np.roll(noise, index, axis=1))
    writer.release()
    return path


@pytest.fixture
def clip(tmp_path):
    return film(tmp_path / "clip.avi")


def changed(path, change):
    path.write_bytes(bytes(change(bytearray(path.read_bytes()))))
    return path


@pytest.mark.parametrize(("suffix", "codec"), [("avi", "XVID"), ("avi", "MJPG"), ("mp4", "mp4v")])
def test_frames_are_counted_by_decoding(tmp_path, suffix, codec):
    path = film(tmp_path / f"clip.{suffix}", codec=codec)
    found = probe(path)
    assert (found.frames, found.width, found.height) == (30, 64, 48)
    assert (found.duration, found.fps) == (pytest.approx(1.2), pytest.approx(25))


def test_nothing_is_left_on_the_standard_output(clip, capfd):
    probe(clip)
    print("after")  # noqa: T201 - that it still arrives is the test
    assert capfd.readouterr().out == "after\n"


def test_one_frame_is_a_clip_in_which_nothing_moves(tmp_path):
    found = probe(film(tmp_path / "clip.avi", frames=1))
    assert (found.frames, found.duration) == (1, pytest.approx(0.04))


def test_no_frame_is_no_clip(tmp_path):
    with pytest.raises(ClipError, match="none of its frames can be decoded"):
        probe(film(tmp_path / "clip.avi", frames=0))


@pytest.mark.parametrize("size", [(8, 48), (64, 14)])
def test_a_tiny_picture_is_refused(tmp_path, size):
    with pytest.raises(ClipError, match=rf"{size[0]}×{size[1]}; each side must be at least 16"):
        probe(film(tmp_path / "clip.avi", size=size))


def test_a_header_without_a_video_is_refused(clip):
    with pytest.raises(ClipError, match="holds no video"):
        probe(changed(clip, lambda content: content.replace(b"vids", b"auds")))


@pytest.mark.parametrize("suffix", ["avi", "mp4"])
def test_a_clip_cut_short_is_refused(tmp_path, suffix):
    path = film(tmp_path / f"clip.{suffix}", codec="mp4v")
    with pytest.raises(ClipError):
        probe(changed(path, lambda content: content[: len(content) // 2]))


def test_damage_that_the_decoder_conceals_is_found(clip):
    """Zeros inside one frame: the chain of chunks is whole, and OpenCV returns every frame."""

    def zeros(content):
        start = content.index(b"00dc", len(content) // 2) + 200
        content[start : start + 300] = bytes(300)
        return content

    with pytest.raises(ClipError, match=r"damaged: parts of frame 1\d \(at 0\.\d\d s\) are lost"):
        probe(changed(clip, zeros))


def test_every_real_clip_is_fine(shared):
    clips = sorted((shared / "ucf101" / "UCF-101").rglob("*.avi"))
    for path in random.Random(0).sample(clips, 6):
        found = probe(path)
        assert (found.width, found.height) == (320, 240)
        assert found.frames > 25


def test_real_clips_broken_in_many_ways_are_refused(shared, tmp_path):
    chance = random.Random(0)
    clips = sorted((shared / "ucf101" / "UCF-101").rglob("*.avi"))

    def somewhere(content):
        return chance.randrange(10_000, len(content) - 10_000)

    def overwritten(content, new):
        start = somewhere(content)
        return content[:start] + new + content[start + len(new) :]

    ways = [
        lambda c: c[: somewhere(c)],
        lambda c: c[:-20_000],
        lambda c: overwritten(c, bytes(4096)),
        lambda c: overwritten(c, chance.randbytes(4096)),
        lambda c: bytes(4096) + c[4096:],
        lambda c: c[: somewhere(c)] + b"inserted" + c[somewhere(c) :],
        lambda c: c[: len(c) // 2] + bytes(len(c) - len(c) // 2),
        lambda c: c + c,
    ]
    for way in ways:
        path = tmp_path / "clip.avi"
        path.write_bytes(way(chance.choice(clips).read_bytes()))
        with pytest.raises(ClipError):
            probe(path)
