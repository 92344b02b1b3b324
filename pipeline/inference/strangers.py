"""None of these: how far a clip lies from what the network was trained on.

Outputs are means over a clip's windows, one row per clip. Their features are split in two:

    features  =  directions in which the classes differ  +  all others
                 distance to the nearest class              distance to the middle

Both distances are squared and measured in standard deviations within classes (Mahalanobis). A
stranger of the same kind as the classes is far from each of them in the first; a video of another
kind, noise or a still picture is far in the second. The score is their sum, each over its median
among validation clips, the second raised to a power: what is far off there decides alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import BundleError
from pipeline.inference.card import Rejection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from pipeline.inference.runtime import Outputs

    Array = NDArray[np.float32]
    Arrays = dict[str, Array]

ARRAYS = "strangers.npz"  # the file in a bundle
KEPT = 0.95  # share of known clips that the threshold lets pass
_SHRINKAGE = 0.5  # of the covariance to a multiple of the identity: there are few groups to fit it
_RANK = 64  # axes of the covariance that are kept; the others share one variance
_POWER = 2.5
_TINY = 1e-6


def fit_rejection(
    train: Outputs,
    train_labels: NDArray[np.integer],
    validation: Outputs,
    validation_labels: NDArray[np.integer],
) -> tuple[Rejection, Arrays]:
    """The rejection, and the arrays that `stranger_score` needs, by name.

    The threshold lets KEPT of the validation clips pass.
    """
    arrays = _fitted(train.features, train_labels)
    arrays["medians"] = np.maximum(np.median(distances(arrays, validation.features), axis=0), _TINY)
    scores = _distance(arrays, validation)
    threshold = float(np.quantile(scores, KEPT))
    kept = float(np.mean(scores <= threshold))
    return Rejection("distance", threshold, kept), arrays


def stranger_score(
    rejection: Rejection, arrays: Mapping[str, Array], outputs: Outputs
) -> NDArray[np.float32]:
    """The score of each row, float32 [N]: above `rejection.threshold`, it is none of the classes.

    Raises a BundleError for a score that this version does not know.
    """
    if rejection.score not in SCORES:
        raise BundleError(
            f"the bundle rejects by {rejection.score!r}; this version knows {', '.join(SCORES)}: "
            "export the model again, with `dvc repro`"
        )
    return SCORES[rejection.score](arrays, outputs)


def _distance(arrays: Mapping[str, Array], outputs: Outputs) -> Array:
    of_classes, others = (distances(arrays, outputs.features) / arrays["medians"]).T
    return np.asarray(of_classes + others**_POWER, np.float32)


def distances(arrays: Mapping[str, Array], features: Array) -> Array:
    """The two squared distances of each row, [N, 2]: to the nearest class, and in all else."""
    x = (_spread(features) - arrays["mean"]) / arrays["scale"]
    place = x @ arrays["directions"]
    of_classes = ((place[:, None] - arrays["classes"]) ** 2).sum(axis=-1).min(axis=1)
    others = _squared_length(x, arrays) - (place**2).sum(axis=1)
    return np.asarray(np.stack([of_classes, np.maximum(others, 0)], axis=1), np.float32)


def _fitted(features: Array, labels: NDArray[np.integer]) -> Arrays:
    """Means, scales and axes of the features of known clips, and where the classes lie in them."""
    x = _spread(features).astype(np.float64)
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-3
    x = (x - mean) / scale
    _, rows, counts = np.unique(labels, return_inverse=True, return_counts=True)
    means = np.stack([x[rows == row].mean(axis=0) for row in range(len(counts))])
    axes, variance = _covariance(x - means[rows])
    directions = _directions(means * np.sqrt(counts / len(x))[:, None], axes, variance)
    arrays = {
        "mean": mean,
        "scale": scale,
        "axes": axes,
        "variance": variance,
        "directions": directions,
        "classes": means @ directions,
    }
    return {name: np.asarray(array, np.float32) for name, array in arrays.items()}


def _covariance(residuals: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The covariance within classes, shrunk and of low rank, as its inverse needs it.

    Its inverse is (identity − axes · axesᵀ) / variance.
    """
    covariance = residuals.T @ residuals / len(residuals)
    values, vectors = np.linalg.eigh(covariance)
    values, vectors = np.maximum(values[-_RANK:], 0), vectors[:, -_RANK:]
    variance = np.maximum(_SHRINKAGE * np.trace(covariance) / len(covariance), _TINY)
    kept = (1 - _SHRINKAGE) * values
    return vectors * np.sqrt(kept / (kept + variance)), np.asarray(variance)


def _directions(
    means: NDArray[np.float64], axes: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What tells the classes apart best (linear discriminants), [D, classes − 1].

    A product with them is a place in units of the standard deviation within classes.
    """
    solved = (means - (means @ axes) @ axes.T) / variance
    values, vectors = np.linalg.eigh(means @ solved.T)
    count = min(len(means) - 1, means.shape[1])
    values, vectors = values[-count:], vectors[:, -count:]
    return np.asarray(solved.T @ vectors / np.sqrt(np.maximum(values, _TINY)))


def _squared_length(x: Array, arrays: Mapping[str, Array]) -> Array:
    """In standard deviations within classes."""
    along = (x @ arrays["axes"]) ** 2
    return np.asarray(((x**2).sum(axis=1) - along.sum(axis=1)) / arrays["variance"], np.float32)


def _spread(features: Array) -> Array:
    """Square roots: features after a ReLU are many small ones and a few large ones."""
    return np.asarray(np.sign(features) * np.sqrt(np.abs(features)), np.float32)


SCORES = {"distance": _distance}
