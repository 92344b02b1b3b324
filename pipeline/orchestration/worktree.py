"""A retraining's own work tree, made, run stage by stage and published by dags/retrain.py.

A work tree is a clone of what is committed, on a branch of its own. It shares DVC's cache and
.state with the project that it was cloned from, so that nothing is made twice. With
$RETRAIN_REPOSITORY set, each machine of a run has a work tree of its own (sync.py).

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
from pathlib import Path, PurePath

from pipeline.errors import WorktreeError
from pipeline.files import parse_yaml
from pipeline.orchestration.form import (
    apply_form,
    require_allowed_keys,
    require_allowed_paths,
)
from pipeline.orchestration.graph import read_graph
from pipeline.orchestration.sync import (
    commit_results,
    pull_stages,
    push_results,
    push_stage,
    shared_repository,
    start_branch,
    workspace_lock,
)
from pipeline.orchestration.vcs import delete_stale_locks, dvc, git, has_remote, share_dvc_config
from pipeline.params import Params, load_params, validate_params
from pipeline.paths import PROMOTION, TRAIN

log = logging.getLogger(__name__)

NOTHING_TO_DO = 99  # the exit status that Airflow shows as "skipped"
KEPT_WORKTREES = 3  # newest work trees stay, to be inspected or retried
BRANCHES = "retrain"


def make_worktree(project: Path, tree: Path, values: Mapping[str, object]) -> None:
    """Clone `project` to `tree` with `values` in its params.yaml; a tree that exists stays."""
    if tree.is_dir():
        log.info("%s exists already; the run resumes in it", tree)
        return
    require_committed(project)
    params = _filled_params(project, values)
    branch = f"{BRANCHES}/{tree.name}"
    shared = shared_repository()
    if shared and git("ls-remote", shared, f"refs/heads/{branch}", cwd=project):
        log.info("another machine has made the run's branch")
        return
    with _atomic_worktree(tree) as new:
        git("clone", "--quiet", str(project), str(new), cwd=project)
        git("switch", "--quiet", "--create", branch, cwd=new)
        if shared:
            git("remote", "set-url", "origin", shared, cwd=new)
            git("fetch", "--quiet", "--prune", "origin", cwd=new)
        _share_cache(project, new)
        _restore_last_run(new)
        (new / "params.yaml").write_text(params, encoding="utf-8")
        _link_inputs(project, new)
        if shared:
            start_branch(new)
    log.info("%s is at %s", tree, git("log", "-1", "--format=%h %s", cwd=tree))


def require_committed(project: Path) -> None:
    """Refuse a run from uncommitted code: it would mix current params with committed code."""
    try:
        root = git("rev-parse", "--show-toplevel", "--verify", "HEAD", cwd=project).splitlines()[0]
    except WorktreeError as error:
        raise WorktreeError(
            f"retrain needs a git repository with a commit, since its runs are clones of one, and "
            f"{project} is not one; `git init && git add --all && git commit` makes one"
        ) from error
    if not Path(root).samefile(project):
        raise WorktreeError(
            f"retrain clones the git repository of the project, but {project} is a folder "
            f"of another one, {root}; `git init && git add --all && git commit` makes its own"
        )
    if changed := _uncommitted(project):
        raise WorktreeError(
            "retrain runs the committed code, and these files have changes that are not committed: "
            f"{', '.join(changed)}; commit or stash them, then trigger it again"
        )


def _uncommitted(project: Path) -> list[str]:
    """Changed and untracked files among the code of stages."""
    options = ("--porcelain", "-z", "--no-renames", "--untracked-files=all")
    listed = git("status", *options, "--", "dvc.yaml", "pipeline", cwd=project)
    return [entry[3:] for entry in listed.split("\0") if entry]


def enter_worktree(project: Path, tree: Path) -> None:
    """Change to `tree`, cloned first if another machine started the run."""
    shared = shared_repository()
    if shared and not tree.is_dir():
        branch = f"{BRANCHES}/{tree.name}"
        with _atomic_worktree(tree) as new:
            git("clone", "--quiet", "--branch", branch, shared, str(new), cwd=project)
            _share_cache(project, new)
            _link_inputs(project, new)
    os.chdir(tree)


@contextmanager
def _atomic_worktree(tree: Path) -> Iterator[Path]:
    """A path that is renamed to `tree` at the end; older work trees are deleted first."""
    delete_old_worktrees(tree.parent)
    new = tree.with_name(f".{tree.name}")
    yield new
    new.rename(tree)


def delete_old_worktrees(folder: Path) -> None:
    """Delete all work trees in `folder` but the KEPT_WORKTREES newest, and half-deleted ones."""
    folders = [path for path in folder.glob("*") if path.is_dir() and not path.is_symlink()]
    half = [path for path in folders if path.name.startswith(".")]
    trees = sorted(set(folders) - set(half), key=lambda path: path.stat().st_mtime)
    for tree in trees[: -KEPT_WORKTREES or None]:
        log.info("deleting the old work tree %s", tree)
        half.append(tree.rename(tree.with_name(f".{tree.name}")))
    for path in half:
        shutil.rmtree(path)


def _restore_last_run(tree: Path) -> None:
    """Check out the results of the last run, as far as they are in DVC's cache."""
    runs = ("for-each-ref", "--sort=-committerdate", "--count=1", "--format=%(refname)")
    last = git(*runs, f"refs/remotes/origin/{BRANCHES}", cwd=tree)
    if last:
        git("checkout", last, "--", "dvc.lock", "results", cwd=tree)
    dvc("checkout", "--allow-missing", cwd=tree)


