"""Fast style transfer: a feed-forward network per style, trained by perceptual losses.

Johnson et al., "Perceptual losses for real-time style transfer and super-resolution" (2016).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

if TYPE_CHECKING:
    from pipeline.params import Fast
    from pipeline.style.crops import Crops
    from pipeline.style.perceptual import PerceptualLoss

SHIFT = 4  # pixels: the largest shift of a picture in the stability loss
NOISE = 0.03  # standard deviation of the noise added to it


class FastTrainer:
    """Trains `network` on `photos`; all state of the training is in `variables`."""

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
        self._validate = tf.function(self._losses)

    @property
    def variables(self) -> dict[str, list[Any]]:
        """All state, to save and to restore."""
        return {"network": self.network.variables, "optimizer": self._optimizer.variables}

    def step(self, number: int) -> dict[str, Any]:
        """Train on the batch of that number; its losses."""
        return dict(self._step(tf.constant(self.photos.batch(number)), tf.constant(number)))

    def validate(self) -> dict[str, Any]:
        """The losses on held-out pictures."""
        return dict(self._validate(self._held_out, tf.constant(0)))

    def _train(self, photos: Any, number: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            losses = self._losses(photos, number)
        variables = self.network.trainable_variables
        gradients = tape.gradient(losses["loss"], variables)
        self._optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return losses

    def _losses(self, photos: Any, number: Any) -> dict[str, Any]:
        stylized = self.network(photos, training=True)
        parts = self._loss(stylized, self._loss.content_target(photos))
        parts["stability"] = self._stability_loss(photos, stylized, number)
        weighted = [getattr(self.settings, name) * value for name, value in parts.items()]
        return {"loss": sum(weighted), **parts}

    def _stability_loss(self, photos: Any, stylized: Any, number: Any) -> Any:
        """Mean squared difference that a small shift of the camera and its noise make.

        Two frames of a video differ by little more; so the network learns not to flicker.
        """
        seed = tf.stack([self.photos.seed, number])
        shift = tf.random.stateless_uniform([2], seed, -SHIFT, SHIFT + 1, tf.int32)
        noise = tf.random.stateless_normal(tf.shape(photos), seed, stddev=NOISE)
        shifted = self.network(tf.roll(photos, shift, axis=(1, 2)) + noise, training=True)
        difference = shifted - tf.roll(stylized, shift, axis=(1, 2))
        inner = slice(4 * SHIFT, -4 * SHIFT)  # the rest is affected by the seam of the roll
        return tf.reduce_mean(tf.square(difference[:, inner, inner]))
