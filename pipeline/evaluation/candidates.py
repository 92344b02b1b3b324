"""Candidates: the seeds of a network aggregated, and every pair of candidates tested.

Models that differ only in the seed are one candidate; on each clip it scores the share of its seeds
that are correct.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pipeline.evaluation.predictions import Predictions
from pipeline.evaluation.statistics import group_interval, paired_permutation_test


@dataclass(frozen=True)
class Candidate:
    """One network on one stream: the predictions of each seed for the same clips."""

    name: str
    videos: dict[int, Predictions]

    @property
    def correct(self) -> np.ndarray:
        """The share of seeds that are correct on each clip, float64 [clips]."""
        return np.asarray(np.mean([each.correct for each in self.videos.values()], axis=0))

    @property
    def clips(self) -> np.ndarray:
        """The clips' names; ValueError if the seeds were evaluated on different clips."""
        first, *others = self.videos.values()
        if not all(np.array_equal(first.clips, each.clips) for each in others):
            raise ValueError(f"the seeds of {self.name} were evaluated on different clips")
        return first.clips

    @property
    def groups(self) -> np.ndarray:
        """The clips' groups."""
        return next(iter(self.videos.values())).groups


@dataclass(frozen=True)
class Summary:
    """Video accuracy of a candidate over its seeds; `ci95` is of their mean, over groups."""

    name: str
    seeds: tuple[int, ...]
    mean: float
    lowest: float
    highest: float
    ci95: tuple[float, float]


@dataclass(frozen=True)
class Pair:
    """Video accuracy of `one` minus that of `other`, and the p-value of the paired test."""

    one: str
    other: str
    difference: float
    p: float


def summarize(candidate: Candidate) -> Summary:
    """Mean and range over the seeds; the interval is over groups, of the mean."""
    accuracies = [each.accuracy for each in candidate.videos.values()]
    return Summary(
        name=candidate.name,
        seeds=tuple(candidate.videos),
        mean=float(np.mean(accuracies)),
        lowest=min(accuracies),
        highest=max(accuracies),
        ci95=group_interval(candidate.correct, groups=candidate.groups),
    )


def compare_pairs(candidates: Sequence[Candidate]) -> list[Pair]:
    """Test every pair once: a two-sided permutation test over the test groups."""
    return [_pair(one, other) for one, other in combinations(candidates, 2)]


def _pair(one: Candidate, other: Candidate) -> Pair:
    if not np.array_equal(one.clips, other.clips):
        raise ValueError(f"{one.name} and {other.name} were evaluated on different clips")
    lead = one.correct - other.correct
    _, rows = np.unique(one.groups, return_inverse=True)
    by_group = np.bincount(rows, weights=lead)
    return Pair(one.name, other.name, float(lead.mean()), paired_permutation_test(by_group))
