"""Videos painted by a network that needs one pass a frame, held steady along the flow."""

from collections.abc import Iterator
from itertools import tee
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

from pipeline.errors import StyleError
from pipeline.models.layers import PictureConv2D, replace_layers
from pipeline.style.networks import HALVINGS
from pipeline.style.temporal import blended, paint_frames, to_image, to_picture
from pipeline.style.transfer import Image, Prior, with_colours_of
from pipeline.video.decode import Picture

MARGIN = 8  # pixels around the picture, mirrored, so that its edges are not painted as edges


class FeedForward:
    """Repaints pictures and videos with a generator."""

    def __init__(
        self, network: keras.Model, *, blend: float = 0.0, keep_colours: bool = False
    ) -> None:
        """`blend`: the share of a known point that comes from its warped predecessor.

        The rest renews it, so that neither blur nor colours can build up over a scene.
        """
        self._network = tf.function(network, reduce_retracing=True)
        self._blend, self._keep_colours = blend, keep_colours

    def restyle(self, frames: Iterator[Picture]) -> Iterator[Picture]:
        """Each frame (blue, green, red) of a video, painted; one frame is a video too."""
        originals, copies = tee(frames)
        for original, painted in zip(originals, paint_frames(copies, self._paint), strict=True):
            yield self._coloured(original, painted)

    def _paint(self, frame: Image, prior: Prior | None) -> Image:
        painted = self._pass(frame)
        return painted if prior is None else blended(painted, prior, self._blend)

    def _pass(self, frame: Image) -> Image:
        height, width = frame.shape[:2]
        below, right = (MARGIN + -side % 2**HALVINGS for side in (height, width))
        wide = cv2.copyMakeBorder(frame, MARGIN, below, MARGIN, right, cv2.BORDER_REFLECT_101)
        painted = self._network(tf.constant(wide[None]), training=False).numpy()[0]
        return np.asarray(painted[MARGIN : MARGIN + height, MARGIN : MARGIN + width])

    def _coloured(self, original: Picture, painted: Picture) -> Picture:
        if not self._keep_colours:
            return painted
        return to_picture(with_colours_of(to_image(original), to_image(painted)))


def load_generator(path: Path) -> keras.Model:
    """A network from pictures to pictures, both 0..1 of any size, from a Keras file."""
    if not path.is_file():
        raise StyleError(f"the network {path} does not exist")
    try:
        network = keras.saving.load_model(path, compile=False)
    except (ValueError, OSError, TypeError) as error:
        raise StyleError(f"{path} cannot be loaded as a Keras model: {error}") from error
    if network.input_shape != network.output_shape or network.input_shape[1:] != (None, None, 3):
        raise StyleError(
            f"{path} maps {network.input_shape} to {network.output_shape}; a network that paints "
            "maps pictures of any size, (None, None, None, 3), to others"
        )
    return replace_layers(network, keras.layers.Conv2D, PictureConv2D)
