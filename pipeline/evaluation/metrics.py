"""The metrics of a model, or of a fusion of models, on the test split."""

from collections.abc import Mapping
from typing import Any

from pipeline.evaluation.calibration import confidence_metrics
from pipeline.evaluation.mistakes import close_pairs
from pipeline.evaluation.predictions import Predictions, class_accuracies
from pipeline.evaluation.statistics import group_interval

CLOSE_PAIRS = 3  # of classes, that metrics and report name


def evaluation_metrics(windows: Predictions, controls: Mapping[str, Predictions]) -> dict[str, Any]:
    """Accuracies in 0..1 of `windows`, of the videos that they make up, and of each control.

    `video_accuracy_low` and `_high` bound the 95 % interval over groups. `confidence` is of the
    probabilities as the network gives them, `close_pairs` of the classes it confuses most.
    """
    videos = windows.by_clip()
    low, high = group_interval(videos.correct, groups=videos.groups)
    return {
        "clip_accuracy": windows.accuracy,
        "video_accuracy": videos.accuracy,
        "video_accuracy_low": low,
        "video_accuracy_high": high,
        "test_clips": len(videos.clips),
        "test_groups": len(set(videos.groups.tolist())),
        "class_accuracy": class_accuracies(videos),
        "confidence": confidence_metrics(videos),
        "close_pairs": {
            f"{pair.one} and {pair.other}": pair.confused
            for pair in close_pairs(videos, CLOSE_PAIRS)
        },
        "controls": {name: each.accuracy for name, each in controls.items()},
    }
