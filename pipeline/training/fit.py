"""Training of one model: good at any time, stops by itself, goes on after a kill."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from pipeline.errors import TrainingError
from pipeline.params import Train
from pipeline.training.average import MovingAverage
from pipeline.training.checkpoints import load_checkpoint, save_checkpoint

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
    validation: tf.data.Dataset,
    settings: Train,
    state: Path,
    on_epoch: Callable[[int, Metrics], None] = lambda epoch, metrics: None,
) -> Training:
    """Train `model`; it ends with the averaged weights of the epoch of least validation loss.

    `train(epoch)` gives the batches (x, labels) of that epoch (from 0) and of all later ones;
    `on_epoch` hears of each epoch (from 1) as it ends. The folder `state` keeps the checkpoint:
    after a kill, the same call goes on where it was. A TrainingError names the step at which the
    loss stopped being a number.
    """
    learner = Learner(model, settings=settings, steps_per_epoch=steps_per_epoch)
    checkpoint = state / "checkpoint.npz"
    learner.restore(checkpoint)
    batches = iter(train(len(learner.history)))
    checked = validation.map(learner.one_hot)
    with _progress_bar(learner, settings.epochs) as bar:
        while not (reason := stop_reason(learner.history, learner.seconds, settings)):
            metrics = learner.epoch(batches, checked, bar)
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
    """Epoch (from 1) of the least validation loss, the first of equals."""
    losses = [row["val_loss"] for row in history]
    return losses.index(min(losses)) + 1


def stop_reason(history: Sequence[Metrics], seconds: float, settings: Train) -> str:
    """Why training is over (`solved`, `patience`, `epochs`, `max_minutes`); empty: it is not."""
    if not history:
        return ""
    done = len(history)
    if history[-1]["val_accuracy"] >= settings.solved:
        return "solved"
    if done - best_epoch(history) >= settings.patience:
        return "patience"
    if done >= settings.epochs:
        return "epochs"
    # The limit holds for the end of the next epoch, not for its start.
    return "max_minutes" if seconds * (done + 1) / done > settings.max_minutes * 60 else ""


class Learner:
    """A model and all that its training remembers: optimizer, average, best weights, history."""

    def __init__(self, model: keras.Model, *, settings: Train, steps_per_epoch: int) -> None:
        self.model = model
        self.steps_per_epoch = steps_per_epoch
        self.compiled = _compiled(model, settings, steps_per_epoch)
        self.average = MovingAverage(model.weights, settings.average)
        self.best = _values(model.weights)
        self.history: list[Metrics] = []
        self.seconds = 0.0
        self.waited = 0.0

    def epoch(
        self, batches: Iterator[Any], validation: tf.data.Dataset, bar: "tqdm[Any]"
    ) -> Metrics:
        """One epoch of steps, then validation of the averaged weights; adds a row of history."""
        started = time.perf_counter()
        logs = self._steps(batches, bar)
        with self.average.applied():
            checked = self.compiled.evaluate(validation, return_dict=True, verbose=0)
            row = {**logs, **{f"val_{name}": value for name, value in checked.items()}}
            self.history.append(row)
            if best_epoch(self.history) == len(self.history):
                self.best = _values(self.model.weights)
        self.seconds += time.perf_counter() - started
        return row

    def one_hot(self, x: Any, labels: Any) -> tuple[Any, Any]:
        """The batch with labels as the loss wants them."""
        return x, tf.one_hot(labels, self.model.output_shape[-1])

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

    def _steps(self, batches: Iterator[Any], bar: "tqdm[Any]") -> Metrics:
        """The means over an epoch's batches."""
        rows: list[Metrics] = []
        for _ in range(self.steps_per_epoch):
            asked = time.perf_counter()
            x, labels = next(batches)
            self.waited += time.perf_counter() - asked
            logs = self.compiled.train_on_batch(*self.one_hot(x, labels), return_dict=True)
            self._check(logs["loss"])
            rows.append(logs)
            self.average.update()
            bar.update()
            bar.set_postfix(loss=f"{logs['loss']:.3f}", accuracy=f"{logs['accuracy']:.3f}")
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            optimizer = self.compiled.optimizer
            raise TrainingError(
                f"the loss of {self.model.name} is {loss} at step {int(optimizer.iterations)}, "
                f"and must be a finite number; lower train.learning_rate (here it was "
                f"{float(optimizer.learning_rate):.2g})"
            )

    def _variables(self) -> dict[str, list[Any]]:
        # `variables`, unlike `weights`, has dropout's random state too.
        return {
            "model": self.model.variables,
            "optimizer": self.compiled.optimizer.variables,
            "average": self.average.variables,
        }


def _values(variables: Sequence[Any]) -> list[np.ndarray]:
    return [variable.numpy().copy() for variable in variables]


def _compiled(model: keras.Model, settings: Train, steps_per_epoch: int) -> keras.Model:
    # A second model of the same layers: what is saved in the end stays free of optimizer state.
    compiled = keras.Model(model.input, model.output, name=model.name)
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
    optimizer.build(compiled.trainable_variables)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing)
    # XLA makes these networks 2 to 10 times slower on CPUs.
    compiled.compile(optimizer, loss, metrics=["accuracy"], jit_compile=False)
    return compiled


def _progress_bar(learner: Learner, epochs: int) -> "tqdm[Any]":
    steps = learner.steps_per_epoch
    return tqdm(
        desc=learner.model.name,
        total=epochs * steps,
        initial=len(learner.history) * steps,
        unit="batch",
    )
