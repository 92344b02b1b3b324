"""How strangers and calibration are judged, on answers that are made up."""

import numpy as np
import pytest

from benchmarks.trust import SCORES, Answers, auroc, far, honest_error
from pipeline.evaluation.calibration import expected_calibration_error
from tests.evaluation.test_calibration import honest


def answers(centre, count, *, seed, labels=None):
    """Clips around one place per class, each of two windows."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3 if labels is None else labels
    places = np.eye(3, 16)[labels] * 6 + centre
    features = np.maximum(places + rng.normal(size=(count, 16)), 0).astype(np.float32)
    logits = np.repeat(features[:, None, :3], 2, axis=1)
    clips = np.array([f"clip{number}" for number in range(count)])
    return Answers(
        clips, labels, np.array(["stills", "noise"])[np.arange(count) % 2], logits, features
    )


@pytest.fixture(scope="module")
def told():
    """Known clips around three classes; strangers elsewhere."""
    return {
        "train": answers(1, 90, seed=0),
        "validation": answers(1, 60, seed=1),
        "test": answers(1, 60, seed=2),
        "far": answers(4, 60, seed=3, labels=np.zeros(60, int)),
    }


@pytest.mark.parametrize(
    ("known", "strange", "expected"),
    [([1, 2], [3, 4], 1), ([3, 4], [1, 2], 0), ([1, 2], [1, 2], 0.5), ([1, 3], [2, 4], 0.75)],
)
def test_auroc_is_how_often_a_stranger_scores_higher(known, strange, expected):
    assert auroc(np.array(known), np.array(strange)) == expected


def test_every_score_is_judged_and_that_of_the_bundle_by_kind(told):
    found = far(told)
    assert set(found["auroc"]) == set(SCORES)
    assert found["auroc"]["bundle"] > 0.95
    assert set(found["auroc_by_kind"]) == {"noise", "stills"}
    assert found["known_kept"] >= 0.85
    assert found["strangers_rejected"] >= 0.9


def test_honest_probabilities_have_the_calibration_error_that_chance_gives():
    videos = honest(300)
    chance = honest_error(videos)
    assert expected_calibration_error(videos) < 1.5 * chance["95 %"]
    assert chance["mean"] == pytest.approx(0.05, abs=0.015)
