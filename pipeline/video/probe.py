"""Decode a clip once from end to end, to learn whether it is whole and how long it truly is."""

import ctypes
import math
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cv2
from cv2.utils import logging

from pipeline.errors import ClipError
from pipeline.video.container import demand_whole

MIN_FRAMES = 2
MIN_SIDE = 16  # pixels
MAX_PIXELS = 1 << 26  # of a frame; a broken header may ask for gigabytes
MAX_FPS = 960.0
LOOK_EVERY = 50  # frames

# FFmpeg conceals damage and only says so, if asked to before it is first used: 16 is "errors".
os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "16"


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
    demand_whole(path)
    with _caught_output() as output:
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        try:
            return _decoded(capture, output)
        finally:
            capture.release()


def _decoded(capture: cv2.VideoCapture, output: IO[bytes]) -> Probe:
    if not capture.isOpened():
        raise ClipError("it cannot be opened as a video")
    width, height = _size(capture)
    fps = capture.get(cv2.CAP_PROP_FPS)
    if not (math.isfinite(fps) and 0 < fps <= MAX_FPS):
        raise ClipError(f"its frame rate is {fps:g}; it must be above 0 and at most {MAX_FPS:g}")
    frames = 0
    while capture.grab():
        frames += 1
        if frames % LOOK_EVERY == 0:
            _demand_silence(output, frames)
    _demand_silence(output, frames)
    if frames < MIN_FRAMES:
        raise ClipError(f"only {frames} of its frames can be decoded; at least {MIN_FRAMES} must")
    return Probe(frames=frames, fps=fps, width=width, height=height)


def _size(capture: cv2.VideoCapture) -> tuple[int, int]:
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    if min(width, height) < MIN_SIDE or width * height > MAX_PIXELS:
        raise ClipError(
            f"its frames are {width}×{height}; each side must be at least {MIN_SIDE} pixels, "
            f"and the whole at most {MAX_PIXELS}"
        )
    return width, height


@contextmanager
def _caught_output() -> Iterator[IO[bytes]]:
    """What FFmpeg writes to this process's standard output meanwhile, as a file."""
    sys.stdout.flush()
    original, level = os.dup(1), logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 1)
        try:
            yield output
        finally:
            _flush()
            os.dup2(original, 1)
            os.close(original)
            logging.setLogLevel(level)


def _flush() -> None:
    """Make OpenCV's buffered lines arrive; they are C's, which Python's own flush leaves alone."""
    ctypes.CDLL(None).fflush(None)


def _demand_silence(output: IO[bytes], frames: int) -> None:
    _flush()
    if not os.fstat(output.fileno()).st_size:
        return
    output.seek(0)
    said = re.sub(r"\[OPENCV:FFMPEG:\d+\]\s*", "", output.readline(200).decode(errors="replace"))
    raise ClipError(f"its content is damaged within the first {frames} frames: {said.strip()}")
