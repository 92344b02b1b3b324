"""Resumable training loop with weight averaging and early stopping."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from pipeline.errors import TrainingError
from pipeline.training.checkpoints import load_checkpoint, save_checkpoint
from pipeline.training.data_parallel import data_parallel
from pipeline.training.ema import MovingAverage
from pipeline.training.mixup import mixed

if TYPE_CHECKING:
    from pipeline.params import Train

log = logging.getLogger(__name__)

WARMUP_EPOCHS = 2
# Share of the learning rate that the cosine ends at.
FLOOR = 0.01

Metrics = dict[str, float]


@dataclass(frozen=True)
class Training:
    """How a training went: `history` has a row of metrics an epoch, `best_epoch` counts from 1."""

    history: list[Metrics]
    seconds: float
    data_wait_fraction: float
    best_epoch: int
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
    """Train `model`; it ends with the averaged weights of the epoch of least validation loss.

    Without validation, it trains all its epochs or minutes and ends with the last averaged weights.

    `train(epoch)` gives the batches (x, labels) of that epoch (from 0) and of all later ones;
    `on_epoch` hears of each epoch (from 1) as it ends. The folder `state` keeps the checkpoint:
    after a kill, the same call goes on where it was. A TrainingError names the step at which the
    loss stopped being a number.
    """
    learner = Learner(model, settings=settings, steps_per_epoch=steps_per_epoch)
    checkpoint = state / "checkpoint.npz"
    learner.restore(checkpoint)
    batches = iter(train(len(learner.history)))
    with _progress_bar(learner, settings.epochs) as bar:
        while not (reason := stop_reason(learner.history, learner.seconds, settings)):
            metrics = learner.epoch(batches, validation, bar)
            learner.save(checkpoint)
            on_epoch(len(learner.history), metrics)
    learner.finish()
    return Training(
        history=learner.history,
        seconds=learner.seconds,
        data_wait_fraction=learner.waited / max(learner.seconds, 1e-9),
        best_epoch=best_epoch(learner.history),
        stopped_by=reason,
    )


def best_epoch(history: Sequence[Metrics]) -> int:
    """Epoch (from 1) of the least validation loss, the first of equals; without any, the last."""
    if "val_loss" not in history[0]:
        return len(history)
    losses = [row["val_loss"] for row in history]
    return losses.index(min(losses)) + 1


def stop_reason(history: Sequence[Metrics], seconds: float, settings: Train) -> str:
    """`target_accuracy`, `patience`, `epochs` or `max_minutes`; empty while training continues."""
    if not history:
        return ""
    done = len(history)
    if history[-1].get("val_accuracy", 0.0) >= settings.target_accuracy:
        return "target_accuracy"
    if done - best_epoch(history) >= settings.patience:
        return "patience"
    if done >= settings.epochs:
        return "epochs"
    # The limit holds for the end of the next epoch, not for its start.
    return "max_minutes" if seconds * (done + 1) / done > settings.max_minutes * 60 else ""


class Learner:
    """A model and all that its training remembers: optimizer, average, best weights, history.

    `step(x, labels)` trains on one batch and gives its accuracy and loss.
    """

    def __init__(self, model: keras.Model, *, settings: Train, steps_per_epoch: int) -> None:
        self.model = model
        self.steps_per_epoch = steps_per_epoch
        self.mixup = settings.mixup
        self.optimizer = _optimizer(model, settings, steps_per_epoch)
        self.loss = keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing)
        self.average = MovingAverage(model.weights, settings.ema_momentum)
        self.best = _values(model.weights)
        self.history: list[Metrics] = []
        self.seconds = 0.0
        self.waited = 0.0
        # Functions of our own take half the time of Keras' `train_on_batch`, to trace and to run.
        # XLA (off by default) makes these networks 2 to 10 times slower on CPUs.
        self.step = tf.function(self._step)
        batch = [tf.TensorSpec(model.input_shape), tf.TensorSpec([None], tf.int32)]
        self._traced_check = tf.function(self._check, input_signature=batch)

    def epoch(
        self, batches: Iterator[Any], validation: tf.data.Dataset | None, bar: tqdm[Any]
    ) -> Metrics:
        """One epoch of steps, then validation of the averaged weights; adds a row of history."""
        started = time.perf_counter()
        row = self._steps(batches, bar)
        with self.average.applied():
            if validation is not None:
                checked = _mean([self._traced_check(x, labels) for x, labels in validation])
                row |= {f"val_{name}": value for name, value in checked.items()}
            self.history.append(row)
            if best_epoch(self.history) == len(self.history):
                self.best = _values(self.model.weights)
        self.seconds += time.perf_counter() - started
        return row

    def save(self, path: Path) -> None:
        """Checkpoint after an epoch."""
        groups = {name: _values(group) for name, group in self._variables().items()}
        progress = {"history": self.history, "seconds": self.seconds, "waited": self.waited}
        save_checkpoint(path, {**groups, "best": self.best}, progress)

    def restore(self, path: Path) -> None:
        """Go on from the checkpoint, if there is one."""
        if (checkpoint := load_checkpoint(path)) is None:
            return
        groups, progress = checkpoint
        for name, variables in self._variables().items():
            for variable, value in zip(variables, groups[name], strict=True):
                variable.assign(value)
        self.best = groups["best"]
        self.history, self.seconds = progress["history"], progress["seconds"]
        self.waited = progress["waited"]
        log.info("training goes on after epoch %d (%.0f s)", len(self.history), self.seconds)

    def finish(self) -> None:
        """Give the model its best weights."""
        self.model.set_weights(self.best)

    def _steps(self, batches: Iterator[Any], bar: tqdm[Any]) -> Metrics:
        """The means over an epoch's batches."""
        rows: list[dict[str, tf.Tensor]] = []
        for _ in range(self.steps_per_epoch):
            asked = time.perf_counter()
            x, labels = next(batches)
            self.waited += time.perf_counter() - asked
            rows.append(self.step(x, labels))
            loss, accuracy = float(rows[-1]["loss"]), float(rows[-1]["accuracy"])
            self._demand_finite(loss)
            bar.update()
            bar.set_postfix(loss=f"{loss:.3f}", accuracy=f"{accuracy:.3f}")
        return _mean(rows)

    def _step(self, x: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        targets = self._one_hot(labels)
        if self.mixup:
            x, targets = mixed(x, targets, alpha=self.mixup, step=self.optimizer.iterations.value)
        with tf.GradientTape() as tape:
            metrics = self._metrics(targets, data_parallel(self.model, x, training=True))
        variables = self.model.trainable_variables
        self.optimizer.apply_gradients(
            zip(tape.gradient(metrics["loss"], variables), variables, strict=True)
        )
        self.average.update()
        return metrics

    def _check(self, x: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._metrics(self._one_hot(labels), data_parallel(self.model, x, training=False))

    def _one_hot(self, labels: tf.Tensor) -> tf.Tensor:
        return tf.one_hot(labels, self.model.output_shape[-1])

    def _metrics(self, targets: tf.Tensor, probabilities: tf.Tensor) -> dict[str, tf.Tensor]:
        right = tf.argmax(probabilities, axis=1) == tf.argmax(targets, axis=1)
        return {
            "accuracy": tf.reduce_mean(tf.cast(right, tf.float32)),
            "loss": self.loss(targets, probabilities),
            "windows": tf.cast(tf.size(right), tf.float32),
        }

    def _demand_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss of {self.model.name} is {loss} at step "
                f"{int(self.optimizer.iterations)}, and must be a finite number; lower "
                f"train.learning_rate (here it was {float(self.optimizer.learning_rate):.2g})"
            )

    def _variables(self) -> dict[str, list[Any]]:
        # `variables`, unlike `weights`, has dropout's random state too.
        return {
            "model": self.model.variables,
            "optimizer": self.optimizer.variables,
            "average": self.average.variables,
        }


def _values(variables: Sequence[Any]) -> list[np.ndarray]:
    return [variable.numpy().copy() for variable in variables]


def _mean(rows: Sequence[dict[str, tf.Tensor]]) -> Metrics:
    """Accuracy and loss over batches, each weighing as many windows as it has."""
    weights = [float(row["windows"]) for row in rows]
    return {
        name: float(np.average([float(row[name]) for row in rows], weights=weights))
        for name in ("accuracy", "loss")
    }


def _optimizer(
    model: keras.Model, settings: Train, steps_per_epoch: int
) -> keras.optimizers.Optimizer:
    """AdamW (Loshchilov 2019), its rate rising at first, then falling by a cosine."""
    warmup = min(WARMUP_EPOCHS, settings.epochs // 2)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        (settings.epochs - warmup) * steps_per_epoch,
        alpha=FLOOR,
        warmup_target=settings.learning_rate,
        warmup_steps=warmup * steps_per_epoch,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    optimizer.build(model.trainable_variables)
    return optimizer


def _progress_bar(learner: Learner, epochs: int) -> tqdm[Any]:
    steps = learner.steps_per_epoch
    return tqdm(
        desc=learner.model.name,
        total=epochs * steps,
        initial=len(learner.history) * steps,
        unit="batch",
    )
