"""A retraining's own work tree, made, run stage by stage and published by dags/retrain.py.

A work tree is a clone of what is committed, on a branch of its own. It shares DVC's cache and the
reusable pieces in .state with the project that it was cloned from, so that it remakes nothing. With
$RETRAIN_REPOSITORY set, each machine of a run has a work tree of its own (handover.py).

    python -m pipeline worktree make TREE         # $PARAMS: {"dataset.split": 2}
    python -m pipeline worktree stage TREE NAME
    python -m pipeline worktree promote TREE
    python -m pipeline worktree publish TREE
"""

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import HandoverError
from pipeline.orchestration.form import apply_form, round_trip_yaml
from pipeline.orchestration.graph import read_graph
from pipeline.orchestration.handover import (
    alone_in,
    begin,
    commit,
    dvc,
    git,
    hand_over,
    hand_over_results,
    has_remote,
    repository,
    take_over,
)
from pipeline.params import load_params
from pipeline.paths import PROMOTION

log = logging.getLogger(__name__)

NOTHING_TO_DO = 99  # the exit status that Airflow shows as "skipped"
KEPT = 3  # work trees of earlier runs that stay, to be looked at or retried
BRANCHES = "retrain"


def make(project: Path, tree: Path, values: Mapping[str, object]) -> None:
    """Clone `project` to `tree` with `values` in its params.yaml; a tree that exists stays."""
    if tree.is_dir():
        log.info("%s exists already; the run resumes in it", tree)
        return
    require_committed(project)
    params = _filled_params(project, values)
    branch = f"{BRANCHES}/{tree.name}"
    shared = repository()
    if shared and git("ls-remote", shared, f"refs/heads/{branch}", cwd=project):
        log.info("another machine has made the run's branch")
        return
    with _made_aside(tree) as new:
        git("clone", "--quiet", str(project), str(new), cwd=project)
        git("switch", "--quiet", "--create", branch, cwd=new)
        if shared:
            git("remote", "set-url", "origin", shared, cwd=new)
            git("fetch", "--quiet", "--prune", "origin", cwd=new)
        _share(project, new)
        _take_up_last_run(new)
        (new / "params.yaml").write_text(params, encoding="utf-8")
        _link_sources(project, new)
        if shared:
            begin(new)
    log.info("%s is at %s", tree, git("log", "-1", "--format=%h %s", cwd=tree))


def require_committed(project: Path) -> None:
    """Refuse a run from code that is not committed: it would get params of now, code of then."""
    try:
        root = git("rev-parse", "--show-toplevel", "--verify", "HEAD", cwd=project).splitlines()[0]
    except subprocess.CalledProcessError as error:
        raise HandoverError(
            f"retrain needs a git repository with a commit, since its runs are clones of one, and "
            f"{project} is none; `git init && git add --all && git commit` makes one"
        ) from error
    if not Path(root).samefile(project):
        raise HandoverError(
            f"retrain clones the git repository of the project, but {project} only lies in another "
            f"one, {root}; `git init && git add --all && git commit` makes one of its own"
        )
    if changed := _uncommitted(project):
        raise HandoverError(
            "retrain runs the committed code, and these files have changes that are not committed: "
            f"{', '.join(changed)}; commit or stash them, then trigger it again"
        )


def _uncommitted(project: Path) -> list[str]:
    """Changed and new files among those that stages are made from."""
    options = ("--porcelain", "-z", "--no-renames", "--untracked-files=all")
    status = ("git", "status", *options, "--", "dvc.yaml", "pipeline")
    listed = subprocess.run(status, cwd=project, capture_output=True, check=True).stdout
    return [os.fsdecode(entry[3:]) for entry in listed.split(b"\0") if entry]


def enter(project: Path, tree: Path) -> None:
    """Work in `tree`; of a run that began on another machine, it is fetched first."""
    shared = repository()
    if shared and not tree.is_dir():
        branch = f"{BRANCHES}/{tree.name}"
        with _made_aside(tree) as new:
            git("clone", "--quiet", "--branch", branch, shared, str(new), cwd=project)
            _share(project, new)
            _link_sources(project, new)
    os.chdir(tree)


@contextmanager
def _made_aside(tree: Path) -> Iterator[Path]:
    """A path to make a work tree at, in the place of older ones; becomes `tree` when it is made."""
    clear(tree.parent)
    new = tree.with_name(f".{tree.name}")
    shutil.rmtree(new, ignore_errors=True)
    yield new
    new.rename(tree)


def clear(folder: Path) -> None:
    """Delete all work trees in `folder` but the newest."""
    trees = [path for path in folder.glob("*") if path.is_dir()]
    for tree in sorted(trees, key=lambda path: path.stat().st_mtime)[: -KEPT or None]:
        log.info("deleting the old work tree %s", tree)
        shutil.rmtree(tree)


