"""What chance may do: intervals of an accuracy, and paired tests, both over whole groups.

Clips of a group are near-duplicates, so groups, not clips, are the independent units.
"""

from typing import Literal

import numpy as np
from scipy.special import betaincinv, stdtrit
from scipy.stats import permutation_test

_TAIL = 0.025  # of a 95 % interval
_RESAMPLES = 9_999
_BATCH = 1_000  # resamples held at once: faster, and less memory than all of them


def group_interval(correct: np.ndarray, *, groups: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean of `correct` [clips], each in 0..1; `groups` [clips] are names.

    Fractions are means over seeds. See `interval_over_groups` for the method.
    """
    _, rows = np.unique(groups, return_inverse=True)
    low, high = interval_over_groups(np.bincount(rows, weights=correct), np.bincount(rows))
    return float(low), float(high)


def interval_over_groups(correct: np.ndarray, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % intervals of accuracies, from the correct and all clips of each group, [..., groups].

    Korn and Graubard (1998): Clopper and Pearson's exact interval at the effective number of
    clips, which is the number of clips over their design effect. It does not collapse where
    every clip is correct, as a bootstrap does. One group says nothing: its interval is wide open.
    """
    total = clips.sum(axis=-1)
    accuracy = correct.sum(axis=-1) / total
    degrees = np.maximum(clips.shape[-1] - 1, 1)
    few_groups = (stdtrit(np.inf, _TAIL) / stdtrit(degrees, _TAIL)) ** 2
    effective = few_groups * total / _design_effect(correct, clips)
    return _clopper_pearson(accuracy * effective, (1 - accuracy) * effective)


def _design_effect(correct: np.ndarray, clips: np.ndarray) -> np.ndarray:
    """The variance of the accuracy over that of as many independent clips, at least 1.

    Two groups are added first, one all correct and one all wrong, as Agresti and Coull (1998) add
    clips: where errors fill few groups the plain estimate is too low (Franco et al. 2019).
    """
    size = (clips**2).sum(axis=-1, keepdims=True) / clips.sum(axis=-1, keepdims=True)
    clips = np.concatenate([clips, size, size], axis=-1)
    correct = np.concatenate([correct, size, np.zeros_like(size)], axis=-1)
    groups, total = clips.shape[-1], clips.sum(axis=-1)
    accuracy = correct.sum(axis=-1) / total
    residuals = correct - accuracy[..., None] * clips
    variance = groups / (groups - 1) * (residuals**2).sum(axis=-1) / total**2
    return np.asarray(np.maximum(variance * total / (accuracy * (1 - accuracy)), 1))


def _clopper_pearson(correct: np.ndarray, wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The exact binomial interval; counts may be fractions, which `scipy.stats.binomtest` bars."""
    tiny = np.finfo(float).tiny  # betaincinv is not defined at 0
    low = betaincinv(np.maximum(correct, tiny), wrong + 1, _TAIL)
    high = betaincinv(correct + 1, np.maximum(wrong, tiny), 1 - _TAIL)
    return np.where(correct > 0, low, 0.0), np.where(wrong > 0, high, 1.0)


def paired_permutation_test(
    leads: np.ndarray, *, alternative: Literal["two-sided", "greater"] = "two-sided"
) -> float:
    """p-value of one model's total lead over another; groups are the exchangeable units.

    `leads` [groups] is by how many clips the one is ahead in each group. Exact where all ways to
    swap the models number at most 9,999, else by as many draws from a fixed seed.
    """
    if len(leads) < 2:
        return 1.0  # scipy refuses one group, and it proves nothing
    result = permutation_test(
        (leads, np.zeros_like(leads)),
        _total_lead,
        permutation_type="samples",
        n_resamples=_RESAMPLES,
        batch=_BATCH,
        alternative=alternative,
        rng=np.random.default_rng(0),
        vectorized=True,
    )
    return float(result.pvalue)


def _total_lead(one: np.ndarray, other: np.ndarray, axis: int) -> np.ndarray:
    """Rounded, for thirds of a clip (means over seeds) tie only so."""
    return np.asarray((one - other).sum(axis=axis).round(9))
