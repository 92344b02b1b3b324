"""Decode a clip once, in order, and keep the frames that fall on a fixed rate in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ClipError

if TYPE_CHECKING:
    from pipeline.params import Extract

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Sampled:
    """The frames kept of a clip."""

    times: NDArray[np.float32]  # [N] seconds from the clip's start
    frames: Picture  # [N, height, width, 3], OpenCV's blue, green, red


def sample_indices(frames: int, fps: float, *, rate: float, limit: int) -> NDArray[np.int64]:
    """Indices of the frames nearest to each 1/`rate` s; of more than `limit`, the middle ones.

    An index repeats where the clip has fewer frames a second than are asked for.
    """
    count = int((frames - 1) / fps * rate + 1e-6) + 1
    start = max(0, (count - limit) // 2)
    ticks = np.arange(start, start + min(count, limit))
    nearest: NDArray[np.float64] = np.floor(ticks * fps / rate + 0.5).clip(max=frames - 1)
    return nearest.astype(np.int64)


def sample_clip(path: Path, *, frames: int, fps: float, settings: Extract) -> Sampled:
    """Decode the clip of `frames` frames at `path` and keep what `settings` asks for.

    Holds one decoded frame at a time beside those kept at the stored size. Raises ClipError if
    the clip does not open or ends before its last sampled frame.
    """
    indices = sample_indices(frames, fps, rate=settings.fps, limit=settings.max_frames)
    try:
        kept = [_fit(frame, settings.width, settings.height) for frame in _decode(path, indices)]
    except cv2.error as error:
        raise ClipError(f"OpenCV cannot decode it ({error.err})") from error
    unique, repeats = np.unique(indices, return_counts=True)
    if len(kept) < len(unique):
        raise ClipError(
            f"decoding stops before frame {unique[len(kept)]} of the {frames} that the "
            "catalogue counted; restore the file, or run the stage subset again"
        )
    return Sampled((indices / fps).astype(np.float32), np.repeat(np.stack(kept), repeats, axis=0))


def first_frames(path: Path, count: int) -> list[Picture]:
    """The first `count` frames of a clip, or all if it has fewer, as they are."""
    return list(_decode(path, np.arange(count)))


def _decode(path: Path, indices: NDArray[np.int64]) -> Iterator[Picture]:
    """The frames at `indices` (ascending); those between are decoded but never converted."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        raise ClipError("OpenCV cannot open it; restore the file")
    wanted = set(indices.tolist())
    try:
        for index in range(int(indices[-1]) + 1):
            if not capture.grab():
                return
            if index in wanted:
                yield capture.retrieve()[1]
    finally:
        capture.release()


def _fit(frame: Picture, width: int, height: int) -> Picture:
    """Scale a frame of any shape to cover `width` × `height`, and cut away what hangs over."""
    rows, columns = frame.shape[:2]
    scale = max(width / columns, height / rows)
    inner_width, inner_height = round(width / scale), round(height / scale)
    left, top = (columns - inner_width) // 2, (rows - inner_height) // 2
    inner = frame[top : top + inner_height, left : left + inner_width]
    return np.asarray(cv2.resize(inner, (width, height), interpolation=cv2.INTER_AREA))
