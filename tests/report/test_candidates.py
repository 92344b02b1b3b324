"""What the report says of candidates: seeds, and significant differences."""

import json

from pipeline.evaluation.candidates import Pair, Summary
from pipeline.report import candidates
from tests.report.example import cells

CSN = Summary("csn (rgb)", (0,), 0.9, 0.9, 0.9, (0.8, 1.0))
VGG = Summary("vgg_lstm (rgb)", (0, 1, 2), 0.95, 0.92, 0.97, (0.9, 1.0))
PAIR = Pair("csn (rgb)", "vgg_lstm (rgb)", -0.05, 0.01)


def test_one_seed_each_needs_no_table_of_seeds():
    assert candidates.markdown([CSN]) == ""
    assert candidates.section([CSN, CSN], [PAIR]).body.count("<table") == 1
    assert candidates.section([CSN, VGG], [PAIR]).body.count("<table") == 2


def test_seeds_stand_in_a_table_best_first():
    _, head, _, first, second = candidates.markdown([CSN, VGG]).splitlines()
    assert first == "| vgg_lstm (rgb) | 0, 1, 2 | 95.0% | 90.0% – 100.0% | 92.0% | 97.0% |"
    assert second.startswith("| csn (rgb) | 0 | 90.0% |")
    assert head.count("|") == first.count("|")


def test_the_matrix_shows_each_difference_with_both_signs():
    matrix = candidates.section([CSN, VGG], [PAIR]).body
    assert cells(matrix)[0] == ["vgg_lstm (rgb)", "–", "+5.0 (p 0.010)"]
    assert cells(matrix)[1] == ["csn (rgb)", "-5.0 (p 0.010)", "–"]


def test_significant_differences_are_listed_with_the_better_candidate_first():
    text = candidates.section([CSN, VGG], [PAIR]).body
    assert "vgg_lstm (rgb) over csn (rgb) (5.0 points, p 0.010)" in text
    tied = Pair("csn (rgb)", "vgg_lstm (rgb)", -0.05, 0.3)
    assert "No difference is significant" in candidates.section([CSN, VGG], [tied]).body


def test_a_single_candidate_has_no_section():
    assert candidates.section([VGG], []) is None


def test_the_document_holds_both_under_their_fields_names(tmp_path):
    candidates.write_json(tmp_path / "summary.json", [VGG], [PAIR])
    document = json.loads((tmp_path / "summary.json").read_text())
    assert document["candidates"][0]["ci95"] == [0.9, 1.0]
    assert document["paired"] == [
        {"one": "csn (rgb)", "other": "vgg_lstm (rgb)", "difference": -0.05, "p": 0.01}
    ]
