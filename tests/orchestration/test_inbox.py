"""An inbox of videos, painted by a stand-in: what is made, recorded, set aside and left alone."""

import json
import logging
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.__main__ import main
from pipeline.commands import stylize
from pipeline.errors import ClipError, StyleError
from pipeline.orchestration import inbox
from pipeline.orchestration.inbox import find, paint, read_order, sum_up
from pipeline.orchestration.worktree import NOTHING_TO_DO
from pipeline.params import load_params

ROOT = Path(__file__).parents[2]
PARAMS = load_params(ROOT / "params.yaml")


@pytest.fixture
def form(tmp_path):
    cv2.imwrite(str(tmp_path / "wave.png"), np.full((20, 20, 3), 90, np.uint8))
    (tmp_path / "in").mkdir()
    return {
        "inbox": str(tmp_path / "in"),
        "outbox": str(tmp_path / "out"),
        "method": "nst",
        "style": str(tmp_path / "wave.png"),
        "size": 32,
        "preview": False,
    }


@pytest.fixture
def order(form):
    return read_order(form)


@pytest.fixture(autouse=True)
def painted(form, monkeypatch):
    """The files that a quick stand-in for the stylizer was given; it copies what says film."""
    asked = []

    def copy(original, result):
        asked.append(original.name)
        if original.read_bytes() != b"film":
            raise ClipError("it is cut off")
        result.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(original, result)

    files = [Path(form["style"])]
    monkeypatch.setattr(stylize, "file_painter", lambda *_, **__: (copy, files))
    monkeypatch.setattr("pipeline.style.flicker.flicker", lambda *_, **__: 0.125)
    return asked


def land(order, *names, content=b"film"):
    for name in names:
        (order.inbox / name).parent.mkdir(parents=True, exist_ok=True)
        (order.inbox / name).write_bytes(content)


def run(order):
    """What the DAG does; the batches."""
    batches = find(order)
    for batch in batches:
        paint(order, batch, PARAMS)
    sum_up(order)
    return batches


def manifest(order):
    return json.loads((order.folder / "manifest.json").read_text())


def test_each_video_becomes_a_result_and_a_row_of_the_manifest(order):
    land(order, "a.avi", "deep/b.mov")
    run(order)
    assert (order.folder / "deep/b.mp4").read_bytes() == b"film"
    row = manifest(order)[1]
    assert row["video"] == "deep/b.mov"
    assert row["result"] == "deep/b.mp4"
    assert row["method"] == "nst"
    assert row["style"] == str(order.style)
    assert row["flicker"] == 0.125
    assert row["seconds"] >= 0
    assert row["settings"] == {**PARAMS.stylize.model_dump(), "size": 32}


def test_hidden_files_are_ignored(order):
    land(order, "a.avi")
    land(order, "._a.avi", "__MACOSX/a.avi", ".trash/b.avi", "Thumbs.db", content=b"noise")
    assert find(order) == [["a.avi"]]


def test_a_broken_video_is_set_aside_with_its_reason_and_the_rest_is_done(order, caplog):
    land(order, "a.avi", "c.avi")
    land(order, "b.avi", content=b"noise")
    caplog.set_level(logging.INFO)
    run(order)
    assert [row.get("error") for row in manifest(order)] == [None, "it is cut off", None]
    assert "set aside: b.avi: it is cut off" in caplog.messages
    assert f"2 videos are in {order.folder}" in caplog.messages


def test_what_is_done_or_set_aside_is_not_tried_again(order, painted):
    land(order, "a.avi")
    land(order, "b.avi", content=b"noise")
    run(order)
    assert run(order) == []
    assert painted == ["a.avi", "b.avi"]


def test_a_video_that_changes_or_loses_its_result_is_new(order):
    land(order, "a.avi", "b.avi", "c.avi")
    run(order)
    os.utime(order.inbox / "a.avi", (1, 1))
    (order.folder / "b.mp4").unlink()
    assert find(order) == [["a.avi", "b.avi"]]


def test_another_picture_or_network_of_the_same_name_makes_all_videos_new(order, form):
    land(order, "a.avi", "b.avi")
    run(order)
    os.utime(form["style"], (1, 1))
    assert find(order) == [["a.avi", "b.avi"]]


def test_another_style_or_size_is_another_folder(order, form):
    land(order, "a.avi")
    run(order)
    for change in ({"size": 48}, {"preview": True}):
        other = read_order({**form, **change})
        assert find(other) == [["a.avi"]]
        run(other)
    assert sorted(path.name for path in order.outbox.iterdir()) == [
        "nst-wave-32",
        "nst-wave-32-preview",
        "nst-wave-48",
    ]
    assert find(order) == []


def test_a_batch_tried_again_goes_on_where_it_was(order, painted):
    land(order, "a.avi", "b.avi")
    paint(order, ["a.avi"], PARAMS)
    paint(order, ["a.avi", "b.avi"], PARAMS)
    assert painted == ["a.avi", "b.avi"]


def test_batches_are_full_but_the_last_and_never_too_many(order, monkeypatch):
    monkeypatch.setattr(inbox, "BATCH", 2)
    land(order, *["1.avi", "2.avi", "3.avi", "4.avi", "5.avi"])
    assert [len(batch) for batch in find(order)] == [2, 2, 1]
    monkeypatch.setattr(inbox, "BATCHES", 2)
    assert [len(batch) for batch in find(order)] == [3, 2]


def test_results_notes_and_hidden_files_are_no_videos_of_the_inbox(order, form):
    land(order, "a.avi", "notes.txt", ".b.avi", "nst-old/a.mp4")
    inner = read_order({**form, "outbox": str(order.inbox / "nst-old")})
    assert find(inner) == [["a.avi"]]


def test_of_two_videos_that_would_become_one_file_the_second_is_set_aside(order):
    land(order, "a.avi", "a.mov", "a.txt")
    run(order)
    assert [row.get("error") for row in manifest(order)] == [
        None,
        "a.avi would become the same file; rename one",
    ]


@pytest.mark.parametrize("missing", ["inbox", "style"])
def test_what_is_not_there_is_said_before_anything_is_painted(form, missing):
    with pytest.raises(StyleError, match="nowhere"):
        find(read_order({**form, missing: "nowhere"}))


def test_find_prints_the_batches_last_or_is_nothing_to_do(order, form, monkeypatch, capsys):
    monkeypatch.setenv("PARAMS", json.dumps(form))
    assert main(["inbox", "find"]) == NOTHING_TO_DO
    land(order, "it's {{ odd }}.avi")
    capsys.readouterr()
    assert main(["inbox", "find"]) == 0
    batches = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert batches == [["it's {{ odd }}.avi"]]
    monkeypatch.chdir(ROOT)
    assert main(["inbox", "stylize", json.dumps(batches[0])]) == 0
    assert main(["inbox", "summarize"]) == 0
    assert len(manifest(order)) == 1


def test_a_missing_style_is_one_message_and_status_1(form, monkeypatch, caplog):
    monkeypatch.setenv("PARAMS", json.dumps({**form, "style": "nowhere.jpg"}))
    assert main(["inbox", "find"]) == 1
    assert caplog.messages == ["the style nowhere.jpg does not exist; name a picture"]
