"""An inbox with a stand-in for the stylizer: results, records, failures, names."""

import errno
import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.__main__ import main
from pipeline.commands import stylize as command
from pipeline.errors import ClipError, StyleError
from pipeline.orchestration import inbox
from pipeline.orchestration.inbox import find, read_order, stylize, summarize
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
def stylized(form, monkeypatch):
    """The files that a stand-in for the stylizer was given; it copies those that say film."""
    given = []

    def copy(original, result):
        given.append(original.name)
        if original.read_bytes() != b"film":
            raise ClipError("it is cut off")
        result.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(original, result)

    use(monkeypatch, copy, [Path(form["style"])])
    monkeypatch.setattr("pipeline.style.flicker.flicker", lambda *_, **__: 0.125)
    monkeypatch.setattr(inbox, "_code", lambda: "this version")
    return given


def use(monkeypatch, stylize_file, files=()):
    monkeypatch.setattr(command, "file_stylizer", lambda *_, **__: (stylize_file, list(files)))


def fill(order, *names, content=b"film"):
    for name in names:
        (order.inbox / name).parent.mkdir(parents=True, exist_ok=True)
        (order.inbox / name).write_bytes(content)


def run(order):
    """What the DAG does; the batches."""
    batches = find(order)
    for batch in batches:
        stylize(order, batch, PARAMS)
    summarize(order)
    return batches


def manifest(order):
    return json.loads((order.folder / "manifest.json").read_text())


def test_each_video_has_a_result_and_a_row_of_the_manifest(order):
    fill(order, "a.avi", "deep/b.mov")
    run(order)
    assert (order.folder / "deep/b.mp4").read_bytes() == b"film"
    row = manifest(order)[1]
    assert row["video"] == "deep/b.mov"
    assert row["result"] == "deep/b.mp4"
    assert row["method"] == "nst"
    assert row["style"] == str(order.style)
    assert row["code"] == "this version"
    assert row["flicker"] == 0.125
    assert row["seconds"] >= 0
    assert row["settings"] == {**PARAMS.stylize.model_dump(), "size": 32}


def test_hidden_files_are_ignored(order):
    fill(order, "a.avi")
    fill(order, "._a.avi", "__MACOSX/a.avi", ".trash/b.avi", "Thumbs.db", content=b"noise")
    assert find(order) == [["a.avi"]]


def test_a_broken_video_is_set_aside_with_its_reason_and_the_rest_is_done(order, caplog):
    fill(order, "a.avi", "c.avi")
    fill(order, "b.avi", content=b"noise")
    caplog.set_level(logging.INFO)
    run(order)
    assert [row.get("error") for row in manifest(order)] == [None, "it is cut off", None]
    assert "set aside: b.avi: it is cut off" in caplog.messages
    assert f"2 videos are in {order.folder}" in caplog.messages


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("frames differ in size"), "ValueError: frames differ in size"),
        (PermissionError(errno.EACCES, "Permission denied"), "[Errno 13] Permission denied"),
        (MemoryError(), "MemoryError: "),
        (KeyError("key"), "KeyError: 'key'"),
    ],
)
def test_whatever_exception_one_video_causes_the_rest_is_done(order, monkeypatch, error, reason):
    def break_on_b(original, result):
        if original.name == "b.avi":
            raise error
        result.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(original, result)

    use(monkeypatch, break_on_b, [order.style])
    fill(order, "a.avi", "b.avi", "c.avi")
    run(order)
    assert [row.get("error") for row in manifest(order)] == [None, reason, None]
    assert find(order) == []


def test_a_video_that_vanishes_is_set_aside_and_the_rest_is_done(order):
    fill(order, "a.avi", "b.avi")
    batches = find(order)
    (order.inbox / "a.avi").unlink()
    stylize(order, batches[0], PARAMS)
    assert (order.folder / "b.mp4").is_file()
    fill(order, "a.avi")
    assert find(order) == [["a.avi"]]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interrupt_ends_the_batch_and_sets_nothing_aside(
    order, monkeypatch, error
):
    def stop(original, result):
        raise error

    use(monkeypatch, stop, [order.style])
    fill(order, "a.avi", "b.avi")
    with pytest.raises(type(error)):
        stylize(order, ["a.avi", "b.avi"], PARAMS)
    assert find(order) == [["a.avi", "b.avi"]]
    assert not list((order.folder / "records").iterdir())


