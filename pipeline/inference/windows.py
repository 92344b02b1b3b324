"""Windows of a stream of frames, cut as evaluation cuts them from records; NumPy alone."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    from pipeline.inference.card import Card
    from pipeline.params import Stream
    from pipeline.shards.windows import WindowSpec


HELD = 3  # records: as much of a video is held at once


class Frame(NamedTuple):
    """A sampled frame of one stream, as a record holds it once its JPEG is decoded."""

    pixels: NDArray[np.uint8]  # [H, W, C]: red, green, blue; or flow to the right and down, coded
    scale: float = 1.0  # of flow: the pixels that a byte stands for


if TYPE_CHECKING:
    Step: TypeAlias = Mapping[Stream, Frame]  # what is known of one sampled time


class Window(NamedTuple):
    """Some steps of a video, which networks see at once."""

    start: float  # seconds, of the first step
    end: float  # when the last step ends
    steps: Sequence[Step]
    turned: bool  # whether networks see its mirror image

    def pixels(self, spec: WindowSpec) -> NDArray[np.float32]:
        """What a network sees, [T, crop, crop, C], as `shards.loader.evaluation_windows` has it."""
        frames = [step[spec.stream] for step in self.steps]
        x = centred(np.stack([frame.pixels for frame in frames]), spec.crop)
        if spec.stream == "flow":
            scales = np.asarray([frame.scale for frame in frames], np.float32)
            x = _in_pixels(x, scales, zoom=spec.crop / min(frames[0].pixels.shape[:2]))
        return mirrored(x) if self.turned else x


@dataclass(frozen=True)
class Coverage:
    """Which windows of a video are classified.

    Of up to `limit` frames, which a record holds, those of evaluation: `windows` from start to end.
    A longer video has windows at the distance that they have in a full record: up to HELD records,
    outward from its middle, which is what its record would hold; else from its start. Every second
    one is mirrored.
    """

    spec: WindowSpec
    windows: int
    limit: int

    @classmethod
    def of(cls, card: Card) -> Coverage:
        """As the network of this card was evaluated."""
        return cls(card.window, card.windows, card.sampling.max_frames)

    def cut(self, steps: Iterable[Step]) -> Iterator[Window]:
        """The windows of a stream, each as soon as its last step is there.

        The first ones wait until it is known how the length compares with a record's.
        """
        coming = iter(steps)
        held = list(islice(coming, HELD * self._record + 1))
        count = len(held)
        if count <= self._record:
            yield from self._of_record(held)
        elif count <= HELD * self._record:
            yield from self._of_stream(held, lead=(count - self.limit) // 2)
        else:
            yield from self._of_stream(chain(held, coming), lead=0)

    def _of_record(self, steps: Sequence[Step]) -> Iterator[Window]:
        if not steps:
            return
        for number, indices in enumerate(self.spec.covering(len(steps), self.windows)):
            chosen = [steps[index] for index in indices]
            yield self._window(number, int(indices.min()), int(indices.max()), chosen)

    def _of_stream(self, steps: Iterable[Step], *, lead: int) -> Iterator[Window]:
        """Windows of a video in which evaluation's begin at step `lead`."""
        recent: deque[Step] = deque(maxlen=self._span)
        starts = self._starts(lead)
        number, start = next(starts)
        end = seen = 0
        for seen, step in enumerate(steps, start=1):
            recent.append(step)
            while seen == start + self._span:
                yield self._latest(number, seen, recent)
                end = seen
                number, start = next(starts)
        if 2 * (seen - end) >= self._hop:  # what is less has no weight of its own
            yield self._latest(number, seen, recent)

    def _starts(self, lead: int) -> Iterator[tuple[int, int]]:
        """Numbers and first steps of windows; evaluation's are those from 0 on."""
        first = lead + (max(0.0, (self.limit - self._span) / 2) if self.windows == 1 else 0.0)
        number = -int(first // self._hop)
        if 2 * (first + number * self._hop) >= self._hop:
            yield number - 1, 0
        while True:
            yield number, round(first + number * self._hop)
            number += 1

    def _latest(self, number: int, seen: int, recent: deque[Step]) -> Window:
        chosen = list(recent)[:: self.spec.stride_steps]
        return self._window(number, seen - self._span, seen - 1, chosen)

    def _window(self, number: int, first: int, last: int, steps: Sequence[Step]) -> Window:
        return Window(first / self.spec.fps, (last + 1) / self.spec.fps, steps, number % 2 == 1)

    @property
    def _span(self) -> int:
        """Steps from a window's first to its last."""
        return (self.spec.frames - 1) * self.spec.stride_steps + 1

    @property
    def _record(self) -> int:
        """The most steps that evaluation's windows cover; of less than a window, it sees a loop."""
        return max(self.limit, self._span)

    @property
    def _hop(self) -> float:
        """Steps from one window of a full record to the next."""
        if self.windows == 1:
            return self.limit
        return max(1.0, (self.limit - self._span) / (self.windows - 1))


def centred(pictures: NDArray[np.uint8], crop: int) -> NDArray[np.float32]:
    """The largest square in the middle of [T, H, W, C], scaled to float32 [T, crop, crop, C]."""
    height, width = pictures.shape[1:3]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pictures[:, top : top + side, left : left + side].astype(np.float32)
    return square if side == crop else _scaled(_scaled(square, 2, crop), 1, crop)


def mirrored(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """`x` [..., W, C] left to right; in flow (C = 2), horizontal motion changes its sign."""
    turned = np.ascontiguousarray(x[..., ::-1, :])
    return turned * np.asarray([-1, 1], np.float32) if x.shape[-1] == 2 else turned


def _scaled(x: NDArray[np.float32], axis: int, size: int) -> NDArray[np.float32]:
    """`x` with `size` pixels along an axis, interpolated linearly between centres of pixels."""
    ratio = np.float32(x.shape[axis] / size)
    place = (np.arange(size, dtype=np.float32) + np.float32(0.5)) * ratio - np.float32(0.5)
    floor = np.floor(place)
    low = np.maximum(floor, 0).astype(int)
    high = np.minimum(floor + 1, x.shape[axis] - 1).astype(int)
    share = np.expand_dims(place - floor, tuple(range(1, x.ndim - axis)))
    before = x.take(low, axis)
    return np.asarray(before + (x.take(high, axis) - before) * share, np.float32)


def _in_pixels(
    x: NDArray[np.float32], scales: NDArray[np.float32], *, zoom: float
) -> NDArray[np.float32]:
    """Bytes of flow as pixels of the scaled square a step, less their mean over each field."""
    moved = x - x.mean(axis=(1, 2), keepdims=True)
    return np.asarray(moved * (scales * np.float32(zoom))[:, None, None, None], np.float32)


def rgb_steps(frames: Iterable[NDArray[np.uint8]]) -> Iterator[Step]:
    """Steps of frames that are sampled already: uint8 [H, W, 3], red, green, blue."""
    return ({"rgb": Frame(frame)} for frame in frames)
