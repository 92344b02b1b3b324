"""Who is better by more than chance: seeds taken together, and every two tested against each other.

Models that differ in nothing but the seed are one contender, as right about a clip as the share of
its seeds that are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pipeline.evaluation.predictions import Predictions
from pipeline.evaluation.statistics import group_interval, paired_permutation_test


@dataclass(frozen=True)
class Contender:
    """The seeds of one network on one stream, and what each said of the same clips."""

    name: str
    videos: dict[int, Predictions]

    @property
    def right(self) -> np.ndarray:
        """The share of seeds that are right about each clip, float64 [clips]."""
        return np.asarray(np.mean([each.correct for each in self.videos.values()], axis=0))

    @property
    def clips(self) -> np.ndarray:
        """The clips' names; a ValueError tells of seeds that were tested on others."""
        first, *others = self.videos.values()
        if not all(np.array_equal(first.clips, each.clips) for each in others):
            raise ValueError(f"the seeds of {self.name} were tested on different clips")
        return first.clips

    @property
    def groups(self) -> np.ndarray:
        """The clips' groups."""
        return next(iter(self.videos.values())).groups


@dataclass(frozen=True)
class Summary:
    """Video accuracy of a contender: over its seeds, and over groups for the seeds' mean."""

    name: str
    seeds: tuple[int, ...]
    mean: float
    lowest: float
    highest: float
    ci95: tuple[float, float]


@dataclass(frozen=True)
class Pair:
    """By how much `one` is ahead of `other` in video accuracy, and how often chance does that."""

    one: str
    other: str
    difference: float
    p: float


def summarized(contender: Contender) -> Summary:
    """Mean and range over the seeds; the interval is over groups, of the mean."""
    accuracies = [each.accuracy for each in contender.videos.values()]
    return Summary(
        name=contender.name,
        seeds=tuple(contender.videos),
        mean=float(np.mean(accuracies)),
        lowest=min(accuracies),
        highest=max(accuracies),
        ci95=group_interval(contender.right, groups=contender.groups),
    )


def paired(contenders: Sequence[Contender]) -> list[Pair]:
    """Every two, once: a two-sided permutation test over the test groups."""
    return [_pair(one, other) for one, other in combinations(contenders, 2)]


def _pair(one: Contender, other: Contender) -> Pair:
    if not np.array_equal(one.clips, other.clips):
        raise ValueError(f"{one.name} and {other.name} were tested on different clips")
    lead = one.right - other.right
    _, rows = np.unique(one.groups, return_inverse=True)
    by_group = np.bincount(rows, weights=lead)
    return Pair(one.name, other.name, float(lead.mean()), paired_permutation_test(by_group))
