"""What the report says of models whose windows stood still."""

from dataclasses import replace

from pipeline.report import time_use
from tests.report.example import CSN, cells

MOVED = replace(CSN, ordered_accuracy=0.9, still_accuracy=0.5, shuffled_accuracy=0.8)
BLIND = replace(
    CSN, architecture="vgg_lstm", ordered_accuracy=0.9, still_accuracy=0.9, shuffled_accuracy=0.7
)


def test_rows_from_before_the_controls_make_no_section():
    assert time_use.section([CSN]) is None


def test_it_names_who_uses_time_most_and_least():
    section = time_use.section([BLIND, CSN, MOVED])
    text = section.body
    assert "csn (rgb) uses time most: it loses 40.0 points where nothing moves" in text
    assert "vgg_lstm (rgb) least, 0.0 points" in text
    assert "Out of order, vgg_lstm (rgb) loses most, 20.0 points" in text
    moved, blind = cells(text)
    assert moved == ["csn (rgb)", "90.0%", "50.0%", "40.0%", "80.0%", "10.0%"]
    assert blind[0] == "vgg_lstm (rgb)"


def test_one_model_is_compared_with_nobody():
    assert "csn (rgb) loses 40.0 points" in time_use.section([MOVED]).body
