"""Videos stylized by a feed-forward network, one pass per frame, blended along the flow."""

from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf

from pipeline.errors import StyleError
from pipeline.models.keras_file import read_network
from pipeline.models.layers import PictureConv2D, replace_layers
from pipeline.style.networks import HALVINGS
from pipeline.style.stylizer import Stylizer
from pipeline.style.temporal import blend
from pipeline.style.transfer import Image, Prior

PADDING = 8  # pixels around the picture, mirrored, against border artefacts


class FeedForward(Stylizer):
    """Stylizes with a generator, at the pictures' own size."""

    def __init__(
        self, network: keras.Model, *, blend: float = 0.0, keep_colours: bool = False
    ) -> None:
        """`blend`: the share of the warped previous frame where the flow is reliable.

        The rest is new in every frame, so that neither blur nor colours build up over a scene.
        """
        super().__init__(size=None, keep_colours=keep_colours)
        self._network = tf.function(network, reduce_retracing=True)
        self._blend = blend

    def stylize_frame(self, frame: Image, prior: Prior | None) -> Image:
        """One pass, blended with the warped previous frame."""
        stylized = self._padded_pass(frame)
        return stylized if prior is None else blend(stylized, prior, self._blend)

    def _padded_pass(self, frame: Image) -> Image:
        height, width = frame.shape[:2]
        below, right = (PADDING + -side % 2**HALVINGS for side in (height, width))
        wide = cv2.copyMakeBorder(frame, PADDING, below, PADDING, right, cv2.BORDER_REFLECT_101)
        stylized = self._network(tf.constant(wide[None]), training=False).numpy()[0]
        return np.asarray(stylized[PADDING : PADDING + height, PADDING : PADDING + width])


def load_generator(path: Path) -> keras.Model:
    """A network from pictures to pictures, both 0..1 of any size, from a Keras file."""
    if not path.is_file():
        raise StyleError(f"the network {path} does not exist")
    try:
        network = read_network(path)
    except ValueError as error:
        raise StyleError(str(error)) from error
    if network.input_shape != network.output_shape or network.input_shape[1:] != (None, None, 3):
        raise StyleError(
            f"{path} maps {network.input_shape} to {network.output_shape}; a style network "
            "maps pictures of any size, (None, None, None, 3), to pictures of that size"
        )
    return replace_layers(network, keras.layers.Conv2D, PictureConv2D)
