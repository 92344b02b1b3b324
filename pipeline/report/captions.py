"""Captions on the frames of a video: what each window shows, as names with bars."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.inference.answers import NONE, ranked
from pipeline.report import figures  # noqa: F401 - its fonts, which show names in any script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from pipeline.inference.classifier import Answer, Judgement
    from pipeline.video.colour import Picture

_ROWS = 3  # classes that are shown
_ROW = 0.065  # height of a row, as a share of the picture's
_LEAST = 16  # pixels of a row
_TEXT = 0.62  # height of letters, as a share of a row's
_DPI = 72  # a point is a pixel
_SHADE = (0.0, 0.0, 0.0, 0.55)  # behind the rows
_FIRST, _OTHERS, _NONE = "#1f77b4", "#5a6570", "#b35c00"


class _Row(NamedTuple):
    text: str
    share: float  # of the width that its bar takes
    colour: str


class Captions:
    """Draws on each frame what the window nearest to its time shows."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        middles = np.asarray([(window.start + window.end) / 2 for window in answer.windows])
        self._turns = (middles[1:] + middles[:-1]) / 2
        # Frames come in order: the strip of a window is drawn but once.
        self._strip = lru_cache(maxsize=1)(self._drawn)

    def draw(self, picture: Picture, time: float) -> Picture:
        """The picture (blue, green, red) with the likeliest classes over its lower edge."""
        height, width = picture.shape[:2]
        window = int(np.searchsorted(self._turns, time, side="right"))
        strip = self._strip(window, width, height)
        captioned = picture.copy()
        below = captioned[height - len(strip) :]
        share = strip[..., 3:] / 255
        below[:] = np.rint(below * (1 - share) + strip[..., 2::-1] * share)
        return captioned

    def _drawn(self, window: int, width: int, height: int) -> NDArray[np.float32]:
        rows = _rows(self._answer.windows[window].judgement, self._answer.classes)
        return _strip(rows, width, row=min(max(_LEAST, round(_ROW * height)), height // len(rows)))


def _rows(judgement: Judgement, classes: Sequence[str]) -> list[_Row]:
    named = ranked(judgement, classes)[:_ROWS]
    rows = [_Row(f"{100 * share:.0f} %  {name}", share, _OTHERS) for name, share in named]
    if judgement.is_stranger:
        return [_Row(NONE, 1.0, _NONE), *rows[: _ROWS - 1]]
    return [rows[0]._replace(colour=_FIRST), *rows[1:]]


def _strip(rows: Sequence[_Row], width: int, *, row: int) -> NDArray[np.float32]:
    """The rows as a picture [height, width, 4]: red, green, blue, and how far it covers, 0-255."""
    height = row * len(rows)
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=_SHADE)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(len(rows), 0))
    axes.axis("off")
    for number, each in enumerate(rows):
        _draw_row(axes, number, each, width=width, size=_TEXT * row)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        canvas.draw()
    return np.asarray(canvas.buffer_rgba(), np.float32)[:height, :width]


def _draw_row(axes: Axes, number: int, row: _Row, *, width: int, size: float) -> None:
    axes.barh(number + 0.5, row.share * width, height=0.86, color=row.colour)
    axes.text(size / 2, number + 0.5, row.text, color="white", fontsize=size, va="center_baseline")
