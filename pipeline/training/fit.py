"""Resumable training loop with weight averaging, annealed whenever it ends."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.errors import TrainingError
from pipeline.files import progress_bar
from pipeline.models.layers import replace_layers
from pipeline.training.batch_norm import FusedBatchNormalization
from pipeline.training.checkpoints import load_checkpoint, save_checkpoint
from pipeline.training.data_parallel import data_parallel
from pipeline.training.ema import MovingAverage
from pipeline.training.mixing import Mixing
from pipeline.training.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tqdm import tqdm

    from pipeline.params import Train

log = logging.getLogger(__name__)

Metrics = dict[str, float]


@dataclass(frozen=True)
class Training:
    """How a training went.

    `history` has one row of metrics per epoch; its `seconds` are those since the start of training,
    without the pauses between a kill and a resumption. `stopped_by` is what began the decay of the
    learning rate: `target_accuracy`, `patience`, `max_steps` or `max_minutes`.
    """

    history: list[Metrics]
    steps: int
    seconds: float
    data_wait_fraction: float
    stopped_by: str


def fit(
    model: keras.Model,
    *,
    train: Callable[[int], tf.data.Dataset],
    steps_per_epoch: int,
    validation: tf.data.Dataset | None,
    settings: Train,
    state: Path,
    on_epoch: Callable[[int, Metrics], None] = lambda epoch, metrics: None,
) -> Training:
    """Train `model` until it is annealed, and give it the last averaged weights.

    Without validation, train for all steps or minutes.

    `train(epoch)` gives the batches (x, labels) of that epoch (from 0) and of all later ones;
    `on_epoch` is called with each epoch (from 1) and its metrics. The folder `state` holds the
    checkpoint: after a kill, the same call resumes from the last whole epoch. Raises a
    TrainingError with the step at which the loss is not finite.
    """
    learner = Learner(model, settings=settings, steps_per_epoch=steps_per_epoch)
    checkpoint = state / "checkpoint.npz"
    learner.restore(checkpoint)
    batches = iter(train(len(learner.history)))
    with _progress_bar(learner) as bar:
        while steps := learner.schedule.next_epoch(learner.history):
            bar.total = bar.n + learner.schedule.steps_left
            metrics = learner.epoch(batches, validation, bar, steps)
            learner.save(checkpoint)
            on_epoch(len(learner.history), metrics)
    model.set_weights(_values(learner.average.values))
    return Training(
        history=learner.history,
        steps=learner.schedule.progress.step,
        seconds=learner.seconds,
        data_wait_fraction=learner.waited / max(learner.seconds, 1e-9),
        stopped_by=learner.schedule.progress.decay_cause,
    )


class Learner:
    """A model and the state of its training: optimizer, averages, history.

    It trains a copy of `model`, in layers that are faster in training. `step(x, labels)` trains on
    one batch and returns its accuracy and loss.
    """

    def __init__(self, model: keras.Model, *, settings: Train, steps_per_epoch: int) -> None:
        self.model = replace_layers(model, keras.layers.BatchNormalization, FusedBatchNormalization)
        self.schedule = Schedule(settings, steps_per_epoch)
        self.mixing = Mixing(
            settings.mixup, settings.cutmix, settings.background, settings.motion_only
        )
        self.optimizer = _optimizer(self.model, settings)
        self.loss = keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing)
        self.average = MovingAverage(self.model.weights, settings.ema_momentum)
        self.history: list[Metrics] = []
        self.waited = 0.0
        # Functions of our own take half the time of Keras' `train_on_batch`, to trace and to run.
        # XLA (off by default) makes these networks 2 to 10 times slower on CPUs.
        self.step = tf.function(self._step)
        batch = [tf.TensorSpec(model.input_shape), tf.TensorSpec([None], tf.int32)]
        self._validate = tf.function(self._validation_step, input_signature=batch)

    @property
    def seconds(self) -> float:
        """Seconds of training until the end of the last epoch."""
        return self.history[-1]["seconds"] if self.history else 0.0

    def epoch(
        self, batches: Iterator[Any], validation: tf.data.Dataset | None, bar: tqdm[Any], steps: int
    ) -> Metrics:
        """Train for so many steps, validate the averaged weights, append a row to the history."""
        started, before = time.perf_counter(), self.seconds
        row = self._steps(batches, bar, steps)
        with self.average.applied():
            if validation is not None:
                validated = _mean([self._validate(x, labels) for x, labels in validation])
                row |= {f"val_{name}": value for name, value in validated.items()}
        row["seconds"] = before + time.perf_counter() - started
        self.history.append(row)
        return row

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        groups = {name: _values(group) for name, group in self._variables().items()}
        progress = {
            "history": self.history,
            "waited": self.waited,
            "schedule": self.schedule.state(),
        }
        save_checkpoint(path, groups, progress)

    def restore(self, path: Path) -> None:
        """Resume from the checkpoint, if there is one."""
        if (checkpoint := load_checkpoint(path)) is None:
            return
        groups, progress = checkpoint
        for name, variables in self._variables().items():
            for variable, value in zip(variables, groups[name], strict=True):
                variable.assign(value)
        self.history, self.waited = progress["history"], progress["waited"]
        self.schedule.restore(progress["schedule"])
        log.info("training resumes after epoch %d (%.0f s)", len(self.history), self.seconds)

    def _steps(self, batches: Iterator[Any], bar: tqdm[Any], steps: int) -> Metrics:
        """Train on so many batches; the means of their metrics."""
        rows: list[dict[str, tf.Tensor]] = []
        for _ in range(steps):
            asked = time.perf_counter()
            x, labels = next(batches)
            self.waited += time.perf_counter() - asked
            self.optimizer.learning_rate = self.schedule.advance()
            rows.append(self.step(x, labels))
            loss, accuracy = float(rows[-1]["loss"]), float(rows[-1]["accuracy"])
            self._require_finite_loss(loss)
            bar.set_postfix(loss=f"{loss:.3f}", accuracy=f"{accuracy:.3f}", refresh=False)
            bar.update()
        return _mean(rows)

    def _step(self, x: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        heat = self.optimizer.learning_rate / self.schedule.settings.learning_rate
        step = self.optimizer.iterations.value
        x, targets = self.mixing(x, self._one_hot(labels), step, heat)
        with tf.GradientTape() as tape:
            metrics = self._metrics(targets, data_parallel(self.model, x, training=True))
        variables = self.model.trainable_variables
        self.optimizer.apply_gradients(
            zip(tape.gradient(metrics["loss"], variables), variables, strict=True)
        )
        self.average.update()
        return metrics

    def _validation_step(self, x: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._metrics(self._one_hot(labels), data_parallel(self.model, x, training=False))

    def _one_hot(self, labels: tf.Tensor) -> tf.Tensor:
        return tf.one_hot(labels, self.model.output_shape[-1])

    def _metrics(self, targets: tf.Tensor, probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
        correct = tf.argmax(probabilities, axis=1) == tf.argmax(targets, axis=1)
        return {
            "accuracy": tf.reduce_mean(tf.cast(correct, tf.float32)),
            "loss": self.loss(targets, probabilities),
            "windows": tf.cast(tf.size(correct), tf.float32),
        }

    def _require_finite_loss(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss of {self.model.name} is {loss} at step "
                f"{int(self.optimizer.iterations)}, and must be finite; lower "
                f"train.learning_rate (at that step: {float(self.optimizer.learning_rate):.2g})"
            )

    def _variables(self) -> dict[str, list[Any]]:
        # `variables`, unlike `weights`, include dropout's random state.
        return {
            "model": self.model.variables,
            "optimizer": self.optimizer.variables,
            "average": self.average.variables,
        }


def _values(variables: Sequence[Any]) -> list[np.ndarray]:
    return [variable.numpy().copy() for variable in variables]


def _mean(rows: Sequence[dict[str, tf.Tensor]]) -> Metrics:
    """Accuracy and loss over batches, weighted by their windows."""
    weights = [float(row["windows"]) for row in rows]
    return {
        name: float(np.average([float(row[name]) for row in rows], weights=weights))
        for name in ("accuracy", "loss")
    }


def _optimizer(model: keras.Model, settings: Train) -> keras.optimizers.Optimizer:
    """AdamW (Loshchilov 2019); the schedule sets its learning rate."""
    optimizer = keras.optimizers.AdamW(settings.learning_rate, weight_decay=settings.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    optimizer.build(model.trainable_variables)
    return optimizer


def _progress_bar(learner: Learner) -> tqdm[Any]:
    done = learner.schedule.progress.step
    return progress_bar(
        desc=learner.model.name,
        total=learner.schedule.settings.max_steps,
        initial=done,
        unit="batch",
    )
