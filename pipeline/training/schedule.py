"""The learning rate of each step: warm-up, stable, decay (Hägele et al. 2024)."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.params import Train

WARMUP_STEPS = 50
DECAY = 0.3  # share of all steps
TARGET_EPOCHS = 2  # a target that one epoch reaches may be luck on a small validation split
RATE_EPOCHS = 8  # the last epochs, whose speed predicts that of the next

Metrics = dict[str, float]


@dataclass
class Progress:
    """Where a training is in its schedule; what a checkpoint keeps of it."""

    step: int = 0  # done
    stable_left: int = 0  # steps until the decay
    decay_left: int = 0
    decayed: float = 0.0  # share of the decay that is done
    decay_cause: str = ""  # empty while the decay is not settled


class Schedule:
    """Learning rates whose decay ends as the budget does, or begins early.

        rate     ______________
                /              `-._
               /                   `-._
             warm-up   stable      decay

    The decay begins so that it ends with `max_steps` or `max_minutes`; earlier on reaching the
    target accuracy or on a plateau. It takes DECAY of all steps.
    """

    def __init__(self, settings: Train, steps_per_epoch: int) -> None:
        self.settings = settings
        self.steps_per_epoch = steps_per_epoch
        self.progress = Progress()

    def next_epoch(self, history: Sequence[Metrics]) -> int:
        """Plan on from `history`: the steps of the epoch that follows, 0 once annealed."""
        step = self.progress.step
        in_steps, in_time = self.settings.max_steps - step, self._affordable(history)
        if self.progress.decay_cause:
            self._shorten(in_time)
        elif cause := early_decay(history, self.settings, self.steps_per_epoch):
            decay = math.ceil(step * DECAY / (1 - DECAY))
            self._settle(cause, stable=0, decay=min(decay, in_steps, in_time))
        else:
            cause = "max_steps" if in_steps <= in_time else "max_minutes"
            left = min(in_steps, in_time)
            stable = max(0, round((step + left) * (1 - DECAY)) - step)
            settled = stable < self.steps_per_epoch
            self._settle(cause if settled else "", stable=stable, decay=left - stable)
        return min(self.steps_per_epoch, self.steps_left)

    @property
    def steps_left(self) -> int:
        """Steps until the end, as planned."""
        return self.progress.stable_left + self.progress.decay_left

    def advance(self) -> float:
        """Go one step on; the learning rate of that step."""
        now = self.progress
        rate = self.settings.learning_rate * self._warmth() * (1 - math.sqrt(now.decayed))
        now.step += 1
        if now.stable_left:
            now.stable_left -= 1
        else:
            now.decayed += (1 - now.decayed) / now.decay_left
            now.decay_left -= 1
        return rate

    def state(self) -> dict[str, Any]:
        """What `restore` resumes from."""
        return asdict(self.progress)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Resume where `state` was taken."""
        self.progress = Progress(**state)

    def _settle(self, cause: str, *, stable: int, decay: int) -> None:
        now = self.progress
        now.decay_cause, now.stable_left, now.decay_left = cause, stable, decay

    def _shorten(self, in_time: int) -> None:
        """Where the machine has become slower: a faster decay, but one of an epoch at least."""
        now = self.progress
        if self.steps_left > in_time:
            now.stable_left = 0
            now.decay_left = min(now.decay_left, in_time)

    def _affordable(self, history: Sequence[Metrics]) -> int:
        """The steps that `max_minutes` leave, at the speed of the last epochs."""
        if not history:
            return self.settings.max_steps
        recent = [0.0, *(row["seconds"] for row in history)][-RATE_EPOCHS - 1 :]
        per_epoch = (recent[-1] - recent[0]) / (len(recent) - 1)
        left = self.settings.max_minutes * 60 - recent[-1]
        epochs = min(left / per_epoch, self.settings.max_steps)
        return max(int(epochs * self.steps_per_epoch), self.steps_per_epoch)

    def _warmth(self) -> float:
        steps = max(1, min(WARMUP_STEPS, self.settings.max_steps // 10))
        return min(1.0, (self.progress.step + 1) / steps)


def early_decay(history: Sequence[Metrics], settings: Train, steps_per_epoch: int) -> str:
    """`target_accuracy` or `patience`, if validation says that the decay is due; else empty."""
    if not history or "val_loss" not in history[0]:
        return ""
    last = [row["val_accuracy"] for row in history[-TARGET_EPOCHS:]]
    if len(last) == TARGET_EPOCHS and sum(last) / TARGET_EPOCHS >= settings.target_accuracy:
        return "target_accuracy"
    waited = (len(history) - best_epoch(history)) * steps_per_epoch
    return "patience" if waited >= settings.patience else ""


def best_epoch(history: Sequence[Metrics]) -> int:
    """The first epoch (from 1) of least validation loss; without validation, the last epoch."""
    if "val_loss" not in history[0]:
        return len(history)
    losses = [row["val_loss"] for row in history]
    return losses.index(min(losses)) + 1