def _take_up_last_run(tree: Path) -> None:
    """Begin with what the last run ended with, as far as it is in DVC's cache."""
    runs = ("for-each-ref", "--sort=-committerdate", "--count=1", "--format=%(refname)")
    last = git(*runs, f"refs/remotes/origin/{BRANCHES}", cwd=tree)
    if last:
        git("checkout", last, "--", "dvc.lock", "results", cwd=tree)
    dvc("checkout", "--quiet", "--allow-missing", cwd=tree)


def _share(project: Path, tree: Path) -> None:
    """Let `tree` use DVC's cache and settings, and the reusable pieces, of `project`."""
    local = project / ".dvc/config.local"
    if local.is_file():
        shutil.copy(local, tree / ".dvc/config.local")
    # Relative: DVC cannot write a path with letters that are not ASCII.
    cache = os.path.relpath(dvc("cache", "dir", cwd=project), tree)
    dvc("cache", "dir", "--quiet", "--local", cache, cwd=tree)
    (project / ".state").mkdir(exist_ok=True)
    (tree / ".state").symlink_to(project / ".state")


def _filled_params(project: Path, values: Mapping[str, object]) -> str:
    """params.yaml as it stands in `project`, comments and all, with `values` set in it."""
    text = (project / "params.yaml").read_text(encoding="utf-8")
    filled = apply_form(text, values)
    if warm_start := round_trip_yaml().load(filled)["train"]["warm_start"]:
        absolute = str((project / warm_start).resolve())
        filled = apply_form(filled, {"train.warm_start": absolute})
    return filled


def _link_sources(project: Path, tree: Path) -> None:
    dataset = load_params(tree / "params.yaml").dataset
    for path in (dataset.source, dataset.groups):
        _link(project, tree, path)


def _link(project: Path, tree: Path, path: str | None) -> None:
    """Let a relative path of params.yaml mean in `tree` what it means in `project`."""
    if path and (project / path).exists() and not (tree / path).exists():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).symlink_to(project / path)


def stage(name: str) -> int:
    """Run one stage, if DVC finds it neither done in place nor in the run-cache."""
    if not repository():
        return _repro(name)
    with alone_in(Path()):
        take_over(read_graph(Path())[name])
        status = _repro(name)
        if status in (0, NOTHING_TO_DO):
            hand_over(name)
    return status


def _repro(name: str) -> int:
    pull = ["--pull"] if has_remote(Path()) else []
    # Stages that run side by side take turns at DVC's lock.
    command = ["dvc", "--wait-for-lock", "repro", "--single-item", *pull, name]
    ran = False
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            ran = ran or line.startswith(f"Running stage '{name}'")
    return process.returncode if process.returncode or ran else NOTHING_TO_DO


def promote() -> int:
    """Bring MLflow up to date, and let the run's best model challenge the champion."""
    if repository():
        take_over(read_graph(Path())["compare"])
    for command in ("track", "promote"):
        status = subprocess.run([sys.executable, "-m", "pipeline", command], check=False).returncode
        if status:
            return status
    if repository():
        hand_over_results()
    return 0


def publish() -> None:
    """Commit params.yaml, dvc.lock and the results, and hand the branch over to the project."""
    if repository():
        take_over(["compare"])
    branch = git("branch", "--show-current")
    commit(f"{branch}\n\n{_summary()}", Path())
    git("push", "--quiet", "origin", branch)
    if has_remote(Path()) and not repository():  # several machines have pushed, each what it made
        dvc("push", "--run-cache")
    log.info("branch %s, commit %s", branch, git("rev-parse", "--short", "HEAD"))
    log.info("\n\n%s\n%s", _summary(), _where_to_look())


def _summary() -> str:
    verdict = json.loads(PROMOTION.read_text(encoding="utf-8"))["verdict"]
    return f"{verdict}\n\n{Path('results/comparison.md').read_text(encoding='utf-8')}"


def _where_to_look() -> str:
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    mlflow = f"{uri}/#/experiments" if uri.startswith("http") else "make mlflow"
    return f"{Path('results/report.html').absolute().as_uri()}\nMLflow: {mlflow}"


def run(action: str, tree: Path, name: str, values: Mapping[str, object]) -> int:
    """Act on the work tree `tree` of the project in the working directory; the exit status."""
    project, tree = Path.cwd(), tree.absolute()
    if action == "make":
        make(project, tree, values)
        return 0
    enter(project, tree)
    if action == "stage":
        return stage(name)
    if action == "promote":
        return promote()
    publish()
    return 0
