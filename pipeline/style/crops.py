"""Random square crops: the training pictures of style networks."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.video.decode import Picture

Batch = NDArray[np.float32]  # [batch, size, size, 3]: red, green, blue, 0..1

# The smallest crop, as a share of a picture's shorter side.
MIN_CROP = 0.4


@dataclass(frozen=True)
class Crops:
    """Crops of `pictures` (blue, green, red; any sizes), scaled to `size`, half of them mirrored.

    A batch depends on its number and the seed alone, so that training can resume at any step.
    """

    pictures: Sequence[Picture]
    size: int
    batch_size: int
    seed: int = 0

    def batch(self, number: int) -> Batch:
        """The batch of that number, from 0."""
        random = np.random.default_rng((self.seed, number))
        return np.stack([self._crop(random) for _ in range(self.batch_size)])

    def _crop(self, random: np.random.Generator) -> Batch:
        picture = self.pictures[int(random.integers(len(self.pictures)))]
        height, width = picture.shape[:2]
        side = round(min(height, width) * random.uniform(MIN_CROP, 1))
        top, left = random.integers(height - side + 1), random.integers(width - side + 1)
        crop = picture[top : top + side, left : left + side]
        crop = cv2.resize(crop, (self.size, self.size), interpolation=cv2.INTER_AREA)
        flip = -1 if random.random() < 0.5 else 1
        return np.asarray(crop[:, ::flip, ::-1] / np.float32(255), np.float32)