def _share_cache(project: Path, tree: Path) -> None:
    """Let `tree` use DVC's cache and settings, and .state, of `project`."""
    share_dvc_config(project, tree)
    (project / ".state").mkdir(exist_ok=True)
    (tree / ".state").symlink_to(project / ".state")


def _filled_params(project: Path, values: Mapping[str, object]) -> str:
    """params.yaml of `project` with `values` set; comments stay.

    Paths that lead out of the project become absolute, since they would lead elsewhere in a tree.
    """
    text = (project / "params.yaml").read_text(encoding="utf-8")
    filled = apply_form(text, values)
    params = validate_params(parse_yaml(filled), "the run's params")
    require_allowed_keys(values, project)
    require_allowed_paths(_changed_paths(validate_params(parse_yaml(text), ""), params), project)
    outside = {key: path for key, path in _input_paths(params).items() if _leads_out(path)}
    if params.train.warm_start:  # what the project has trained, not what the run will
        outside["train.warm_start"] = params.train.warm_start
    return apply_form(filled, {key: str((project / outside[key]).resolve()) for key in outside})


def _input_paths(params: Params) -> dict[str, str]:
    """What stages read from the project, by its key in params; some values are words, not paths."""
    values: dict[str, str | list[str] | None] = {
        "dataset.source": params.dataset.source,
        "dataset.groups": params.dataset.groups,
        "stylize.features": params.stylize.features,
    }
    for name, model in params.models.items():
        values[f"models.{name}.backbone"] = model.backbone
    for name, style in params.styles.items():
        values[f"styles.{name}.photos"] = style.photos
        values[f"styles.{name}.style_images"] = style.style_images
    return {key: path for key, path in values.items() if isinstance(path, str)}


def _changed_paths(own: Params, params: Params) -> dict[str, str]:
    """The paths of `params` that are not the project's own."""
    before = {**_input_paths(own), "train.warm_start": own.train.warm_start}
    paths = {**_input_paths(params), "train.warm_start": params.train.warm_start}
    return {key: path for key, path in paths.items() if path and path != before.get(key)}


def _leads_out(path: str) -> bool:
    return PurePath(os.path.normpath(path)).parts[0] == ".."


def _link_inputs(project: Path, tree: Path) -> None:
    """Link what git does not track, such as a folder of clips; what stages make is not linked."""
    for path in map(PurePath, _input_paths(load_params(tree / "params.yaml")).values()):
        missing = (project / path).exists() and not (tree / path).exists()
        if missing and not _leads_out(str(path)) and not path.is_relative_to(TRAIN):
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).symlink_to(project / path)


def stage(name: str) -> int:
    """Run one stage, unless DVC finds it up to date or in its run-cache."""
    if not shared_repository():
        return _repro(name)
    with workspace_lock(Path()):
        pull_stages(read_graph(Path())[name])
        status = _repro(name)
        if status in (0, NOTHING_TO_DO):
            push_stage(name)
    return status


def _repro(name: str) -> int:
    pull = ["--pull"] if has_remote(Path()) else []
    # Stages that run at the same time wait for DVC's lock.
    command = ["dvc", "--wait-for-lock", "repro", "--single-item", *pull, name]
    ran = False
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            ran = ran or line.startswith(f"Running stage '{name}'")
    return process.returncode if process.returncode or ran else NOTHING_TO_DO


def promote() -> int:
    """Bring MLflow up to date, and promote the run's best model if it beats the champion."""
    with workspace_lock(Path()):
        return _promote()


def _promote() -> int:
    if shared_repository():
        # Clips, too: a former champion may have to classify those that are tested on now.
        pull_stages([*read_graph(Path())["compare"], "subset", "download"])
    for command in ("track", "promote"):
        status = subprocess.run([sys.executable, "-m", "pipeline", command], check=False).returncode
        if status:
            return status
    if shared_repository():
        push_results()
    return 0


def publish(project: Path) -> None:
    """Commit params.yaml, dvc.lock and the results, and push the branch to the project."""
    if shared_repository():
        pull_stages(["compare"])
    branch = git("branch", "--show-current")
    commit_results(f"{branch}\n\n{_summary()}", Path())
    delete_stale_locks(project, f"refs/heads/{branch}.lock")
    git("push", "--quiet", "origin", branch)
    if has_remote(Path()) and not shared_repository():  # else each stage was pushed as it ended
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


def _require_tree_name(tree: Path) -> None:
    """A run's id names its tree, and Airflow lets people choose ids such as `..`."""
    if tree.name.startswith("."):
        raise WorktreeError(f"{tree.name!r} cannot name a run; begin its id with a letter or digit")


def run(action: str, tree: Path, name: str, values: Mapping[str, object]) -> int:
    """Act on the work tree `tree` of the project in the working directory; the exit status."""
    project, tree = Path.cwd(), tree.absolute()
    _require_tree_name(tree)
    if action == "make":
        make_worktree(project, tree, values)
        return 0
    enter_worktree(project, tree)
    if action == "stage":
        return stage(name)
    if action == "promote":
        return promote()
    with workspace_lock(Path()):
        publish(project)
    return 0
