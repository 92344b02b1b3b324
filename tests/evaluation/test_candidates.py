"""Candidates: seeds aggregated, and paired tests between candidates."""

import numpy as np
import pytest

from pipeline.evaluation.candidates import Candidate, compare_pairs, summarize
from pipeline.evaluation.predictions import Predictions

CLIPS = 20  # two of each group


def videos(correct, clips=CLIPS):
    """A model that is correct on the first `correct` clips."""
    sure = np.arange(clips) < correct
    return Predictions(
        ("a", "b"),
        np.array([f"clip{i:02}" for i in range(clips)]),
        np.array([f"g{i // 2}" for i in range(clips)]),
        np.zeros(clips, np.int64),
        np.stack([sure, ~sure], axis=1).astype(np.float32),
    )


def test_seeds_have_a_mean_a_range_and_an_interval_of_the_mean():
    three = Candidate("csn (rgb)", {0: videos(20), 1: videos(16), 2: videos(18)})
    summary = summarize(three)
    assert (summary.seeds, summary.lowest, summary.highest) == ((0, 1, 2), 0.8, 1.0)
    assert summary.mean == pytest.approx(0.9)
    low, high = summary.ci95
    assert 0.5 < low < 0.75
    assert 0.95 < high <= 1


def test_a_clip_scores_the_share_of_seeds_that_are_correct():
    two = Candidate("csn (rgb)", {0: videos(20), 1: videos(10)})
    assert two.correct.tolist() == [1.0] * 10 + [0.5] * 10


def test_every_pair_is_tested_once_and_the_difference_is_first_minus_second():
    worst, good, best = (
        Candidate(name, {0: videos(n)}) for name, n in zip("abc", (4, 18, 20), strict=True)
    )
    pairs = compare_pairs([worst, good, best])
    assert [(pair.one, pair.other) for pair in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [pair.difference for pair in pairs] == pytest.approx([-0.7, -0.8, -0.1])
    assert pairs[0].p < 0.05
    assert pairs[2].p == 1  # one group can lean either way


def test_different_clips_are_never_compared():
    one, other = Candidate("a", {0: videos(2)}), Candidate("b", {0: videos(2, clips=10)})
    with pytest.raises(ValueError, match="a and b were evaluated on different clips"):
        compare_pairs([one, other])
    with pytest.raises(ValueError, match="the seeds of c were evaluated on different clips"):
        compare_pairs([Candidate("c", {0: videos(2), 1: videos(2, clips=10)}), one])
