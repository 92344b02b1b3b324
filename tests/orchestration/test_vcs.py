"""git and DVC as programs: their errors, what a kill leaves, and DVC's settings in a work tree."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import WorktreeError
from pipeline.orchestration.vcs import (
    delete_stale_locks,
    delete_stale_rwlock,
    dvc,
    git,
    share_dvc_config,
)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """An empty git repository; it is the working directory."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    folder = tmp_path / "josé"
    folder.mkdir()
    monkeypatch.chdir(folder)
    git("init", "--quiet")
    return folder


def test_a_failed_git_names_its_command_folder_and_message(repository):
    with pytest.raises(WorktreeError, match=r"`git show 'a b'` failed in .*josé: fatal"):
        git("show", "a b")


def test_a_failed_dvc_names_its_message(repository):
    with pytest.raises(WorktreeError, match=r"`dvc pull` failed in .*: ERROR: .*DVC repo"):
        dvc("pull")


def test_a_missing_program_is_named(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(WorktreeError, match="git is not installed"):
        git("status")


def test_output_that_is_not_utf_8_is_kept(repository):
    name = os.fsdecode(b"caf\xe9.py")
    Path(name).touch()
    assert git("ls-files", "-z", "--others") == f"{name}\0"


LOCKS = ["index.lock", "HEAD.lock", "refs/heads/retrain/run.lock"]


@pytest.fixture
def locked(repository):
    """The repository, with the locks of a killed git."""
    for name in LOCKS:
        (repository / ".git" / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / ".git" / name).touch()
    with pytest.raises(WorktreeError, match=r"index\.lock.*File exists"):
        git("add", "--all")
    return repository


def test_locks_of_a_killed_git_are_deleted(locked):
    delete_stale_locks(locked)
    git("add", "--all")
    assert not list((locked / ".git").rglob("*.lock"))


def test_locks_that_a_pattern_leaves_out_stay(locked):
    delete_stale_locks(locked, "refs/heads/retrain/run.lock")
    left = {str(path.relative_to(locked / ".git")) for path in (locked / ".git").rglob("*.lock")}
    assert left == set(LOCKS[:2])


def test_locks_of_a_running_git_stay(locked):
    with subprocess.Popen(["git", "hash-object", "--stdin"], stdin=subprocess.PIPE) as running:
        delete_stale_locks(locked)
        assert (locked / ".git/index.lock").exists()
        running.communicate(b"")
    delete_stale_locks(locked)
    assert not (locked / ".git/index.lock").exists()


@pytest.fixture
def in_use(repository):
    """The list of files that a killed DVC leaves; its number is that of a living process now."""
    dvc("init", "--quiet")
    dvc("stage", "add", "--name", "make", "--outs", "made", "echo made > made")
    holder = {"pid": os.getpid(), "cmd": "dvc repro make"}
    path = repository / ".dvc/tmp/rwlock"
    path.write_text(json.dumps({"write": {str(repository / "made"): holder}, "read": {}}))
    return path


def test_what_a_killed_dvc_had_in_use_is_free_again(repository, in_use):
    with pytest.raises(WorktreeError, match="made' is busy"):
        dvc("repro", "make")
    delete_stale_rwlock(repository)
    dvc("repro", "make")
    assert (repository / "made").exists()


def test_what_a_running_dvc_has_in_use_stays_so(repository, in_use):
    program = repository / "dvc"
    program.symlink_to(shutil.which("sleep"))
    with subprocess.Popen([program, "60"]) as running:
        delete_stale_rwlock(repository)
        assert in_use.exists()
        running.kill()


@pytest.mark.parametrize("level", [(), ("--local",)])
def test_a_relative_remote_is_the_same_folder_in_a_work_tree(repository, tmp_path, level):
    dvc("init", "--quiet")
    (tmp_path / "shared").mkdir()
    dvc("remote", "add", *level, "--default", "shared", "../shared")
    git("add", "--all")
    git("-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-qm", "first")
    tree = repository / "trees/run"
    git("clone", "--quiet", str(repository), str(tree))
    share_dvc_config(repository, tree)
    assert dvc("remote", "list", cwd=tree).split()[:2] == ["shared", str(tmp_path / "shared")]
    assert dvc("cache", "dir", cwd=tree) == str(repository / ".dvc/cache")


def test_a_remote_by_address_and_its_password_stay(repository):
    dvc("init", "--quiet")
    dvc("remote", "add", "--default", "shared", "s3://bucket/folder")
    dvc("remote", "modify", "--local", "shared", "secret_access_key", "secret")
    tree = repository / "trees/run"
    git("init", "--quiet", str(tree))
    dvc("init", "--quiet", cwd=tree)
    share_dvc_config(repository, tree)
    listed = dvc("config", "--list", cwd=tree).splitlines()
    assert "remote.shared.url=s3://bucket/folder" in listed
    assert "remote.shared.secret_access_key=secret" in listed
