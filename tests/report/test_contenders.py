"""How the report tells chance from a lead."""

import json

from pipeline.evaluation.contenders import Pair, Summary
from pipeline.report import contenders

CSN = Summary("csn (rgb)", (0,), 0.9, 0.9, 0.9, (0.8, 1.0))
VGG = Summary("vgg_lstm (rgb)", (0, 1, 2), 0.95, 0.92, 0.97, (0.9, 1.0))
PAIR = Pair("csn (rgb)", "vgg_lstm (rgb)", -0.05, 0.01)


def test_one_seed_each_needs_no_table_of_seeds():
    assert contenders.markdown([CSN]) == ""
    assert len(contenders.section([CSN, CSN], [PAIR]).blocks) == 2


def test_seeds_stand_in_a_table_best_first():
    _, head, _, first, second = contenders.markdown([CSN, VGG]).splitlines()
    assert first == "| vgg_lstm (rgb) | 0, 1, 2 | 95.0% | 90.0% – 100.0% | 92.0% | 97.0% |"
    assert second.startswith("| csn (rgb) | 0 | 90.0% |")
    assert head.count("|") == first.count("|")


def test_the_matrix_shows_each_lead_from_both_sides():
    matrix = contenders.section([CSN, VGG], [PAIR]).blocks[1]
    assert "<td>vgg_lstm (rgb)</td><td>–</td><td>+5.0 (p 0.010)</td>" in matrix
    assert "<td>csn (rgb)</td><td>-5.0 (p 0.010)</td><td>–</td>" in matrix


def test_leads_beyond_chance_are_named_with_the_better_one_first():
    text = contenders.section([CSN, VGG], [PAIR]).blocks[0]
    assert "vgg_lstm (rgb) over csn (rgb) (5.0 points, p 0.010)" in text
    tied = Pair("csn (rgb)", "vgg_lstm (rgb)", -0.05, 0.3)
    assert "No difference is beyond chance" in contenders.section([CSN, VGG], [tied]).blocks[0]


def test_a_single_contender_has_nobody_to_beat():
    assert contenders.section([VGG], []) is None


def test_the_document_holds_both_under_their_fields_names(tmp_path):
    contenders.write_json(tmp_path / "summary.json", [VGG], [PAIR])
    document = json.loads((tmp_path / "summary.json").read_text())
    assert document["contenders"][0]["ci95"] == [0.9, 1.0]
    assert document["paired"] == [
        {"one": "csn (rgb)", "other": "vgg_lstm (rgb)", "difference": -0.05, "p": 0.01}
    ]
