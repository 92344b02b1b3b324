"""What several models got wrong together."""

import numpy as np

from pipeline.evaluation.mistakes import ClosePair, close_pairs, confused_pairs, most_misclassified
from pipeline.evaluation.predictions import Predictions

A, B, C = [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]
SURE_C = [0.0, 0.0, 1.0]


def videos(*predicted, groups=("g1", "g1", "g2", "g3")):
    """Four clips of class a."""
    return Predictions(
        ("a", "b", "c"),
        np.array([f"clip{i}" for i in range(4)]),
        np.array(groups),
        np.zeros(4, np.int64),
        np.asarray(predicted, np.float32),
    )


def test_clips_come_by_how_many_models_are_wrong_then_by_how_wrong():
    found = most_misclassified({"m": videos(A, A, B, SURE_C), "n": videos(B, A, A, C)}, 5)
    assert found[0].clip == "clip3"
    assert found[0].predicted == {"m": "c", "n": "c"}
    assert {each.clip: dict(each.predicted) for each in found[1:]} == {
        "clip0": {"n": "b"},
        "clip2": {"m": "b"},
    }


def test_of_a_groups_near_duplicates_only_the_worst_is_shown():
    found = most_misclassified({"m": videos(B, SURE_C, A, A)}, 5)
    assert [(each.clip, each.class_name) for each in found] == [("clip1", "a")]


def test_at_most_as_many_as_asked_for_and_none_where_all_are_right():
    assert len(most_misclassified({"m": videos(B, B, B, B)}, 2)) == 2
    assert most_misclassified({"m": videos(A, A, A, A)}, 2) == []


def test_pairs_count_either_way_and_over_all_models():
    other = Predictions(
        ("a", "b", "c"),
        np.array(["clip0"]),
        np.array(["g1"]),
        np.array([1]),
        np.asarray([A], np.float32),
    )
    pairs = confused_pairs({"m": videos(B, B, C, A), "n": other}, 5)
    assert pairs == [("a", "b", 3), ("a", "c", 1)]
    assert len(confused_pairs({"m": videos(B, B, C, A)}, 1)) == 1


def test_close_pairs_count_both_directions_among_the_clips_of_both_classes():
    rows = Predictions(
        ("a", "b", "c"),
        np.array([f"clip{i}" for i in range(6)]),
        np.array([f"clip{i}" for i in range(6)]),
        np.array([0, 0, 1, 1, 2, 2]),
        np.asarray([B, A, A, B, C, B], np.float32),
    )
    assert close_pairs(rows, 5) == [ClosePair("a", "b", 0.5), ClosePair("b", "c", 0.25)]
    assert close_pairs(rows, 1) == [ClosePair("a", "b", 0.5)]
