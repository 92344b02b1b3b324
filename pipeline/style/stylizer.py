"""What all methods share: pictures and videos of any size in, the same size out."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import tee

import cv2

from pipeline.style.images import shrink
from pipeline.style.temporal import stylize_frames, to_image, to_picture
from pipeline.style.transfer import Image, Prior, with_colours_of
from pipeline.video.decode import Picture


class Stylizer(ABC):
    """Stylizes pictures and videos; each method says how one frame is stylized."""

    def __init__(self, *, size: int | None, keep_colours: bool) -> None:
        """`size`: longer side, in pixels, at which frames are stylized; None: their own."""
        self._size, self._keep_colours = size, keep_colours

    @abstractmethod
    def stylize_frame(self, frame: Image, prior: Prior | None) -> Image:
        """One frame stylized; `prior` is None for a single picture and at the start of a scene."""

    def picture(self, picture: Picture) -> Picture:
        """A picture (blue, green, red) stylized."""
        return next(self.video(iter([picture])))

    def video(self, frames: Iterator[Picture]) -> Iterator[Picture]:
        """Each frame (blue, green, red; all of one size) of a video, stylized in order."""
        originals, copies = tee(frames)
        small = (shrink(frame, self._size) if self._size else frame for frame in copies)
        stylized = stylize_frames(small, self.stylize_frame)
        for original, result in zip(originals, stylized, strict=True):
            yield self._finished(original, result)

    def _finished(self, original: Picture, stylized: Picture) -> Picture:
        height, width = original.shape[:2]
        if stylized.shape != original.shape:
            stylized = cv2.resize(stylized, (width, height), interpolation=cv2.INTER_CUBIC)
        if self._keep_colours:
            stylized = to_picture(with_colours_of(to_image(original), to_image(stylized)))
        return stylized
