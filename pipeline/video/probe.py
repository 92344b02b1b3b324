"""Decode a clip once from end to end, to learn whether it is whole and how long it truly is."""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2

from pipeline.errors import ClipError

MIN_FRAMES = 2
MIN_SIDE = 16
MAX_PIXELS = 1 << 26
MAX_FPS = 1000.0


@dataclass(frozen=True)
class Probe:
    """What decoding a clip in order showed."""

    frames: int
    fps: float
    width: int
    height: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.frames / self.fps


def probe(path: Path) -> Probe:
    """Decode all of `path`; a ClipError says why it cannot be used."""
    if not path.stat().st_size:
        raise ClipError("the file is empty")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise ClipError("not a video that can be opened")
        return _decoded(capture)
    finally:
        capture.release()


def _decoded(capture: cv2.VideoCapture) -> Probe:
    width, height = _size(capture)
    fps = capture.get(cv2.CAP_PROP_FPS)
    if not (math.isfinite(fps) and 0 < fps <= MAX_FPS):
        raise ClipError(f"its frame rate is {fps:g}; it must be above 0 and at most {MAX_FPS:g}")
    frames = 0
    while capture.grab():
        frames += 1
    if frames < MIN_FRAMES:
        raise ClipError(f"only {frames} of its frames can be decoded; at least {MIN_FRAMES} must")
    return Probe(frames=frames, fps=fps, width=width, height=height)


def _size(capture: cv2.VideoCapture) -> tuple[int, int]:
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    if min(width, height) < MIN_SIDE or width * height > MAX_PIXELS:
        raise ClipError(
            f"its frames are {width}×{height}; each side must be at least {MIN_SIDE} pixels, "
            f"and the whole at most {MAX_PIXELS} pixels"
        )
    return width, height
