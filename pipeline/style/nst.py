"""Neural style transfer as params.yaml sets it, for pictures and videos of any size."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from pipeline.style.features import load_features
from pipeline.style.images import shrink
from pipeline.style.temporal import paint_frames, to_image, to_picture
from pipeline.style.transfer import Image, Prior, StyleTransfer, Weights, with_colours_of
from pipeline.video.decode import Picture

if TYPE_CHECKING:
    from pipeline.params import Stylize


class NeuralStyle:
    """Repaints pictures in the style of one, by optimization at the size of the settings.

    `transfer` is what optimizes.
    """

    def __init__(self, style: Picture, settings: Stylize) -> None:
        self.settings = settings
        weights = Weights(
            content=settings.content,
            style=settings.style,
            variation=settings.variation,
            temporal=settings.temporal,
        )
        features = load_features(Path(settings.features))
        self.transfer = StyleTransfer(features, to_image(shrink(style, settings.size)), weights)

    def restyle(self, frames: Iterator[Picture]) -> Iterator[Picture]:
        """Each frame (blue, green, red) of a video, painted; one frame is a video too."""
        originals, copies = tee(frames)
        small = (shrink(frame, self.settings.size) for frame in copies)
        for original, painted in zip(originals, paint_frames(small, self._paint), strict=True):
            yield self._finished(original, painted)

    def _paint(self, frame: Image, prior: Prior | None) -> Image:
        if prior is None:
            return self.transfer.paint(frame, start=frame, steps=self.settings.steps)
        # Hidden points too: whatever is painted there already is nearer than the frame itself.
        steps = self.settings.next_steps
        return self.transfer.paint(frame, start=prior.warped, steps=steps, prior=prior)

    def _finished(self, original: Picture, painted: Picture) -> Picture:
        height, width = original.shape[:2]
        if painted.shape != original.shape:
            painted = cv2.resize(painted, (width, height), interpolation=cv2.INTER_CUBIC)
        if self.settings.keep_colours:
            painted = to_picture(with_colours_of(to_image(original), to_image(painted)))
        return painted
