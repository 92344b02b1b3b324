"""Probabilities that can be taken at their word: a temperature, and sets of stated coverage.

Logits are those of clips (`clip_logits`), float [N, classes]; labels are int [N].
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.evaluation.predictions import Predictions

COVERAGES = ("0.80", "0.90", "0.95")
_BOUNDS = (0.01, 100.0)  # of a temperature
_LEAST = 1e-30  # of a probability, for its logarithm


def probabilities(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
    """softmax(logits / temperature) over the last axis."""
    scaled = np.asarray(logits, np.float64) / temperature
    exponents = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True), np.float32)


def clip_logits(windows: NDArray[np.floating]) -> NDArray[np.float32]:
    """A clip's logits from its windows' [..., windows, classes]: the log of their mean probability.

    At temperature 1 they give evaluation's probabilities of the clip, and always its verdict.
    """
    return as_logits(probabilities(windows, 1.0).mean(axis=-2, dtype=np.float64))


def as_logits(probabilities: NDArray[np.floating]) -> NDArray[np.float32]:
    """Logits that mean these probabilities at temperature 1."""
    return np.asarray(np.log(np.maximum(probabilities, _LEAST)), np.float32)


def calibrated(windows: Predictions, temperature: float) -> Predictions:
    """One row per clip: the mean of its windows' probabilities, at the temperature."""
    videos = windows.by_clip()
    return replace(
        videos, probabilities=probabilities(as_logits(videos.probabilities), temperature)
    )


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The temperature of least cross-entropy against smoothed labels; 1 where there are no clips.

    Where every clip is classified correctly, plain labels drive the temperature to zero. Platt's
    (1999) targets, (N + 1) / (N + 2) for the true class, are the estimate that N clips support.
    """
    from scipy.optimize import minimize_scalar

    if not len(labels):
        return 1.0
    targets = _smoothed(labels, logits.shape[1])
    found = minimize_scalar(
        lambda log: _cross_entropy(logits, targets, math.exp(log)),
        bounds=tuple(map(math.log, _BOUNDS)),
        method="bounded",
    )
    return math.exp(found.x)


def conformal_thresholds(
    logits: NDArray[np.floating], labels: NDArray[np.integer], temperature: float
) -> dict[str, float]:
    """Stated coverage → threshold for `prediction_set` (Sadinle et al. 2019).

    A threshold of 1 takes every class: so few clips cannot promise that coverage otherwise.
    """
    chances = probabilities(logits, temperature)[np.arange(len(labels)), labels]
    scores = np.sort(1 - chances.astype(np.float64))
    return {coverage: _quantile(scores, float(coverage)) for coverage in COVERAGES}


def prediction_set(probabilities: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """Which classes are in the set, like `probabilities` [..., classes]; never none of them."""
    best = probabilities == probabilities.max(axis=-1, keepdims=True)
    return np.asarray(best | (1 - probabilities <= threshold))


def _smoothed(labels: NDArray[np.integer], classes: int) -> NDArray[np.float64]:
    rest = 1 / (len(labels) + 2)
    targets = np.full((len(labels), classes), rest / max(classes - 1, 1))
    targets[np.arange(len(labels)), labels] = 1 - rest
    return targets


def _cross_entropy(
    logits: NDArray[np.floating], targets: NDArray[np.float64], temperature: float
) -> float:
    scaled = np.asarray(logits, np.float64) / temperature
    top = scaled.max(axis=1, keepdims=True)
    log_sum = top + np.log(np.exp(scaled - top).sum(axis=1, keepdims=True))
    return float((targets * (log_sum - scaled)).sum(axis=1).mean())


def _quantile(ascending: NDArray[np.float64], coverage: float) -> float:
    """The score that a new clip stays under with this probability, given its peers' scores."""
    rank = math.ceil((len(ascending) + 1) * coverage)
    return float(ascending[rank - 1]) if rank <= len(ascending) else 1.0
