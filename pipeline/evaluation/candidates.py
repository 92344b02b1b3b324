"""Candidates: the seeds of a network aggregated, and every pair of candidates tested.

Models that differ only in the seed are one candidate; on each clip it scores the share of its seeds
that are correct.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from pipeline.evaluation.metrics import evaluation_metrics
from pipeline.evaluation.predictions import Predictions, fuse
from pipeline.evaluation.statistics import group_interval, paired_permutation_test
from pipeline.models import SCRATCH

_SUMMED = ("parameters", "size_bytes", "train_seconds", "gflops")


@dataclass(frozen=True)
class EvaluatedModel:
    """A trained model, or a fusion of two, and what its training and evaluation wrote.

    `record` is record.json, `metrics` metrics.json; `windows` and `controls` are predictions;
    `forms` is what `export` measured of each form, by its name.
    """

    name: str
    architecture: str
    stream: str
    seed: int
    backbone: str
    record: Mapping[str, Any]
    metrics: Mapping[str, Any]
    windows: Predictions
    controls: Mapping[str, Predictions]
    forms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def videos(self) -> Predictions:
        """One prediction per clip."""
        return self.windows.by_clip()


def fusions(models: Sequence[EvaluatedModel]) -> list[EvaluatedModel]:
    """Late fusions of rgb and flow, where both share architecture and seed and are from scratch."""
    flow = {
        (each.architecture, each.seed): each
        for each in models
        if each.stream == "flow" and each.backbone == SCRATCH
    }
    return [
        _fusion(each, flow[each.architecture, each.seed])
        for each in models
        if each.stream == "rgb"
        and each.backbone == SCRATCH
        and (each.architecture, each.seed) in flow
    ]


def _fusion(one: EvaluatedModel, other: EvaluatedModel) -> EvaluatedModel:
    """Both models on the same windows: their costs add up."""
    windows = fuse(one.windows, other.windows)
    controls = {name: fuse(each, other.controls[name]) for name, each in one.controls.items()}
    latency = one.metrics["latency_ms"] + other.metrics["latency_ms"]
    wait = max(each.record["data_wait_fraction"] for each in (one, other))
    costs = {key: one.record[key] + other.record[key] for key in _SUMMED}
    return replace(
        one,
        name=f"{one.name}+{other.name}",
        stream=f"{one.stream}+{other.stream}",
        record={**one.record, **costs, "data_wait_fraction": wait},
        metrics={**evaluation_metrics(windows, controls), "latency_ms": latency},
        windows=windows,
        controls=controls,
        forms={},
    )


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


def network_name(architecture: str, backbone: str) -> str:
    """The architecture, marked as pretrained if its backbone is."""
    return architecture if backbone == SCRATCH else f"{architecture}, pretrained"


def candidates_of(models: Sequence[EvaluatedModel]) -> list[Candidate]:
    """Models that differ only in the seed, grouped; a model that differs in more stands alone."""
    videos: dict[str, dict[int, Predictions]] = defaultdict(dict)
    for model in models:
        name = f"{network_name(model.architecture, model.backbone)} ({model.stream})"
        if model.seed in videos[name]:
            name = model.name
        videos[name][model.seed] = model.videos
    return [Candidate(name, seeds) for name, seeds in videos.items()]


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
