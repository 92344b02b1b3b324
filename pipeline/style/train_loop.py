"""Resumable training of style networks, in steps, with a row of history now and then."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import keras
import numpy as np

from pipeline.errors import TrainingError
from pipeline.files import progress_bar
from pipeline.training.checkpoints import load_checkpoint, save_checkpoint

if TYPE_CHECKING:
    from tqdm import tqdm

log = logging.getLogger(__name__)

ROWS = 20  # of history, at most; each with a checkpoint and a validation

Metrics = dict[str, float]


class StyleTrainer(Protocol):
    """One training with its data; `network` is what is kept of it."""

    network: keras.Model

    @property
    def variables(self) -> dict[str, list[Any]]:
        """All state, to save and to restore, as variables that can be assigned."""

    def step(self, number: int) -> dict[str, Any]:
        """One step of training, numbered from 0; its losses."""

    def validate(self) -> dict[str, Any]:
        """Losses on held-out pictures."""


@dataclass(frozen=True)
class StyleTraining:
    """The history (at most ROWS rows of losses) and duration of a training."""

    history: list[Metrics]
    seconds: float


def train_in_steps(
    trainer: StyleTrainer,
    *,
    steps: int,
    state: Path,
    on_row: Callable[[int, Metrics], None] = lambda row, metrics: None,
) -> StyleTraining:
    """Train for `steps` steps; a row holds the means of its steps, and `val_` of held-out pictures.

    The folder `state` keeps the checkpoint: after a kill, the same call resumes from it. `on_row`
    is called with each row (from 1). A TrainingError names the step at which a loss was not finite.
    """
    checkpoint = state / "checkpoint.npz"
    history, seconds = _restore(trainer, checkpoint)
    length = math.ceil(steps / ROWS)
    with progress_bar(total=steps, initial=min(steps, len(history) * length), unit="step") as bar:
        while len(history) * length < steps:
            started = time.perf_counter()
            first = len(history) * length
            numbers = range(first, min(first + length, steps))
            row = _row(trainer, numbers, bar)
            history.append(row)
            seconds += time.perf_counter() - started
            _save(trainer, checkpoint, history, seconds)
            on_row(len(history), row)
    return StyleTraining(history, seconds)


def _row(trainer: StyleTrainer, numbers: range, bar: "tqdm[Any]") -> Metrics:
    logs = []
    for number in numbers:
        losses = {name: float(loss) for name, loss in trainer.step(number).items()}
        _check_finite(losses, number)
        logs.append(losses)
        bar.set_postfix({name: f"{loss:.3g}" for name, loss in losses.items()}, refresh=False)
        bar.update()
    held_out = {f"val_{name}": float(loss) for name, loss in trainer.validate().items()}
    return {name: float(np.mean([row[name] for row in logs])) for name in logs[0]} | held_out


def _check_finite(losses: Metrics, number: int) -> None:
    for name, loss in losses.items():
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss {name} is {loss} at step {number}, and must be a finite number; "
                "lower the learning_rate"
            )


def _save(trainer: StyleTrainer, path: Path, history: list[Metrics], seconds: float) -> None:
    groups = {
        name: [variable.numpy() for variable in variables]
        for name, variables in trainer.variables.items()
    }
    save_checkpoint(path, groups, {"history": history, "seconds": seconds})


def _restore(trainer: StyleTrainer, path: Path) -> tuple[list[Metrics], float]:
    """Resume from the checkpoint, if there is one: the history so far, and its seconds."""
    if (checkpoint := load_checkpoint(path)) is None:
        return [], 0.0
    groups, progress = checkpoint
    for name, variables in trainer.variables.items():
        for variable, value in zip(variables, groups[name], strict=True):
            variable.assign(value)
    log.info("training resumes after row %d of %d", len(progress["history"]), ROWS)
    return progress["history"], progress["seconds"]
