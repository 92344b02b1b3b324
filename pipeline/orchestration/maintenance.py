"""Bounds the disk that runs take: old branches, their data, and pieces that nobody reads.

`python -m pipeline maintain`, by the DAG of that name. What a branch, a tag, a work tree or DVC's
experiments name stays, and so does each branch that made a champion.
"""

import json
import logging
import os
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.errors import WorktreeError
from pipeline.orchestration.sync import shared_repository
from pipeline.orchestration.vcs import dvc, git, has_remote, share_dvc_config
from pipeline.orchestration.worktree import BRANCHES, delete_old_worktrees
from pipeline.paths import PROMOTION, STATE

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

KEPT_RUNS = 10  # newest branches; of older ones, those that made a champion
KEPT_SECONDS = 30 * 24 * 3600  # since a file of .state or a log was last read or written
WORKTREES, LOGS = Path(".airflow/worktrees"), Path(".airflow/logs")


def run() -> None:
    """Clean up the project in the working directory, and the repository of its runs."""
    project = Path.cwd()
    delete_old_worktrees(project / WORKTREES)
    for folder in (STATE, LOGS):
        delete_unused(project / folder, before=time.time() - KEPT_SECONDS)
    trees = [path for path in (project / WORKTREES).glob("[!.]*") if path.is_dir()]
    with _runs_repository(project) as repository:
        running = {f"{BRANCHES}/{tree.name}" for tree in trees}
        delete_old_branches(repository, keep=running)
        delete_unnamed_data(repository, trees)


def delete_unused(folder: Path, *, before: float) -> None:
    """Delete the files in `folder` that were neither read nor written since, and empty folders."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder comes before it
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()) and path.stat().st_mtime < before:
                path.rmdir()
        elif max(path.lstat().st_mtime, path.lstat().st_atime) < before:
            log.info("deleting %s", path)
            path.unlink(missing_ok=True)


def delete_old_branches(repository: Path, *, keep: set[str]) -> None:
    """Delete branches of runs but for the newest, those in `keep` and those that promoted."""
    order = ("--sort=-committerdate", "--format=%(refname:short)")
    branches = git("for-each-ref", *order, f"refs/heads/{BRANCHES}", cwd=repository).splitlines()
    for branch in branches[KEPT_RUNS:]:
        if branch not in keep and not _promoted(repository, branch):
            log.info("deleting the branch %s", branch)
            _delete_branch(repository, branch)


def _promoted(repository: Path, branch: str) -> bool:
    """Whether the run made a champion; a branch that does not tell is kept."""
    try:
        text = git("show", f"{branch}:{PROMOTION}", cwd=repository)
        return bool(json.loads(text)["promoted"])
    except WorktreeError:  # it has none: the run did not get so far
        return False
    except (ValueError, KeyError, TypeError):
        return True


def _delete_branch(repository: Path, branch: str) -> None:
    if shared := shared_repository():
        git("push", "--quiet", shared, "--delete", branch, cwd=repository)
    git("branch", "--quiet", "-D", branch, cwd=repository)


def delete_unnamed_data(repository: Path, trees: list[Path]) -> None:
    """Delete what nothing names from DVC's cache, and from the remote that only runs write to."""
    others = ["--projects", *map(str, trees)] if trees else []
    # Of a person's own project the data of older commits stay, too.
    shared = bool(shared_repository())
    commits = "--all-branches" if shared else "--all-commits"
    kept = ("--workspace", commits, "--all-tags", "--all-experiments")
    cloud = ["--cloud"] if shared and has_remote(repository) else []
    log.info(dvc("gc", "--force", *kept, *cloud, *others, cwd=repository))


@contextmanager
def _runs_repository(project: Path) -> "Iterator[Path]":
    """A checkout whose branches are those of all runs."""
    shared = shared_repository()
    if not shared:
        yield project
        return
    with TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        clone = Path(folder) / "runs"
        git("clone", "--quiet", shared, str(clone), cwd=project)
        git("fetch", "--quiet", "--update-head-ok", "origin", "+refs/*:refs/*", cwd=clone)
        share_dvc_config(project, clone)
        yield clone
