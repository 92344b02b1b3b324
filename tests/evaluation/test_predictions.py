"""Accuracies and confusion against values worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.predictions import (
    Predictions,
    class_accuracies,
    confusion,
    examples,
    fuse,
    most_confused,
    read_predictions,
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


def test_predictions_come_back_from_disk_as_they_were(tmp_path: Path):
    path = tmp_path / "predictions.parquet"
    written = predictions([A, B], [0, 2], clips=["v", "w"], groups=["g", "h"])
    write_predictions(path, written)
    read = read_predictions(path)
    assert read.classes == written.classes
    for name in ("clips", "groups", "labels", "probabilities"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))


def test_an_example_is_a_classes_first_clip_by_name():
    some = predictions([A, B, B], [0, 0, 1], clips=["z", "x", "y"])
    assert examples(some) == {"a": "x", "b": "y"}
