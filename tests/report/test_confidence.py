"""What the report says of probabilities."""

import numpy as np

from pipeline.evaluation.predictions import Predictions
from pipeline.report import confidence
from pipeline.report.confidence import Confidence
from tests.report.example import cells


def videos(sure):
    """Five clips; the last, least confident one is wrong."""
    names = np.array([f"clip{i}" for i in range(5)])
    chances = np.array([[sure, 1 - sure]] * 4 + [[0.6, 0.4]], np.float32)
    return Predictions(("a", "b"), names, names, np.array([0, 0, 0, 0, 1]), chances)


MODEL = Confidence("csn-rgb", temperature=0.5, raw=videos(0.75), calibrated=videos(0.95))


def test_a_row_says_how_far_the_temperature_helps():
    found = cells(confidence.section([MODEL]).body)
    assert found == [
        ["csn-rgb", "0.50", "32.0%", "16.0%", "0.41", "0.22", "20.0%", "0.0%", "100.0%"]
    ]


def test_each_model_has_a_panel_and_all_share_one():
    drawn = confidence.figure([MODEL] * 4)
    titles = [panel.get_title() for panel in drawn.axes if panel.get_visible()]
    assert titles == ["csn-rgb"] * 4 + ["most confident clips"]
