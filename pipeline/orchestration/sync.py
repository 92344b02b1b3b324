"""Synchronizes a run's work trees on several machines, stage by stage.

The run's branch in the git repository $RETRAIN_REPOSITORY, which all machines reach, carries
params, dvc.lock and results, one commit a stage; DVC's remote carries data and run-cache.
"""

import configparser
import fcntl
import logging
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import WorktreeError

log = logging.getLogger(__name__)

AUTHOR = ("-c", "user.name=retrain", "-c", "user.email=retrain@localhost")
LOCK = Path("dvc.lock")
PUSH_ATTEMPTS = 30  # at putting a commit on top of a branch that others write to


def shared_repository() -> str | None:
    """The git repository that all machines share; None on a single machine."""
    return os.environ.get("RETRAIN_REPOSITORY") or None


@contextmanager
def workspace_lock(tree: Path) -> Iterator[None]:
    """Allow one stage of this machine at a time in the work tree, since `git reset` changes it."""
    with (tree / ".git/workspace").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def start_branch(tree: Path) -> None:
    """Push the run's branch with its params and the results of the last run."""
    if not has_remote(tree):
        raise WorktreeError(
            "several machines need a DVC remote that all of them reach, and none is set; "
            "`dvc remote add --default --local shared ADDRESS` on each sets one"
        )
    commit_results(f"{git('branch', '--show-current', cwd=tree)}: start", tree)
    git("push", "--quiet", "origin", "HEAD", cwd=tree)


def pull_stages(stages: Sequence[str]) -> None:
    """Reset the work tree to the run's branch, and pull the outputs of `stages`."""
    git("fetch", "--quiet", "origin", _branch())
    git("reset", "--quiet", "--hard", "FETCH_HEAD")
    if stages:
        dvc("pull", "--quiet", *stages)


def push_stage(stage: str) -> None:
    """Push the outputs of `stage`, then its entry in dvc.lock."""
    dvc("push", "--quiet", "--run-cache", stage)
    _push(stage, {stage: _read(LOCK.read_text(encoding="utf-8"))["stages"][stage]})


def push_results() -> None:
    """Push the folder results."""
    _push("results", {})


def _push(message: str, entries: dict[str, Any]) -> None:
    for _ in range(PUSH_ATTEMPTS):
        if _is_pushed(message, entries):
            return
        log.info("another machine pushed first; trying again")
    raise WorktreeError(
        f"{_branch()} cannot be pushed to {shared_repository()}; git's message above says why"
    )


def _is_pushed(message: str, entries: dict[str, Any]) -> bool:
    """Commit on top of the branch as it is now; False if another machine pushed meanwhile."""
    git("fetch", "--quiet", "origin", _branch())
    git("reset", "--quiet", "--soft", "FETCH_HEAD")
    lock = _read(git("show", "FETCH_HEAD:dvc.lock", check=False)) or {"schema": "2.0"}
    lock["stages"] = {**lock.get("stages", {}), **entries}
    LOCK.write_text(yaml.safe_dump(lock, sort_keys=False), encoding="utf-8")
    commit_results(message, Path())
    pushed = subprocess.run(["git", "push", "--quiet", "origin", "HEAD"], check=False)
    return pushed.returncode == 0


def commit_results(message: str, tree: Path) -> None:
    """Commit params, dvc.lock and results, if any of them changed."""
    names = [name for name in ("params.yaml", "dvc.lock", "results") if (tree / name).exists()]
    git("add", *names, cwd=tree)
    if git("diff", "--cached", "--name-only", cwd=tree):
        git(*AUTHOR, "commit", "--quiet", "--message", message, cwd=tree)


def _read(text: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def _branch() -> str:
    return git("branch", "--show-current")


def has_remote(tree: Path) -> bool:
    """Whether DVC has a default remote."""
    config = configparser.ConfigParser()
    config.read([tree / ".dvc/config", tree / ".dvc/config.local"])
    return config.has_option("core", "remote")


def git(*arguments: str, cwd: Path | None = None, check: bool = True) -> str:
    """What git answers."""
    return _answer("git", *arguments, cwd=cwd, check=check)


def dvc(*arguments: str, cwd: Path | None = None) -> str:
    """What DVC answers."""
    return _answer("dvc", *arguments, cwd=cwd, check=True)


def _answer(*command: str, cwd: Path | None, check: bool) -> str:
    complaints = None if check else subprocess.DEVNULL
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=complaints, text=True, check=check
    )
    return done.stdout.strip()
