"""The confusion matrix as picture and rows."""

import numpy as np

from pipeline.evaluation.predictions import Predictions
from pipeline.report import confusion

VIDEOS = Predictions(
    ("Archery", "Surfing"),
    np.array(["v1", "v2", "v3"]),
    np.array(["g1", "g2", "g3"]),
    np.array([0, 0, 1]),
    np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], np.float32),
)


def test_each_video_is_a_row_of_actual_and_predicted(tmp_path):
    path = tmp_path / "confusion.csv"
    confusion.write_csv(path, VIDEOS)
    assert path.read_text().split() == [
        "actual,predicted",
        "Archery,Archery",
        "Archery,Surfing",
        "Surfing,Surfing",
    ]


def test_the_picture_shows_the_counts_at_their_places():
    axes = confusion.figure(VIDEOS, title="csn rgb").axes[0]
    shown = {(*text.get_position(), text.get_text()) for text in axes.texts}
    assert shown == {(0, 0, "1"), (1, 0, "1"), (1, 1, "1")}
    assert axes.get_title() == "csn rgb"
