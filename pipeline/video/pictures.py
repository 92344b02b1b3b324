"""Pictures of clips for people: flow in colours, contact sheets, animations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from pipeline.files import written_aside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.video.colour import Picture
    from pipeline.video.flow import Fields

# The wheel of Baker et al., "A database and evaluation methodology for optical flow" (2011): how
# many of its 55 steps lead from each of these colours (red, green, blue) to the next.
_STEPS = (15, 6, 4, 11, 13, 6)
_HUES = ((1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 0, 0))


def flow_colours(fields: Fields, *, largest: float | None = None) -> Picture:
    """Fields [..., 2] as colours [..., 3] (blue, green, red): direction is hue, speed saturation.

    White stands still; full colour moves `largest` pixels, or as fast as anything in `fields`.
    """
    right, down = fields[..., 0], fields[..., 1]
    speed = np.hypot(right, down)
    share = np.minimum(speed / max(largest or float(speed.max()), 1e-3), 1.0)[..., None]
    turn = (np.arctan2(-down, -right) / np.pi + 1) / 2 * sum(_STEPS)
    corners = np.cumsum((0, *_STEPS))
    hue = np.stack([np.interp(turn, corners, channel) for channel in zip(*_HUES, strict=True)], -1)
    return np.asarray(np.rint(255 * (1 - share * (1 - hue[..., ::-1]))), np.uint8)


def contact_sheet(pictures: Sequence[Picture] | Picture, *, columns: int) -> Picture:
    """Pictures of one size in rows of `columns`; what is left of the last row is white."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows, columns, height, width, 3), 255, np.uint8)
    sheet.reshape(-1, height, width, 3)[: len(pictures)] = pictures
    return sheet.swapaxes(1, 2).reshape(rows * height, columns * width, 3)


def write_picture(path: Path, picture: Picture) -> None:
    """A picture of the kind that the suffix says; OpenCV's own writer is silent on a full disk."""
    with written_aside(path) as aside:
        aside.write_bytes(bytes(cv2.imencode(path.suffix, picture)[1]))


def write_animation(path: Path, pictures: Sequence[Picture] | Picture, *, fps: float) -> None:
    """An endless animation; the suffix says which kind (.gif, .webp, .png)."""
    animation = cv2.Animation()
    animation.frames = list(pictures)
    animation.durations = [round(1000 / fps)] * len(pictures)
    if not cv2.imwriteanimation(str(path), animation):
        raise OSError(f"{path} could not be written; look for free space and the right to write")
