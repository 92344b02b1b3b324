"""docker/backup, where Docker Compose loses what a container prints, and says nothing of it."""

import os
import subprocess
from pathlib import Path

import pytest

BACKUP = Path(__file__).parents[2] / "docker/backup"


@pytest.fixture
def environment(tmp_path):
    """A `docker` that does nothing, and is content."""
    (tmp_path / "docker").write_text("#!/bin/sh\n")
    (tmp_path / "docker").chmod(0o755)
    return os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}


def test_a_backup_that_is_not_whole_does_not_replace_the_one_before(environment, tmp_path):
    folder = tmp_path / "monday"
    folder.mkdir()
    (folder / "files.tar").write_text("whole")
    done = subprocess.run([BACKUP, "save", folder], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "files.tar is cut off" in done.stderr
    assert (folder / "files.tar").read_text() == "whole"


def test_files_that_did_not_come_back_are_missed(environment, tmp_path):
    names = ("airflow.dump", "mlflow.dump", "files.tar", "logins.json")
    for name in names:
        (tmp_path / name).touch()
    sums = subprocess.run(["sha256sum", *names], cwd=tmp_path, capture_output=True, check=True)
    (tmp_path / "SHA256SUMS").write_bytes(sums.stdout)
    load = [BACKUP, "load", tmp_path]
    done = subprocess.run(load, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "files.tar was not brought back whole" in done.stderr
