"""A run on several machines: what each stage made, handed to the machines that go on from it.

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

from pipeline.errors import HandoverError

log = logging.getLogger(__name__)

AUTHOR = ("-c", "user.name=retrain", "-c", "user.email=retrain@localhost")
LOCK = Path("dvc.lock")
TRIES = 30  # at putting a commit on top of a branch that others write to


def repository() -> str | None:
    """Where the runs of several machines meet; None on a machine that works alone."""
    return os.environ.get("RETRAIN_REPOSITORY") or None


@contextmanager
def alone_in(tree: Path) -> Iterator[None]:
    """Keep other stages of this machine out of the work tree: what is handed over is one's own."""
    with (tree / ".git/alone").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def begin(tree: Path) -> None:
    """Open the run's branch with the params and what is known of earlier runs."""
    if not has_remote(tree):
        raise HandoverError(
            "several machines need a DVC remote that all of them reach, and none is set; "
            "`dvc remote add --default --local shared ADDRESS` on each sets one"
        )
    commit(f"{git('branch', '--show-current', cwd=tree)}: begin", tree)
    git("push", "--quiet", "origin", "HEAD", cwd=tree)


def take_over(stages: Sequence[str]) -> None:
    """Bring the work tree to where the run stands, with the outputs of `stages`."""
    git("fetch", "--quiet", "origin", _branch())
    git("reset", "--quiet", "--hard", "FETCH_HEAD")
    if stages:
        dvc("pull", "--quiet", *stages)


def hand_over(stage: str) -> None:
    """Let the other machines have what `stage` made: first the data, then its entry in dvc.lock."""
    dvc("push", "--quiet", "--run-cache", stage)
    _push(stage, {stage: _read(LOCK.read_text(encoding="utf-8"))["stages"][stage]})


def hand_over_results() -> None:
    """Let the other machines have what stands in the folder results."""
    _push("results", {})


def _push(message: str, entries: dict[str, Any]) -> None:
    for _ in range(TRIES):
        if _is_pushed(message, entries):
            return
        log.info("another machine was faster; once more")
    raise HandoverError(f"{_branch()} cannot be pushed to {repository()}; git says above why")


def _is_pushed(message: str, entries: dict[str, Any]) -> bool:
    """Add a commit to the branch as it is now; False if another machine has done so meanwhile."""
    git("fetch", "--quiet", "origin", _branch())
    git("reset", "--quiet", "--soft", "FETCH_HEAD")
    lock = _read(git("show", "FETCH_HEAD:dvc.lock", check=False)) or {"schema": "2.0"}
    lock["stages"] = {**lock.get("stages", {}), **entries}
    LOCK.write_text(yaml.safe_dump(lock, sort_keys=False), encoding="utf-8")
    commit(message, Path())
    pushed = subprocess.run(["git", "push", "--quiet", "origin", "HEAD"], check=False)
    return pushed.returncode == 0


def commit(message: str, tree: Path) -> None:
    """Commit params, dvc.lock and results, as far as there is something new in them."""
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
    """Whether DVC has a remote by default."""
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