KILLED = """
import os, sys, signal
from pathlib import Path
from pipeline.commands import stylize as command
from pipeline.orchestration import inbox
from pipeline.params import load_params
def crash(original, result):
    if original.name == "b.avi":
        os.kill(os.getpid(), signal.SIGSEGV)
    result.parent.mkdir(parents=True, exist_ok=True)
    result.write_bytes(original.read_bytes())
command.file_stylizer = lambda *_, **__: (crash, [])
inbox._code = lambda: "this version"
import pipeline.style.flicker
pipeline.style.flicker.flicker = lambda *_, **__: None
import json
form = json.loads(sys.argv[1])
inbox.stylize(inbox.read_order(form), ["a.avi", "b.avi", "c.avi"], load_params(Path("params.yaml")))
"""


def test_a_video_that_kills_the_process_is_set_aside_after_two_attempts(order, form):
    fill(order, "a.avi", "b.avi", "c.avi")
    command_line = (sys.executable, "-c", KILLED, json.dumps(form))
    statuses = [
        subprocess.run(command_line, cwd=ROOT, capture_output=True, check=False).returncode
        for _ in range(3)
    ]
    assert statuses == [-11, -11, 0]
    summarize(order)
    assert ["error" in row for row in manifest(order)] == [False, True, False]
    assert "was killed 2 times" in manifest(order)[1]["error"]
    assert find(order) == []


def test_done_or_set_aside_is_not_tried_again(order, stylized):
    fill(order, "a.avi")
    fill(order, "b.avi", content=b"noise")
    run(order)
    assert run(order) == []
    assert stylized == ["a.avi", "b.avi"]


def test_set_aside_is_tried_once_more_by_another_version_of_the_code(order, monkeypatch):
    fill(order, "a.avi")
    fill(order, "b.avi", content=b"noise")
    run(order)
    monkeypatch.setattr(inbox, "_code", lambda: "the next version")
    assert run(order) == [["b.avi"]]
    assert run(order) == []


def test_set_aside_is_tried_again_after_a_change_of_permissions(order):
    fill(order, "b.avi", content=b"noise")
    run(order)
    (order.inbox / "b.avi").chmod(0o600)
    assert find(order) == [["b.avi"]]


def test_a_record_of_an_earlier_version_is_read(order):
    """It has no key `code`, and its names are as they are."""
    fill(order, "a.avi", "b.avi")
    for name, outcome in {"a.avi": {"result": "a.mp4"}, "b.avi": {"error": "damaged"}}.items():
        mark = inbox._mark(order.inbox / name)
        record = {"video": name, "made_from": {str(order.inbox / name): mark}, **outcome}
        order.record_of(Path(name)).parent.mkdir(parents=True, exist_ok=True)
        order.record_of(Path(name)).write_text(json.dumps(record))
    (order.folder / "a.mp4").write_bytes(b"film")
    assert find(order) == [["b.avi"]]


def test_a_video_that_changes_or_loses_its_result_is_new(order):
    fill(order, "a.avi", "b.avi", "c.avi")
    run(order)
    os.utime(order.inbox / "a.avi", (1, 1))
    (order.folder / "b.mp4").unlink()
    assert find(order) == [["a.avi", "b.avi"]]


def test_another_style_image_of_the_same_name_makes_all_videos_new(order, form):
    fill(order, "a.avi", "b.avi")
    run(order)
    os.utime(form["style"], (1, 1))
    assert find(order) == [["a.avi", "b.avi"]]


def test_another_style_or_size_is_another_folder(order, form):
    fill(order, "a.avi")
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


def test_a_retried_batch_resumes(order, stylized):
    fill(order, "a.avi", "b.avi")
    stylize(order, ["a.avi"], PARAMS)
    stylize(order, ["a.avi", "b.avi"], PARAMS)
    assert stylized == ["a.avi", "b.avi"]


def test_batches_are_full_but_the_last_and_never_too_many(order, monkeypatch):
    monkeypatch.setattr(inbox, "BATCH", 2)
    fill(order, *["1.avi", "2.avi", "3.avi", "4.avi", "5.avi"])
    assert [len(batch) for batch in find(order)] == [2, 2, 1]
    monkeypatch.setattr(inbox, "BATCHES", 2)
    assert [len(batch) for batch in find(order)] == [3, 2]


