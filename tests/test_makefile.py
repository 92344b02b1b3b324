"""`make repro` in a git checkout and in a copy without git."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECORDER = '#!/bin/sh\necho "$@" >> called\n'


@pytest.fixture
def project(tmp_path) -> Path:
    """A folder with the Makefile, where `dvc` and `python` write down their arguments."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name, text in {
        "requirements.txt": "",
        ".dvc/config": "",
        ".venv/.installed": "",
        ".venv/bin/dvc": RECORDER,
        ".venv/bin/python": RECORDER,
        "results/comparison.md": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def calls(project: Path) -> list[str]:
    """What `make repro` calls, in order."""
    (project / "called").unlink(missing_ok=True)
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(project.parent)}
    subprocess.run(["make", "repro"], cwd=project, env=environment, check=True)
    return (project / "called").read_text().splitlines()


def test_dvc_is_told_that_a_copy_has_no_git(project):
    assert calls(project) == ["config --local core.no_scm true", "repro", "-m pipeline track"]


def test_a_git_checkout_needs_no_setting(project):
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    assert calls(project) == ["repro", "-m pipeline track"]


def test_a_copy_that_became_a_git_repository_has_its_setting_removed(project):
    (project / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    assert calls(project)[0] == "config --local --unset core.no_scm"
