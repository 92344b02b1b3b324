"""The command as people call it: inputs, forms of output, captions, and what goes wrong."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.commands import classify
from pipeline.video.probe import probe
from tests.inference.example import CLASSES

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(bundles, monkeypatch):
    """Runs the command from the repository's root; its exit status."""
    monkeypatch.chdir(ROOT)
    model = ("--model", str(bundles / "rgb"))
    return lambda *arguments: main(["classify", *map(str, arguments), *model])


@pytest.fixture
def folder(film, tmp_path):
    """Two videos, one of them shorter than a window, and a text file named as one."""
    film(tmp_path / "in" / "a.avi", frames=30)
    film(tmp_path / "in" / "deep" / "b.avi", frames=3)
    (tmp_path / "in" / "c.avi").write_text("not a video")
    return tmp_path / "in"


def test_one_bad_input_is_told_and_the_others_are_done(run, folder, capsys, caplog):
    assert run(folder, "--json") == 1
    documents = {Path(each["input"]).name: each for each in map(json.loads, lines(capsys))}
    assert set(documents) == {"a.avi", "b.avi", "c.avi"}
    assert documents["c.avi"]["error"].startswith("it begins like no video file")
    assert documents["a.avi"]["class"] in CLASSES
    assert len(documents["b.avi"]["windows"]) == 4
    assert caplog.messages[-1].startswith("1 of 3 were not classified")


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_two_models_are_averaged(run, bundles, folder, capsys):
    assert run(folder / "a.avi", "--json", "--model", bundles / "flow") == 0
    assert json.loads(*lines(capsys))["model"] == "toy-flow+toy-rgb"


def test_people_get_a_table(run, folder, capsys):
    assert run(folder / "a.avi", "--coverage", 0.9) == 0
    assert lines(capsys)[0].split() == ["video", "seconds", "shows"]


def test_a_coverage_that_is_not_there_is_an_error(run, folder, caplog):
    assert run(folder, "--coverage", 0.5) == 1
    assert caplog.messages == [
        "toy-rgb has no prediction sets of coverage 0.5; ask for 0.80, 0.90, 0.95"
    ]


def test_json_and_csv_exclude_each_other(run, folder, capsys):
    assert run(folder, "--json", "--csv") == 2


def test_a_captioned_video_is_written_beside_the_answer(run, folder, tmp_path):
    assert run(folder / "a.avi", "--video", tmp_path / "out.mp4") == 0
    made, original = probe(tmp_path / "out.mp4"), probe(folder / "a.avi")
    assert (made.frames, made.width, made.height) == (30, original.width, original.height)


def test_videos_of_a_folder_keep_their_places(run, folder, tmp_path):
    assert run(folder, "--video", tmp_path / "out") == 1
    made = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(path.relative_to(tmp_path) for path in made) == [
        Path("out/a.mp4"),
        Path("out/deep/b.mp4"),
    ]


@pytest.mark.parametrize(
    ("error", "status"), [(OSError(errno.ENOSPC, "No space left"), 1), (KeyboardInterrupt(), 130)]
)
def test_a_full_disk_or_an_interrupt_leaves_no_half_a_video(
    run, folder, tmp_path, monkeypatch, error, status
):
    def fail(path, target, draw):
        target.write_bytes(b"half")
        raise error

    monkeypatch.setattr("pipeline.video.write.annotate", fail)
    assert run(folder, "--video", tmp_path / "out") == status
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("names", "video", "message"),
    [
        (["a.mp4"], "a.mp4", "would replace its original"),
        (["a.avi", "a.mkv"], "out", "would both become"),
    ],
)
def test_names_that_cannot_work_are_refused_first(
    run, film, tmp_path, names, video, message, caplog
):
    paths = [film(tmp_path / "x.avi").rename(tmp_path / name) for name in names]
    before = sorted(tmp_path.iterdir())
    assert run(*paths, "--video", tmp_path / video) == 1
    assert message in caplog.text
    assert sorted(tmp_path.iterdir()) == before


def test_a_bug_with_one_video_is_its_reason(run, folder, monkeypatch, capsys, caplog):
    def fail(classifier, path):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(classify, "classify_video", fail)
    assert run(folder / "a.avi", "--json") == 1
    assert json.loads(*lines(capsys))["error"] == "ZeroDivisionError: division by zero"
    assert "Traceback" in caplog.text


def test_no_such_model_is_one_message(folder, monkeypatch, caplog):
    monkeypatch.chdir(ROOT)
    assert main(["classify", str(folder), "--model", "none"]) == 1
    assert caplog.messages[0].startswith("there is no model 'none'")


HEAVY = ("tensorflow", "keras", "mlflow", "pandas", "pyarrow", "matplotlib", "scipy", "requests")


def test_tensorflow_is_not_imported(bundles, folder):
    arguments = ["classify", str(folder / "a.avi"), "--model", str(bundles / "rgb")]
    code = (
        f"import sys; from pipeline.__main__ import main; main({arguments})\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
