"""Pictures redrawn with brush strokes: style images for data sets that have none.

Coarse strokes, then finer ones, along the edges (Hertzmann, "Painterly rendering with curved brush
strokes of multiple sizes", 1998, with straight ones).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.video.decode import Picture

BRUSHES = (7, 4)  # stroke widths, in pixels of a picture `SIDE` high
SIDE = 96
# Blue, green, red: night, sky, straw, cream, rust, grass.
PALETTE = np.array(
    [(96, 40, 16), (200, 130, 50), (60, 190, 235), (200, 235, 245), (40, 70, 190), (60, 120, 70)],
    np.float32,
)


def brush_strokes(picture: Picture, *, seed: int) -> Picture:
    """`picture` (blue, green, red) with strokes in the colours of PALETTE."""
    random = np.random.default_rng(seed)
    scale = max(picture.shape[0] / SIDE, 1)
    canvas = cv2.blur(picture, (15, 15))
    for brush in BRUSHES:
        _brush(canvas, picture, max(2, round(brush * scale)), random)
    return np.asarray(canvas)


def _brush(canvas: Picture, picture: Picture, width: int, random: np.random.Generator) -> None:
    """Cover the canvas with strokes that are three times as long as `width`."""
    colours = _on_palette(cv2.blur(picture, (width, width)))
    angles = _along_edges(picture, width)
    rows, columns = np.mgrid[: picture.shape[0] : width, : picture.shape[1] : width]
    points = np.stack([columns.ravel(), rows.ravel()], axis=1)
    for x, y in random.permutation(points):
        right, down = 1.5 * width * np.cos(angles[y, x]), 1.5 * width * np.sin(angles[y, x])
        ends = (round(x - right), round(y - down)), (round(x + right), round(y + down))
        colour = (colours[y, x] + random.normal(0, 12, 3)).clip(0, 255)
        cv2.line(canvas, *ends, colour.tolist(), width, cv2.LINE_AA)


def _on_palette(picture: Picture) -> NDArray[np.float32]:
    """The mean of each colour and the nearest one of the palette."""
    gaps = np.linalg.norm(picture[:, :, None] - PALETTE, axis=-1)
    return np.asarray((picture + PALETTE[gaps.argmin(axis=-1)]) / 2, np.float32)


def _along_edges(picture: Picture, width: int) -> NDArray[np.float32]:
    """Angles along edges; slowly varying ones where there is no gradient."""
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (0, 0), width)
    right, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    rows, columns = np.indices(grey.shape, np.float32)
    swirl = np.sin(columns / (6 * width)) + np.cos(rows / (6 * width))
    flat = np.hypot(right, down) < 2
    return np.asarray(np.where(flat, swirl, np.arctan2(right, -down)), np.float32)
