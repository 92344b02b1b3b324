"""Exponential moving average of a model's weights, which is what is validated and kept."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import tensorflow as tf


class MovingAverage:
    """Exponential moving average of `weights` (Polyak and Juditsky 1992).

    The decay is warmed up: it is (1 + steps) / (10 + steps), until that exceeds `momentum`.
    """

    def __init__(self, weights: Sequence[keras.Variable], momentum: float) -> None:
        self.weights = list(weights)
        self.momentum = momentum
        self.steps = tf.Variable(0.0)
        self.values = [tf.Variable(weight.value) for weight in self.weights]

    @property
    def variables(self) -> list[tf.Variable]:
        """The state to save and restore."""
        return [self.steps, *self.values]

    def update(self) -> None:
        """Average in the weights after one more step."""
        self.steps.assign_add(1.0)
        momentum = tf.minimum(self.momentum, (1 + self.steps) / (10 + self.steps))
        for weight, value in zip(self.weights, self.values, strict=True):
            value.assign(momentum * value + (1 - momentum) * weight.value)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the model the averages; restore its own weights on exit."""
        own = [weight.numpy().copy() for weight in self.weights]
        for weight, value in zip(self.weights, self.values, strict=True):
            weight.assign(value)
        try:
            yield
        finally:
            for weight, value in zip(self.weights, own, strict=True):
                weight.assign(value)
