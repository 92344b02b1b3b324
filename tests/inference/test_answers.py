"""Answers as JSON, CSV and tables."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.inference.answers import COLUMNS, NONE, open_writer
from pipeline.inference.classifier import Answer, JudgedWindow, Judgement

ROOT = Path(__file__).parents[2]
CLASSES = ("dog", "猫", "zebra")
KNOWN = Judgement(np.asarray([0.25, 0.7, 0.05], np.float32), -0.2)
STRANGE = Judgement(np.asarray([0.5, 0.3, 0.2], np.float32), 0.1)
ANSWER = Answer(
    CLASSES,
    2.5,
    KNOWN,
    (JudgedWindow(0.0, 1.875, KNOWN), JudgedWindow(0.625, 2.5, STRANGE)),
    {"0.90": ("dog", "猫")},
)


def written(kind, outcomes, *, coverage=None):
    """What a writer makes of outcomes by name."""
    stream = io.StringIO()
    writer = open_writer(kind, stream, list(outcomes), coverage=coverage)
    for name, outcome in outcomes.items():
        writer.write(name, "csn-rgb", outcome)
    return stream.getvalue()


def test_json_has_one_document_a_line():
    lines = written("json", {"a.avi": ANSWER, "b.avi": "it is cut off"}).splitlines()
    answer, failure = map(json.loads, lines)
    assert (answer["input"], answer["class"], answer["seconds"]) == ("a.avi", "猫", 2.5)
    assert list(answer["probabilities"].items()) == [("猫", 0.7), ("dog", 0.25), ("zebra", 0.05)]
    assert [(each["start"], each["class"]) for each in answer["windows"]] == [
        (0, "猫"),
        (0.625, None),
    ]
    assert failure == {"input": "b.avi", "model": "csn-rgb", "error": "it is cut off"}


@pytest.mark.parametrize("coverage", [None, "0.90"])
def test_json_follows_the_documented_schema(coverage):
    jsonschema = pytest.importorskip("jsonschema")
    page = (ROOT / "docs/classify.md").read_text(encoding="utf-8")
    schema = json.loads(page.partition("```json\n")[2].partition("```")[0])
    jsonschema.Draft202012Validator.check_schema(schema)
    outcomes = {"a.avi": ANSWER, "b.avi": "it is cut off"}
    for line in written("json", outcomes, coverage=coverage).splitlines():
        jsonschema.validate(json.loads(line), schema)


def test_a_prediction_set_is_told_on_request():
    assert json.loads(written("json", {"a": ANSWER}, coverage="0.90"))["set"] == ["dog", "猫"]
    assert "with 90%: dog, 猫" in written("table", {"a": ANSWER}, coverage="0.90")


def test_csv_has_a_row_for_the_video_and_one_for_each_window():
    text = written("csv", {"a,b.avi": ANSWER, "c.avi": "it is cut off"})
    header, *rows = csv.reader(io.StringIO(text))
    assert tuple(header) == COLUMNS
    assert rows == [
        ["a,b.avi", "csn-rgb", "video", "0.0", "2.5", "猫", "0.7", ""],
        ["a,b.avi", "csn-rgb", "window", "0.0", "1.875", "猫", "0.7", ""],
        ["a,b.avi", "csn-rgb", "window", "0.625", "2.5", NONE, "0.5", ""],
        ["c.avi", "csn-rgb", "video", "", "", "", "", "it is cut off"],
    ]


def test_a_table_of_one_video_shows_its_windows():
    _, whole, *windows = written("table", {"a.avi": ANSWER}).splitlines()
    assert whole == "a.avi            2.5  猫 70 %, dog 25 %, zebra 5 %"
    assert windows[1].split() == f"0.6–2.5 {NONE} (nearest: dog 50 %)".split()


def test_a_table_of_several_videos_has_a_line_for_each():
    lines = written("table", {"a.avi": ANSWER, "b.avi": "it is cut off"}).splitlines()
    assert len(lines) == 3
    assert lines[2].endswith("failed: it is cut off")
