"""A feed-forward network a style, trained by the losses of neural style transfer.

Johnson et al., "Perceptual losses for real-time style transfer and super-resolution" (2016).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from pipeline.style.crops import Crops
from pipeline.style.perceptual import PerceptualLoss

if TYPE_CHECKING:
    from pipeline.params import Fast

SHIFT = 4  # pixels, at most, that a picture is moved by for the stability loss
NOISE = 0.03  # standard deviation of what is added to it


class FastLearner:
    """A generator, what it learns from, and all that its training remembers."""

    def __init__(
        self,
        network: keras.Model,
        loss: PerceptualLoss,
        *,
        photos: Crops,
        held_out: Crops,
        settings: Fast,
    ) -> None:
        self.network, self.photos, self.settings = network, photos, settings
        self._loss = loss
        self._held_out = tf.constant(held_out.batch(0))
        rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.steps)
        self._optimizer = keras.optimizers.Adam(rate)
        self._optimizer.build(network.trainable_variables)
        self._step = tf.function(self._train)
        self._check = tf.function(self._losses)

    @property
    def variables(self) -> dict[str, list[Any]]:
        """All state, to save and to restore."""
        return {"network": self.network.variables, "optimizer": self._optimizer.variables}

    def step(self, number: int) -> dict[str, Any]:
        """Train on the batch of that number; its losses."""
        return dict(self._step(tf.constant(self.photos.batch(number)), tf.constant(number)))

    def check(self) -> dict[str, Any]:
        """The losses on held-out pictures."""
        return dict(self._check(self._held_out, tf.constant(0)))

    def _train(self, photos: Any, number: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            losses = self._losses(photos, number)
        variables = self.network.trainable_variables
        gradients = tape.gradient(losses["loss"], variables)
        self._optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return losses

    def _losses(self, photos: Any, number: Any) -> dict[str, Any]:
        painted = self.network(photos, training=True)
        parts = self._loss(painted, self._loss.wanted(photos))
        parts["stability"] = self._instability(photos, painted, number)
        weighted = [getattr(self.settings, name) * value for name, value in parts.items()]
        return {"loss": sum(weighted), **parts}

    def _instability(self, photos: Any, painted: Any, number: Any) -> Any:
        """Mean squared difference that a small move of the camera and its noise make.

        Two frames of a video differ by little more; so the network learns not to flicker.
        """
        seed = tf.stack([self.photos.seed, number])
        move = tf.random.stateless_uniform([2], seed, -SHIFT, SHIFT + 1, tf.int32)
        noise = tf.random.stateless_normal(tf.shape(photos), seed, stddev=NOISE)
        moved = self.network(tf.roll(photos, move, axis=(1, 2)) + noise, training=True)
        gap = moved - tf.roll(painted, move, axis=(1, 2))
        inner = slice(4 * SHIFT, -4 * SHIFT)  # the rest saw the seam where the picture was rolled
        return tf.reduce_mean(tf.square(gap[:, inner, inner]))
