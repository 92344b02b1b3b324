"""CycleGAN: translation between two domains of pictures, learned from unpaired examples.

Zhu et al., "Unpaired image-to-image translation using cycle-consistent adversarial networks"
(2017). Domain 0 holds photographs, domain 1 style images; a pair is always in that order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.params import CycleGan
    from pipeline.style.crops import Batch, Crops


def adversarial_loss(fake_scores: Any) -> Any:
    """The generator's least-squares loss: its pictures should score 1, as real ones do."""
    return ops.mean(ops.square(fake_scores - 1))


def discriminator_loss(real_scores: Any, fake_scores: Any) -> Any:
    """Real pictures should score 1 and generated ones 0; halved, to slow discriminators down."""
    return (ops.mean(ops.square(real_scores - 1)) + ops.mean(ops.square(fake_scores))) / 2


def absolute_error(pictures: Any, others: Any) -> Any:
    """Mean absolute difference: the measure of cycle consistency and of identity."""
    return ops.mean(ops.abs(pictures - others))


class ImagePool:
    """A history of generated pictures, so that discriminators see not only the latest (section 4).

    Once it is full, every other picture is exchanged for a random one of the pool.
    """

    def __init__(self, size: int, *, side: int, seed: int = 0) -> None:
        self.pictures = tf.Variable(tf.zeros((size, side, side, 3)))
        self.count = tf.Variable(0)
        self._seed = seed

    def exchange(self, pictures: Batch, number: int) -> Batch:
        """`pictures` of step `number`, some of them exchanged for earlier ones."""
        random = np.random.default_rng((self._seed, number))
        return np.stack([self._exchanged(picture, random) for picture in pictures])

    def _exchanged(self, picture: Batch, random: np.random.Generator) -> Batch:
        count = int(self.count)
        if count < self.pictures.shape[0]:
            self.pictures[count].assign(picture)
            self.count.assign_add(1)
            return picture
        if random.random() < 0.5:
            return picture
        index = int(random.integers(count))
        earlier = self.pictures[index].numpy()
        self.pictures[index].assign(picture)
        return np.asarray(earlier)


class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A learning rate that is constant for half of `steps`, then decays linearly to zero."""

    def __init__(self, rate: float, steps: int) -> None:
        self.rate, self.steps = rate, steps

    def __call__(self, step: Any) -> Any:
        """The rate at a step, from 0."""
        remaining = (self.steps - ops.cast(step, "float32")) / (self.steps / 2)
        return self.rate * ops.clip(remaining, 0.0, 1.0)


class CycleGanTrainer:
    """Trains two generators and two discriminators; `network` (photograph to style) is kept."""

    def __init__(
        self,
        generators: Sequence[keras.Model],
        discriminators: Sequence[keras.Model],
        *,
        training: Sequence[Crops],
        held_out: Sequence[Crops],
        settings: CycleGan,
    ) -> None:
        """Generators to style images and to photographs; discriminators of both, in pair order."""
        self.network, self._back = generators
        self._discriminators = discriminators
        self._training, self._settings = training, settings
        self._held_out = [tf.constant(crops.batch(0)) for crops in held_out]
        self._pools = [ImagePool(settings.pool, side=settings.size, seed=seed) for seed in range(2)]
        self._optimizers = [self._optimizer(pair) for pair in (generators, discriminators)]
        self._generator_step = tf.function(self._train_generators)
        self._discriminator_step = tf.function(self._train_discriminators)
        self._validate = tf.function(lambda pair: self._generator_losses(pair)[0])

    @property
    def variables(self) -> dict[str, list[Any]]:
        """All state, to save and to restore."""
        networks = (self.network, self._back, *self._discriminators)
        return {
            "networks": [variable for each in networks for variable in each.variables],
            "optimizers": [variable for each in self._optimizers for variable in each.variables],
            "pools": [variable for each in self._pools for variable in (each.pictures, each.count)],
        }

    def step(self, number: int) -> dict[str, Any]:
        """Train the generators, then the discriminators, on the batches of that number."""
        pair = [tf.constant(crops.batch(number)) for crops in self._training]
        losses, fakes = self._generator_step(pair)
        pooled = [
            tf.constant(pool.exchange(fake.numpy(), number))
            for pool, fake in zip(self._pools, fakes, strict=True)
        ]
        return {**losses, "discriminator": self._discriminator_step(pair, pooled)}

    def validate(self) -> dict[str, Any]:
        """The generators' losses on held-out pictures."""
        return dict(self._validate(self._held_out))

    def _optimizer(self, networks: Sequence[keras.Model]) -> keras.optimizers.Optimizer:
        rate = LinearDecay(self._settings.learning_rate, self._settings.steps)
        optimizer = keras.optimizers.Adam(rate, beta_1=0.5)
        optimizer.build(_trainable(networks))
        return optimizer

    def _train_generators(self, pair: Any) -> tuple[dict[str, Any], list[Any]]:
        with tf.GradientTape() as tape:
            losses, fakes = self._generator_losses(pair)
        _apply_gradients(self._optimizers[0], tape, losses["loss"], (self.network, self._back))
        return losses, fakes

    def _train_discriminators(self, pair: Any, fakes: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = sum(
                discriminator_loss(score(real, training=True), score(fake, training=True))
                for score, real, fake in zip(self._discriminators, pair, fakes, strict=True)
            )
        _apply_gradients(self._optimizers[1], tape, loss, self._discriminators)
        return loss

    def _generator_losses(self, pair: Any) -> tuple[dict[str, Any], list[Any]]:
        """Losses of both directions, summed, and the fakes: a photograph, a style image."""
        photo, style = pair
        fakes = [self._back(style, training=True), self.network(photo, training=True)]
        scores = [score(fake) for score, fake in zip(self._discriminators, fakes, strict=True)]
        round_trips = self._back(fakes[1], training=True), self.network(fakes[0], training=True)
        unchanged = self._back(photo, training=True), self.network(style, training=True)
        losses = {
            "adversarial": sum(map(adversarial_loss, scores)),
            "cycle": sum(map(absolute_error, pair, round_trips)),
            "identity": sum(map(absolute_error, pair, unchanged)),
        }
        settings = self._settings
        weighted = settings.cycle * losses["cycle"] + settings.identity * losses["identity"]
        return {"loss": losses["adversarial"] + weighted, **losses}, fakes


def _trainable(networks: Sequence[keras.Model]) -> list[Any]:
    return [variable for network in networks for variable in network.trainable_variables]


def _apply_gradients(
    optimizer: keras.optimizers.Optimizer,
    tape: tf.GradientTape,
    loss: Any,
    networks: Sequence[keras.Model],
) -> None:
    variables = _trainable(networks)
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
