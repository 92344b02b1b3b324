"""What a model sees at once; without TensorFlow, so that training and inference share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.params import Stream


@dataclass(frozen=True)
class WindowSpec:
    """`frames` frames, `stride` seconds apart, of a record sampled at `fps`, `crop` pixels square.

    With frames=3 and a stride of two sampled frames:

        record  0 1 2 3 4 5 6
        window  x   x   x
    """

    frames: int
    stride: float
    fps: float
    crop: int
    stream: Stream

    @property
    def stride_steps(self) -> int:
        """The stride in sampled frames."""
        return round(self.stride * self.fps)

    @property
    def channels(self) -> int:
        """Red, green and blue; or flow to the right and down."""
        return 3 if self.stream == "rgb" else 2

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames, height, width and channels."""
        return self.frames, self.crop, self.crop, self.channels

    def indices(self, count: int, positions: Sequence[float]) -> NDArray[np.int32]:
        """The frames [windows, frames] of a record of `count` that windows at `positions` take.

        Position 0 starts at the record's start, 1 as late as the window fits. A record that is too
        short for a window is looped.
        """
        offsets = np.arange(self.frames, dtype=np.int32) * self.stride_steps
        latest = max(count - 1 - int(offsets[-1]), 0)
        starts = np.round(np.asarray(positions, np.float32) * latest).astype(np.int32)
        return (starts[:, None] + offsets) % count

    def covering(self, count: int, windows: int) -> NDArray[np.int32]:
        """The frames of `windows` windows from a record's start to its end; of one, its middle."""
        return self.indices(count, covering_positions(windows))


def covering_positions(windows: int) -> list[float]:
    """Positions of `windows` windows that cover a record."""
    return [float(each) for each in np.linspace(0, 1, windows)] if windows > 1 else [0.5]