def test_results_notes_and_hidden_files_are_not_videos_of_the_inbox(order, form):
    fill(order, "a.avi", "notes.txt", ".b.avi", "._a.avi", "nst-old/a.mp4")
    inner = read_order({**form, "outbox": str(order.inbox / "nst-old")})
    assert find(inner) == [["a.avi"]]


def test_of_two_videos_with_one_result_the_second_is_set_aside(order):
    fill(order, "a.avi", "a.mov", "a.txt")
    run(order)
    assert [row.get("error") for row in manifest(order)] == [
        None,
        "a.avi would become the same file; rename one",
    ]


@pytest.mark.parametrize("missing", ["inbox", "style"])
def test_a_missing_folder_or_style_is_an_error_before_any_work(form, missing):
    with pytest.raises(StyleError, match="nowhere"):
        find(read_order({**form, missing: "nowhere"}))


NAMES = [
    b"it's {{ 7 * 7 }} {% raw %}.avi",
    b"$HOME `ls` \\n.avi",
    b"-rf.avi",
    b"%41.avi",
    b"two\nlines.avi",
    b'a "quote".avi',
    b"caf\xe9.avi",  # Latin-1
    b"cafe\xcc\x81.avi",  # decomposed
    b"caf\xc3\xa9.avi",  # composed
    "映画 🎬.avi".encode(),
    b"n" * 251 + b".avi",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_video_of_any_name_is_stylized_once(order, name):
    fill(order, os.fsdecode(name))
    run(order)
    result = os.fsencode(order.folder) + b"/" + name[:-4] + b".mp4"
    assert Path(os.fsdecode(result)).is_file()
    (order.folder / "manifest.json").read_text().encode("utf-8")
    assert find(order) == []


def test_find_prints_the_batches_last_or_is_nothing_to_do(order, form, monkeypatch, capsys):
    monkeypatch.setenv("PARAMS", json.dumps(form))
    assert main(["inbox", "find"]) == NOTHING_TO_DO
    fill(order, "it's {{ odd }}.avi")
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


def test_on_several_machines_the_last_runs_networks_are_pulled_first(form, monkeypatch):
    monkeypatch.setenv("RETRAIN_REPOSITORY", "hub")
    monkeypatch.chdir(ROOT)
    events = []
    monkeypatch.setattr(inbox, "pull_networks", lambda: events.append("pull"))
    monkeypatch.setattr(inbox, "stylize", lambda *_: events.append("stylize"))
    for action in ("find", "stylize", "summarize"):
        inbox.run(action, [], form)
    assert events == ["pull", "stylize"]


@pytest.mark.parametrize("key", ["inbox", "outbox", "style"])
def test_no_path_of_the_form_leads_out_of_the_folders_that_are_allowed(
    form, tmp_path, monkeypatch, caplog, key
):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("FORM_FOLDERS", str(tmp_path))
    fill(read_order(form), "a.avi")
    for value, status in {form[key]: 0, "/etc": 1, f"{tmp_path}/../x": 1}.items():
        monkeypatch.setenv("PARAMS", json.dumps(form | {key: value}))
        assert main(["inbox", "find"]) == status
    assert f"{key} is /etc; here a form may name only what lies in" in caplog.text


@pytest.mark.parametrize("style", ["brush-fast", "models:/style@champion"])
def test_a_network_s_name_is_not_a_path(form, tmp_path, monkeypatch, style):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("FORM_FOLDERS", str(tmp_path))
    fill(read_order(form), "a.avi")
    monkeypatch.setenv("PARAMS", json.dumps(form | {"style": style, "method": "fast"}))
    assert main(["inbox", "find"]) == 0


@pytest.mark.parametrize("name", ["../a.avi", "/etc/passwd", "b/../../a.avi"])
def test_a_batch_holds_videos_of_the_inbox_alone(form, monkeypatch, caplog, name):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PARAMS", json.dumps(form))
    assert main(["inbox", "stylize", json.dumps([name])]) == 1
    assert f"{name} is not a video of" in caplog.text
