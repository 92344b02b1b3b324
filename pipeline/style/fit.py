"""Training of networks that paint: in steps, seen to by rows of history, going on after a kill."""

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

ROWS = 20  # of history, each with a checkpoint and a look at held-out pictures

Metrics = dict[str, float]


class Learner(Protocol):
    """What is trained: it brings its own pictures; `network` is what is kept of it."""

    network: keras.Model

    @property
    def variables(self) -> dict[str, list[Any]]:
        """All state, to save and to restore, as variables that can be assigned."""

    def step(self, number: int) -> dict[str, Any]:
        """One step of training, numbered from 0; its losses."""

    def check(self) -> dict[str, Any]:
        """Losses on held-out pictures."""


@dataclass(frozen=True)
class Training:
    """How a training went: `history` has at most ROWS rows of losses."""

    history: list[Metrics]
    seconds: float


def fit(
    learner: Learner,
    *,
    steps: int,
    state: Path,
    on_row: Callable[[int, Metrics], None] = lambda row, metrics: None,
) -> Training:
    """Train for `steps` steps; a row holds the means of its steps, and `val_` of held-out pictures.

    The folder `state` keeps the checkpoint: after a kill, the same call goes on where it was.
    `on_row` hears of each row (from 1). A TrainingError names the step at which a loss stopped
    being a number.
    """
    checkpoint = state / "checkpoint.npz"
    history, seconds = _restored(learner, checkpoint)
    length = math.ceil(steps / ROWS)
    with progress_bar(total=steps, initial=min(steps, len(history) * length), unit="step") as bar:
        while len(history) * length < steps:
            started = time.perf_counter()
            first = len(history) * length
            numbers = range(first, min(first + length, steps))
            row = _row(learner, numbers, bar)
            history.append(row)
            seconds += time.perf_counter() - started
            _save(learner, checkpoint, history, seconds)
            on_row(len(history), row)
    return Training(history, seconds)


def _row(learner: Learner, numbers: range, bar: "tqdm[Any]") -> Metrics:
    logs = []
    for number in numbers:
        losses = {name: float(loss) for name, loss in learner.step(number).items()}
        _demand_finite(losses, number)
        logs.append(losses)
        bar.set_postfix({name: f"{loss:.3g}" for name, loss in losses.items()}, refresh=False)
        bar.update()
    held_out = {f"val_{name}": float(loss) for name, loss in learner.check().items()}
    return {name: float(np.mean([row[name] for row in logs])) for name in logs[0]} | held_out


def _demand_finite(losses: Metrics, number: int) -> None:
    for name, loss in losses.items():
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss {name} is {loss} at step {number}, and must be a finite number; "
                "lower the learning_rate"
            )


def _save(learner: Learner, path: Path, history: list[Metrics], seconds: float) -> None:
    groups = {
        name: [variable.numpy() for variable in variables]
        for name, variables in learner.variables.items()
    }
    save_checkpoint(path, groups, {"history": history, "seconds": seconds})


def _restored(learner: Learner, path: Path) -> tuple[list[Metrics], float]:
    """Go on from the checkpoint, if there is one: the history so far, and what it took."""
    if (checkpoint := load_checkpoint(path)) is None:
        return [], 0.0
    groups, progress = checkpoint
    for name, variables in learner.variables.items():
        for variable, value in zip(variables, groups[name], strict=True):
            variable.assign(value)
    log.info("training goes on after row %d of %d", len(progress["history"]), ROWS)
    return progress["history"], progress["seconds"]
