"""Tables and figure of the comparison."""

import csv
import json
from dataclasses import asdict, replace

from pipeline.report import comparison
from tests.report.example import CSN

VGG = replace(CSN, architecture="vgg_lstm", video_accuracy=0.95, video_accuracy_ci95=(0.9, 1.0))


def test_json_is_a_list_of_rows_under_the_fields_names(tmp_path):
    comparison.write_json(tmp_path / "rows.json", [CSN, VGG])
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert rows == [
        asdict(row) | {"video_accuracy_ci95": [*row.video_accuracy_ci95]} for row in (CSN, VGG)
    ]


def test_csv_has_the_interval_in_two_columns(tmp_path):
    comparison.write_csv(tmp_path / "rows.csv", [CSN])
    with (tmp_path / "rows.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["video_accuracy_low"], row["video_accuracy_high"]) == ("0.85", "0.97")
    assert "video_accuracy_ci95" not in row
    assert row["hardware"] == "a laptop"


def test_the_table_for_people_puts_the_best_first_and_says_what_was_measured_on_what():
    head, _, first, second, _, caption = comparison.markdown([CSN, VGG]).splitlines()
    assert first.startswith("| vgg_lstm | rgb | 0 | 95.0% (90.0% – 100.0%) | 87.5% | 0.22 M |")
    assert second.startswith("| csn ")
    assert head.count("|") == first.count("|")
    assert "126 test clips of 42 groups in 6 classes, split 1" in caption
    assert "a laptop, 2 threads" in caption


def test_the_table_tells_a_pretrained_network_from_one_from_scratch():
    pretrained = replace(VGG, backbone="mobilenet")
    _, _, first, second, *_ = comparison.markdown([pretrained, CSN]).splitlines()
    assert first.startswith("| vgg_lstm, pretrained | rgb |")
    assert second.startswith("| csn | rgb |")


def test_the_figure_has_a_panel_a_cost_and_a_point_a_row():
    panels = comparison.figure([CSN, VGG]).axes
    assert [panel.get_xlabel() for panel in panels] == [
        "parameters",
        "size on disk (bytes)",
        "training time (s)",
    ]
    assert all(len(panel.containers) == 2 for panel in panels)
