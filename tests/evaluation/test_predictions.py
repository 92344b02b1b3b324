"""Accuracies, intervals and confusion against values worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.predictions import (
    Predictions,
    class_accuracies,
    confusion,
    examples,
    fuse,
    group_interval,
    interval,
    most_confused,
    read_predictions,
    sign_flip,
    write_predictions,
)


def predictions(guesses, labels, clips=None, groups=None) -> Predictions:
    clips = clips or [f"clip{i}" for i in range(len(labels))]
    groups = groups or clips
    return Predictions(
        ("a", "b", "c"),
        np.asarray(clips),
        np.asarray(groups),
        np.asarray(labels),
        np.asarray(guesses, np.float32),
    )


A, B, C = [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]


def test_accuracy_is_the_share_of_rows_whose_likeliest_class_is_true():
    assert predictions([A, B, C, A], [0, 1, 1, 1]).accuracy == 0.5


def test_a_video_averages_its_windows_so_that_one_sure_window_outvotes_two_unsure():
    unsure = [0.45, 0.55, 0.0]
    windows = predictions([[1, 0, 0], unsure, unsure], [0, 0, 0], clips=["v", "v", "v"])
    assert windows.accuracy == pytest.approx(1 / 3)
    assert windows.by_clip().accuracy == 1
    np.testing.assert_allclose(windows.by_clip().probabilities, [[1.9 / 3, 1.1 / 3, 0]], rtol=1e-6)


def test_by_clip_keeps_each_clips_own_group_and_label():
    videos = predictions(
        [A, B, C, B], [0, 1, 2, 1], clips=["z", "y", "x", "y"], groups=["gz", "gy", "gx", "gy"]
    ).by_clip()
    assert videos.clips.tolist() == ["x", "y", "z"]
    assert videos.groups.tolist() == ["gx", "gy", "gz"]
    assert videos.labels.tolist() == [2, 1, 0]


def test_fusion_is_the_mean_of_both_models():
    fused = fuse(predictions([[0.6, 0.4, 0.0]], [1]), predictions([[0.2, 0.8, 0.0]], [1]))
    np.testing.assert_allclose(fused.probabilities, [[0.4, 0.6, 0]], rtol=1e-6)


def test_models_over_different_windows_cannot_be_fused():
    with pytest.raises(ValueError, match="same windows"):
        fuse(predictions([A], [0], clips=["one"]), predictions([A], [0], clips=["other"]))


def test_confusion_counts_true_classes_in_rows():
    counts = confusion(predictions([A, B, B], [0, 0, 2]))
    assert counts.tolist() == [[1, 1, 0], [0, 0, 0], [0, 1, 0]]


def test_class_accuracies_are_by_name_and_zero_without_clips():
    shares = class_accuracies(predictions([A, B, B], [0, 0, 1]))
    assert shares == {"a": 0.5, "b": 1.0, "c": 0.0}


def test_most_confused_lists_mistakes_by_frequency_and_never_right_answers():
    mistaken = predictions([B, B, A, C], [0, 0, 1, 2])
    assert most_confused(mistaken, 5) == [("a", "b", 2), ("b", "a", 1)]


def test_the_interval_of_one_group_is_its_accuracy():
    only = predictions([A, B], [0, 0], groups=["g", "g"])
    assert interval(only, resamples=100) == (0.5, 0.5)


def test_clips_of_one_group_widen_the_interval_as_if_they_were_one():
    guesses, labels = [A] * 20 + [B] * 20, [0] * 40
    alone = interval(predictions(guesses, labels), resamples=2000)
    grouped = interval(
        predictions(guesses, labels, groups=[f"g{i // 10}" for i in range(40)]), resamples=2000
    )
    assert grouped[1] - grouped[0] > 2 * (alone[1] - alone[0])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 5)), min_size=1))
def test_the_interval_lies_in_0_to_1_and_is_the_same_every_time(rows):
    some = predictions(
        [(A, B, C)[guess] for guess, _, _ in rows],
        [label for _, label, _ in rows],
        groups=[f"g{group}" for _, _, group in rows],
    )
    low, high = interval(some, resamples=200)
    assert 0 <= low <= high <= 1
    assert (low, high) == interval(some, resamples=200)


def test_predictions_come_back_from_disk_as_they_were(tmp_path: Path):
    path = tmp_path / "predictions.parquet"
    written = predictions([A, B], [0, 2], clips=["v", "w"], groups=["g", "h"])
    write_predictions(path, written)
    read = read_predictions(path)
    assert read.classes == written.classes
    for name in ("clips", "groups", "labels", "probabilities"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))


def test_chance_brings_a_lead_in_few_groups_often_and_one_in_many_seldom():
    many, few = np.r_[np.full(10, 3), np.zeros(10)], np.r_[np.full(2, 3), np.zeros(18)]
    assert sign_flip(many) < 0.01
    assert sign_flip(few) > 0.2
    assert sign_flip(-many) == 1
    assert sign_flip(np.zeros(20)) == 1


def test_of_two_sides_either_model_may_lead():
    leads = np.array([3, 2, 1, 1, 0, -1])
    assert sign_flip(leads, two_sided=True) == sign_flip(-leads, two_sided=True)
    assert sign_flip(leads, two_sided=True) == pytest.approx(2 * sign_flip(leads), rel=0.1)


def test_with_few_groups_p_is_what_counting_all_signs_gives():
    assert sign_flip(np.array([1 / 3, 1 / 3, 1 / 3])) == pytest.approx(1 / 8, abs=0.01)


def test_the_interval_of_shares_shrinks_where_seeds_agree_less_with_chance():
    groups = np.array([f"g{i}" for i in range(40)])
    one_seed = group_interval(np.arange(40) % 2, groups=groups, resamples=2000)
    halves = group_interval(np.full(40, 0.5), groups=groups, resamples=2000)
    assert halves == (0.5, 0.5)
    assert one_seed[0] < 0.4 < 0.6 < one_seed[1]


def test_an_example_is_a_classes_first_clip_by_name():
    some = predictions([A, B, B], [0, 0, 1], clips=["z", "x", "y"])
    assert examples(some) == {"a": "x", "b": "y"}
