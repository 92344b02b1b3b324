"""Decode a clip once from end to end, to learn whether it is whole and how long it truly is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from av.video.frame import VideoFrame

from pipeline.errors import ClipError
from pipeline.video.container import validate_container
from pipeline.video.decode import TimedFrame, Video, open_video

MIN_SIDE = 16  # pixels


@dataclass(frozen=True)
class Probe:
    """What decoding a clip in order showed."""

    frames: int
    duration: float  # seconds, from the first frame's start to the last one's end
    width: int  # pixels, as a player shows it: upright, and with square pixels
    height: int

    @property
    def fps(self) -> float:
        """Frames per second, on average: the times between them may vary."""
        return self.frames / self.duration


def probe(path: Path) -> Probe:
    """Decode all of `path`; a ClipError says why it cannot be used, or what of it is lost."""
    validate_container(path)
    frames, width, height = 0, 0, 0
    with open_video(path) as video:
        for shown in intact_frames(video):
            if not frames:
                width, height = video.size(shown.frame)
                video.picture(shown.frame)  # whether its colours are supported
            frames += 1
    return Probe(frames=frames, duration=shown.end, width=width, height=height)


def intact_frames(video: Video) -> Iterator[TimedFrame]:
    """All frames in order; a ClipError at the first that is lost, or if there is none."""
    number = 0
    for shown in video.frames():
        if not number:
            _demand_size(video, shown.frame)
        _demand_intact(video, shown, number)
        yield shown
        number += 1
    _demand_no_losses(video, number)
    if not number:
        raise ClipError("none of its frames can be decoded")


def _demand_size(video: Video, frame: VideoFrame) -> None:
    width, height = video.size(frame)
    if min(width, height) < MIN_SIDE:
        raise ClipError(
            f"its frames are {width}×{height}; each side must be at least {MIN_SIDE} pixels"
        )


def _demand_intact(video: Video, shown: TimedFrame, number: int) -> None:
    if shown.frame.is_corrupt:
        raise ClipError(
            f"its content is damaged: parts of frame {number} (at {shown.start:.2f} s) are lost"
        )
    _demand_no_losses(video, number)


def _demand_no_losses(video: Video, frames: int) -> None:
    if video.losses:
        raise ClipError(
            f"its content is damaged within the first {frames + 1} frames: {video.losses[0]}"
        )
