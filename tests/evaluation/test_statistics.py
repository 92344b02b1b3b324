"""Intervals that cover, and tests that reject as often as they say."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binomtest

from pipeline.evaluation.statistics import (
    group_interval,
    interval_over_groups,
    paired_permutation_test,
)

ACCURACIES = (0.5, 0.7, 0.9, 0.95, 0.98, 0.995, 1.0)
GROUPS = (21, 42, 63, 189)
CLIPS = ((1, 1), (7, 7), (1, 7))  # fewest and most of a group
CORRELATIONS = (0.0, 0.3, 0.6, 1.0)  # of two clips of one group
TESTS = 1000  # simulated test splits of each kind


def simulated(accuracy, groups, clips, correlation):
    """Correct and all clips of each group, [TESTS, groups]: beta-binomial draws."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(clips[0], clips[1] + 1, (TESTS, groups))
    if correlation in (0, 1) or accuracy == 1:
        of_group = rng.random((TESTS, groups)) < accuracy if correlation else accuracy
    else:
        spread = (1 - correlation) / correlation
        of_group = rng.beta(accuracy * spread, (1 - accuracy) * spread, (TESTS, groups))
    return rng.binomial(sizes, of_group), sizes


def covered(accuracy, low, high):
    return float(np.mean((low <= accuracy) & (accuracy <= high)))


def bootstrap(correct, clips):
    """The percentile bootstrap that draws whole groups."""
    groups = clips.shape[1]
    drawn = np.random.default_rng(0).multinomial(groups, np.full(groups, 1 / groups), 200).T
    return np.percentile((correct @ drawn) / (clips @ drawn), [2.5, 97.5], axis=1)


@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("clips", CLIPS, ids=str)
def test_the_interval_covers_at_least_93_percent_in_every_simulated_setting(groups, clips):
    coverage = {
        (accuracy, correlation): covered(
            accuracy,
            *interval_over_groups(*simulated(accuracy, groups, clips, correlation)),
        )
        for accuracy, correlation in product(ACCURACIES, CORRELATIONS)
    }
    assert min(coverage.values()) >= 0.93, coverage


@pytest.mark.parametrize(("groups", "accuracy"), [(21, 0.98), (42, 0.98), (63, 0.98), (189, 0.995)])
def test_the_bootstrap_of_groups_fails_where_the_interval_covers(groups, accuracy):
    correct, clips = simulated(accuracy, groups, (1, 7), 0.6)
    assert covered(accuracy, *bootstrap(correct, clips)) < 0.8
    assert covered(accuracy, *interval_over_groups(correct, clips)) >= 0.93


def test_126_of_126_correct_is_no_certainty():
    low, high = interval_over_groups(np.full(42, 3), np.full(42, 3))
    assert (round(float(low), 3), float(high)) == (0.909, 1.0)
    assert interval_over_groups(np.zeros(42), np.full(42, 3))[0] == 0


def test_of_many_groups_of_one_clip_the_interval_is_nearly_clopper_pearsons():
    clips = np.ones(2000)
    found = interval_over_groups(np.arange(2000) < 1700, clips)
    exact = binomtest(1700, 2000).proportion_ci(method="exact")
    np.testing.assert_allclose(found, exact, atol=2e-4)


def test_the_interval_is_what_the_papers_give_by_hand():
    # 20 of 30 clips in ten groups of 3; with a correct and a wrong group more, 23 of 36 in twelve.
    correct, accuracy = np.array([3] * 6 + [2] + [0] * 3), 23 / 36
    residuals = 7 * (3 - 3 * accuracy) ** 2 + (2 - 3 * accuracy) ** 2 + 4 * (3 * accuracy) ** 2
    effect = 12 / 11 * residuals / 36**2 / (accuracy * (1 - accuracy) / 36)
    clips = (1.959964 / 2.262157) ** 2 * 30 / effect  # normal and t of 9 degrees, at 97.5 %
    low, high = interval_over_groups(correct, np.full(10, 3))
    assert low == pytest.approx(beta.ppf(0.025, clips * 2 / 3, clips / 3 + 1), abs=1e-6)
    assert high == pytest.approx(beta.ppf(0.975, clips * 2 / 3 + 1, clips / 3), abs=1e-6)


def test_one_group_says_nothing():
    low, high = group_interval(np.ones(9), groups=np.full(9, "g"))
    assert low < 0.01
    assert high == 1


def test_clips_of_one_group_count_little_more_than_one():
    correct = np.repeat(np.arange(20) < 15, 7)
    groups = np.repeat([f"g{i:02}" for i in range(20)], 7)
    together = group_interval(correct, groups=groups)
    alone = group_interval(correct, groups=np.arange(140).astype(str))
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


def test_groups_are_told_apart_by_name_in_any_order():
    correct, groups = np.array([1, 0, 1, 1, 0.5]), np.array(["a", "b", "a", "c", "b"])
    expected = interval_over_groups(np.array([2, 0.5, 1]), np.array([2, 2, 1]))
    np.testing.assert_allclose(group_interval(correct, groups=groups), expected)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), min_size=1))
def test_the_interval_holds_the_accuracy_and_lies_in_0_to_1(rows):
    correct = np.array([share for share, _ in rows])
    low, high = group_interval(correct, groups=np.array([group for _, group in rows]))
    assert 0 <= low <= correct.mean() + 1e-9
    assert correct.mean() - 1e-9 <= high <= 1


def test_p_of_few_groups_is_exact():
    leads = np.array([3.0, 2, 2, 1])
    assert paired_permutation_test(leads, alternative="greater") == 1 / 16
    assert paired_permutation_test(leads) == 2 / 16
    leads = np.array([3.0, 2, 2, -1])  # of 16 sums only 6 and 8 are as large
    assert paired_permutation_test(leads, alternative="greater") == 2 / 16
    assert paired_permutation_test(-leads, alternative="greater") == 15 / 16


@given(st.lists(st.integers(-3, 3), min_size=2, max_size=8))
def test_p_is_the_share_of_all_ways_to_swap_the_models(leads):
    sums = [
        sum(-lead if place in swapped else lead for place, lead in enumerate(leads))
        for count in range(len(leads) + 1)
        for swapped in combinations(range(len(leads)), count)
    ]
    as_large = np.mean([total >= sum(leads) for total in sums])
    p = paired_permutation_test(np.array(leads, float), alternative="greater")
    assert p == pytest.approx(as_large)


def test_p_of_many_groups_is_drawn_and_the_same_every_time():
    leads = np.r_[np.full(8, 3.0), np.zeros(20)]
    p = paired_permutation_test(leads, alternative="greater")
    assert p == pytest.approx(2**-8, abs=0.0015)
    assert p == paired_permutation_test(leads, alternative="greater")
    assert paired_permutation_test(-leads) == pytest.approx(2 * p, abs=0.003)


def test_p_is_never_0():
    assert paired_permutation_test(np.ones(100)) == pytest.approx(2 / 10_000)


def test_thirds_that_cancel_are_a_tie():
    assert paired_permutation_test(np.array([1, 1, 1, -3]) / 3) == 1
    assert paired_permutation_test(np.zeros(30)) == 1


def test_one_group_is_no_evidence():
    assert paired_permutation_test(np.array([5.0])) == 1


def test_equal_models_differ_as_often_as_p_says():
    leads = np.random.default_rng(0).normal(size=(400, 8))
    p = np.array([paired_permutation_test(each) for each in leads])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.02)
    assert np.mean(p < 0.5) == pytest.approx(0.5, abs=0.05)
