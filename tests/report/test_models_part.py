"""The report's part on the models."""

from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from pipeline.report import curves, models_part
from pipeline.report.models_part import ModelDetails
from tests.report.example import CSN as BEST

NEAR = replace(BEST, architecture="vgg_lstm", video_accuracy=0.9, video_accuracy_ci95=(0.8, 0.95))
FAR = replace(
    BEST,
    architecture="resnet_lstm",
    seed=3,
    video_accuracy=0.5,
    video_accuracy_ci95=(0.4, 0.6),
    parameters=100_000,
)
EPOCHS = [
    {"epoch": 1.0, "accuracy": 0.5, "val_loss": 2.0, "val_accuracy": 0.4},
    {"epoch": 2.0, "accuracy": 0.9, "val_loss": 1.0, "val_accuracy": 0.7},
    {"epoch": 3.0, "accuracy": 0.95, "val_loss": 1.5, "val_accuracy": 0.8},
]


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Figure(figsize=(1, 1)).savefig(path, dpi=10)
    return path


def sections(picture, rows, mistakes=()):
    details = [ModelDetails("one", EPOCHS, picture, mistakes)]
    found = models_part.sections(rows, picture.read_bytes(), details)
    return {each.heading: each.body for each in found}


def test_the_lead_names_the_best_with_its_interval():
    lead = models_part.lead([FAR, BEST, NEAR])
    assert lead.startswith("csn (rgb) classifies 92.0% of 126 test clips")
    assert "85.0% to 97.0%" in lead


def test_models_equal_in_video_accuracy_are_ranked_by_clip_accuracy():
    assert models_part.lead(
        [BEST, replace(NEAR, video_accuracy=0.92, clip_accuracy=0.9)]
    ).startswith("vgg_lstm")


def test_it_says_which_differences_may_be_chance(picture):
    text = sections(picture, [FAR, BEST, NEAR])["Comparison"]
    assert "The intervals of vgg_lstm (rgb) reach up" in text
    assert "No other model&#39;s interval" in sections(picture, [FAR, BEST])["Comparison"]


def test_fusions_do_not_count_as_the_cheapest(picture):
    fused = replace(BEST, stream="rgb+flow", parameters=1)
    text = sections(picture, [FAR, BEST, fused])["Comparison"]
    assert "resnet_lstm (rgb, seed 3) is the smallest" in text


def test_training_clips_known_too_well_are_named(picture):
    assert "one (95% against 80%)" in sections(picture, [BEST])["Training"]


def test_mistakes_are_named_and_their_absence_too(picture):
    mistakes = [("a", "b", 3), ("b", "a", 1)]
    text = sections(picture, [BEST], mistakes)["Confusion"]
    assert "a as b (3×), b as a (1×)" in text
    assert "No mistake" in sections(picture, [BEST])["Confusion"]


def test_curves_have_a_panel_a_model():
    figure = curves.figure(dict.fromkeys("abcd", EPOCHS))
    assert sum(axes.get_visible() for axes in figure.axes) == 4


def test_a_history_is_read_as_numbers(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss\n1,0.5\n2,0.25\n")
    assert curves.read_history(tmp_path / "history.csv") == [
        {"epoch": 1.0, "loss": 0.5},
        {"epoch": 2.0, "loss": 0.25},
    ]
