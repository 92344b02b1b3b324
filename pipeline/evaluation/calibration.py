"""How far a model's probabilities can be taken at their word.

Measured on videos: predictions with one row per clip. The confidence of a row is the probability of
its likeliest class.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.predictions import Predictions

BINS = 10  # of confidence, equally wide: test splits have hundreds of clips, not thousands
_TINY = float(np.finfo(np.float32).tiny)  # a probability of 0 has no logarithm


@dataclass(frozen=True)
class Bin:
    """Rows of similar confidence: how many, how sure on average, and what share is correct."""

    count: int
    confidence: float
    accuracy: float


def confidence_metrics(videos: Predictions) -> dict[str, float]:
    """All of this module's single numbers, by name."""
    return {
        "expected_calibration_error": expected_calibration_error(videos),
        "negative_log_likelihood": negative_log_likelihood(videos),
        "top_2_accuracy": top_accuracy(videos, 2),
        "risk_coverage_area": float(risk_coverage(videos)[1].mean()),
    }


def reliability(videos: Predictions) -> list[Bin]:
    """The bins that hold any row, from the least confident to the most."""
    confidence = videos.probabilities.max(axis=1).astype(np.float64)
    places = np.minimum((confidence * BINS).astype(int), BINS - 1)
    members = [places == place for place in np.unique(places)]
    return [
        Bin(int(each.sum()), float(confidence[each].mean()), float(videos.correct[each].mean()))
        for each in members
    ]


def expected_calibration_error(videos: Predictions) -> float:
    """Mean distance of confidence and accuracy over the bins (Guo et al. 2017), in 0..1.

    Few clips make it too large: even honest probabilities scatter about each bin's mean.
    """
    gaps = [each.count * abs(each.confidence - each.accuracy) for each in reliability(videos)]
    return sum(gaps) / len(videos.labels)


def negative_log_likelihood(videos: Predictions) -> float:
    """Mean of −log of the true class's probability."""
    return float(log_losses(videos).mean())


def log_losses(videos: Predictions) -> np.ndarray:
    """−log of the probability of each row's true class, float64 [N]."""
    true = videos.probabilities[np.arange(len(videos.labels)), videos.labels]
    return np.asarray(-np.log(np.maximum(true, _TINY, dtype=np.float64)))


def top_accuracy(videos: Predictions, count: int) -> float:
    """Share of rows whose true class is among the `count` likeliest."""
    best = np.argsort(-videos.probabilities, axis=1, kind="stable")[:, :count]
    return float((best == videos.labels[:, None]).any(axis=1).mean())


def risk_coverage(videos: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Coverages, ascending, and the share of errors among the most confident rows of each.

    Where rows are equally confident, each counts with their mean.
    """
    confidence = videos.probabilities.max(axis=1)
    levels, rows, counts = np.unique(-confidence, return_inverse=True, return_counts=True)
    mean = np.bincount(rows, weights=~videos.correct, minlength=len(levels)) / counts
    ranks = np.arange(1, len(confidence) + 1)
    return ranks / len(confidence), np.cumsum(np.repeat(mean, counts)) / ranks
