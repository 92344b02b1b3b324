"""The command line: commands, exit statuses and messages."""

import errno
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import __main__ as command_line
from pipeline.__main__ import app, main
from pipeline.errors import ClipError, ParamsError, StyleError

ROOT = Path(__file__).parents[1]


def test_every_stage_and_every_command_has_a_module_and_the_other_way_round():
    modules = {
        path.stem
        for room in ("stages", "commands")
        for path in (ROOT / "pipeline" / room).glob("*.py")
    }
    named = {each.callback.__name__ for each in app.registered_commands}
    assert named - {"worktree", "inbox", "arrivals", "maintain"} == modules - {"__init__"}


def test_help_groups_the_commands(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    for heading in ("Stages of dvc.yaml", "Commands", "Run by the DAGs"):
        assert heading in printed


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from pipeline.__main__ import main; main(['--help'])\n"
        "print([m for m in ('tensorflow', 'keras', 'mlflow', 'cv2', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_error_that_people_can_mend_is_one_message_and_status_1(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.ERROR):
        assert main(["snapshot"]) == 1
    assert caplog.messages == ["params.yaml does not exist; run from the repository's root"]


def fail_with(monkeypatch, error):
    """Let the command `track` raise `error`."""

    def run(module, **given):
        raise error

    monkeypatch.setattr(command_line, "_run", run)


@pytest.mark.parametrize("command", ["track", "download"])
@pytest.mark.parametrize("kind", [ValueError, ClipError, StyleError])
def test_a_full_disk_is_named_as_such_whatever_wraps_it(command, kind, monkeypatch, caplog):
    error = kind("MLflow cannot write")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    fail_with(monkeypatch, error)
    assert main([command]) == 1
    assert "the disk is full" in caplog.text


def test_an_error_that_is_ours_keeps_its_traceback(monkeypatch):
    fail_with(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["track"])


def test_ctrl_c_is_status_130_and_one_line(monkeypatch, caplog):
    fail_with(monkeypatch, KeyboardInterrupt())
    assert main(["track"]) == 130
    assert "Traceback" not in caplog.text


def test_our_errors_explain_themselves(monkeypatch, caplog):
    fail_with(monkeypatch, ParamsError("train.max_steps is 0; it must be at least 1"))
    assert main(["track"]) == 1
    assert caplog.messages == ["train.max_steps is 0; it must be at least 1"]


def test_an_unknown_command_is_a_usage_error(capsys):
    assert main(["trian"]) == 2
    assert "trian" in capsys.readouterr().err


def test_a_model_must_be_named_for_train(capsys):
    assert main(["train"]) == 2
    assert "MODEL" in capsys.readouterr().err.upper()


@pytest.mark.slow
@pytest.mark.parametrize(("options", "quiet"), [((), True), (("--verbose",), False)])
def test_tensorflow_s_noise_is_shown_only_on_request(options, quiet):
    command = [sys.executable, "-m", "pipeline", *options, "train", "no-such-model"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert (done.stderr.count("\n") == 1) == quiet, done.stderr


@pytest.mark.parametrize("folder", ["data", "results"])
def test_a_folder_that_is_a_link_is_refused_before_a_stage_runs(
    folder, tmp_path, monkeypatch, caplog
):
    (tmp_path / "disk").mkdir()
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / folder).symlink_to(tmp_path / "disk")
    shutil.copy(ROOT / "params.yaml", tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    assert main(["snapshot"]) == 1
    assert f"{folder} is a link to {tmp_path / 'disk'}" in caplog.text
    assert "### A larger disk" in (ROOT / "docs/real-data.md").read_text(encoding="utf-8")
    assert not list((tmp_path / "disk").iterdir())


LATE = """
import os, sys
from pathlib import Path
from pipeline import __main__ as command_line
sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
with command_line._native_noise_held_back():
    os.write(2, b"noise of a library")
    print("said by Python", file=sys.stderr)
    if sys.argv[1:]:
        raise ZeroDivisionError
"""


def test_what_libraries_write_past_python_is_held_back_while_a_command_runs():
    done = subprocess.run([sys.executable, "-c", LATE], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == "said by Python\n"


def test_a_bug_shows_what_libraries_wrote_too():
    command = [sys.executable, "-c", LATE, "fail"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "noise of a library" in done.stderr
    assert "ZeroDivisionError" in done.stderr
