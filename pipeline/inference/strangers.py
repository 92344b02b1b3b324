"""None of these: how far a clip lies from what the network was trained on.

Outputs are means over a clip's windows, one row per clip.
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

Arrays = dict[str, "NDArray[np.float32]"]

KEPT = 0.95  # share of known clips that the threshold lets pass
_NEIGHBOURS = 5


def fit_rejection(
    train: Outputs,
    train_labels: NDArray[np.integer],
    validation: Outputs,
    validation_labels: NDArray[np.integer],
) -> tuple[Rejection, Arrays]:
    """The rejection, and the arrays that `stranger_score` needs, by name.

    The threshold lets KEPT of the validation clips pass.
    """
    arrays = {"features": _unit(train.features)}
    scores = _neighbours(arrays, validation)
    threshold = float(np.quantile(scores, KEPT))
    kept = float(np.mean(scores <= threshold))
    return Rejection("neighbours", threshold, kept), arrays


def stranger_score(
    rejection: Rejection, arrays: Mapping[str, NDArray[np.float32]], outputs: Outputs
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


def _neighbours(arrays: Mapping[str, NDArray[np.float32]], outputs: Outputs) -> NDArray[np.float32]:
    """Distance to the nearest training clips, as an angle (Sun et al. 2022)."""
    likeness = _unit(outputs.features) @ arrays["features"].T
    nearest = np.sort(likeness, axis=1)[:, -_NEIGHBOURS:]
    return np.asarray(1 - nearest.mean(axis=1), np.float32)


def _unit(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Each row, scaled to length 1."""
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), np.float32)


SCORES = {"neighbours": _neighbours}
