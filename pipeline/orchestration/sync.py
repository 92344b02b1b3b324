"""Synchronizes a run's work trees on several machines, stage by stage.

The run's branch in the git repository $RETRAIN_REPOSITORY, which all machines reach, carries
params, dvc.lock and results, one commit a stage; DVC's remote carries data and run-cache.
"""

import fcntl
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import WorktreeError
from pipeline.orchestration.graph import read_graph
from pipeline.orchestration.vcs import (
    delete_stale_locks,
    delete_stale_rwlock,
    dvc,
    git,
    has_remote,
)

log = logging.getLogger(__name__)

AUTHOR = ("-c", "user.name=retrain", "-c", "user.email=retrain@localhost")
LOCK = Path("dvc.lock")
NETWORKS = ("features", "style")  # stages
PUSH_ATTEMPTS = 30  # at putting a commit on top of a branch that others write to


def shared_repository() -> str | None:
    """The git repository that all machines share; None on a single machine."""
    return os.environ.get("RETRAIN_REPOSITORY") or None


@contextmanager
def workspace_lock(tree: Path) -> Iterator[None]:
    """Allow one process of this machine at a time to change the work tree by git."""
    with (tree / ".git/workspace").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        delete_stale_locks(tree)
        delete_stale_rwlock(tree)
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
        dvc("pull", *stages)


def pull_networks() -> None:
    """Pull what `stylize` needs of the newest run: its style networks and their features.

    A machine's clone has none of its own, since runs work in trees beside it.
    """
    branches = "refs/heads/retrain/*:refs/remotes/shared/retrain/*"
    git("fetch", "--quiet", "--prune", str(shared_repository()), f"+{branches}")
    newest = ("for-each-ref", "--sort=-committerdate", "--count=1", "--format=%(refname)")
    branch = git(*newest, "refs/remotes/shared/retrain")
    if not branch or not git("ls-tree", "--name-only", branch, "dvc.lock"):
        log.info("no run of retrain has trained style networks yet; only files can be named")
        return
    LOCK.write_text(git("show", f"{branch}:dvc.lock"), encoding="utf-8")
    made = _read(LOCK.read_text(encoding="utf-8"))["stages"]
    wanted = [
        name for name in read_graph(Path()) if name in made and name.split("@")[0] in NETWORKS
    ]
    if wanted:
        dvc("pull", *wanted)


def push_stage(stage: str) -> None:
    """Push the outputs of `stage`, then its entry in dvc.lock."""
    dvc("push", "--run-cache", stage)
    _push(stage, {stage: _read(LOCK.read_text(encoding="utf-8"))["stages"][stage]})


def push_results() -> None:
    """Push the folder results."""
    _push("results", {})


def _push(message: str, entries: dict[str, Any]) -> None:
    for attempt in range(1, PUSH_ATTEMPTS + 1):
        _commit_on_top(message, entries)
        try:
            git("push", "--quiet", "origin", "HEAD")
        except WorktreeError as error:
            if attempt == PUSH_ATTEMPTS:
                raise
            log.info("trying again, since another machine may have pushed first: %s", error)
        else:
            return


def _commit_on_top(message: str, entries: dict[str, Any]) -> None:
    """Commit on top of what other machines have pushed to the branch."""
    git("fetch", "--quiet", "origin", _branch())
    git("reset", "--quiet", "--soft", "FETCH_HEAD")
    lock: dict[str, Any] = {"schema": "2.0"}
    if git("ls-tree", "--name-only", "FETCH_HEAD", "dvc.lock"):
        lock = _read(git("show", "FETCH_HEAD:dvc.lock"))
    lock["stages"] = {**lock.get("stages", {}), **entries}
    LOCK.write_text(yaml.safe_dump(lock, sort_keys=False), encoding="utf-8")
    commit_results(message, Path())


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
