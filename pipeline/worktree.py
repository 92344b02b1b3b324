"""A retraining's own work tree, made, run stage by stage and published by dags/retrain.py.

A work tree is a clone of what is committed, on a branch of its own. It shares DVC's cache and the
reusable pieces in .state with the project that it was cloned from, so that it remakes nothing.

    python -m pipeline.worktree make TREE    # in the project; $PARAMS: {"dataset.split": 2}
    python -m pipeline.worktree stage NAME   # in the work tree, as is
    python -m pipeline.worktree publish
"""

import configparser
import json
import logging
import os
import shutil
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

from pipeline.errors import PipelineError
from pipeline.params import load_params
from pipeline.stages.paths import PROMOTION

log = logging.getLogger(__name__)

NOTHING_TO_DO = 99  # the exit status that Airflow shows as "skipped"
KEPT = 3  # work trees of earlier runs that stay, to be looked at or retried
BRANCHES = "retrain"
AUTHOR = ("-c", "user.name=retrain", "-c", "user.email=retrain@localhost")


def make(project: Path, tree: Path, values: Mapping[str, object]) -> None:
    """Clone `project` to `tree` with `values` in its params.yaml; a tree that exists stays."""
    if tree.is_dir():
        log.info("%s is there already; the run goes on in it", tree)
        return
    clear(tree.parent)
    new = tree.with_name(f".{tree.name}")
    shutil.rmtree(new, ignore_errors=True)
    _git("clone", "--quiet", str(project), str(new), cwd=project)
    _git("switch", "--quiet", "--create", f"{BRANCHES}/{tree.name}", cwd=new)
    _share(project, new)
    _take_up_last_run(new)
    _write_params(project, new, values)
    new.rename(tree)
    log.info("%s is at %s", tree, _git("log", "-1", "--format=%h %s", cwd=tree))


def clear(folder: Path) -> None:
    """Delete all work trees in `folder` but the newest."""
    trees = [path for path in folder.glob("*") if path.is_dir()]
    for tree in sorted(trees, key=lambda path: path.stat().st_mtime)[: -KEPT or None]:
        log.info("deleting the old work tree %s", tree)
        shutil.rmtree(tree)


def _take_up_last_run(tree: Path) -> None:
    """Begin with what the last run ended with, as far as it is in DVC's cache."""
    runs = ("for-each-ref", "--sort=-committerdate", "--count=1", "--format=%(refname)")
    last = _git(*runs, f"refs/remotes/origin/{BRANCHES}", cwd=tree)
    if last:
        _git("checkout", last, "--", "dvc.lock", "results", cwd=tree)
    _dvc("checkout", "--quiet", "--allow-missing", cwd=tree)


def _share(project: Path, tree: Path) -> None:
    """Let `tree` use DVC's cache and settings, and the reusable pieces, of `project`."""
    local = project / ".dvc/config.local"
    if local.is_file():
        shutil.copy(local, tree / ".dvc/config.local")
    _dvc("cache", "dir", "--quiet", "--local", _dvc("cache", "dir", cwd=project), cwd=tree)
    (project / ".state").mkdir(exist_ok=True)
    (tree / ".state").symlink_to(project / ".state")


def _write_params(project: Path, tree: Path, values: Mapping[str, object]) -> None:
    """Take params.yaml as it stands in `project`, comments and all, and set `values` in it."""
    yaml = _yaml()
    document = yaml.load(project / "params.yaml")
    for name, value in values.items():
        section, key = name.split(".")
        document[section][key] = value
    yaml.dump(document, tree / "params.yaml")
    dataset = load_params(tree / "params.yaml").dataset
    for path in (dataset.source, dataset.groups):
        _link(project, tree, path)


def _yaml() -> YAML:
    """Reads and writes YAML as people wrote it."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1000
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(
        type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return yaml


def _link(project: Path, tree: Path, path: str | None) -> None:
    """Let a relative path of params.yaml mean in `tree` what it means in `project`."""
    if path and (project / path).exists() and not (tree / path).exists():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).symlink_to(project / path)


def stage(name: str) -> int:
    """Run one stage, if DVC finds it neither done in place nor in the run-cache."""
    pull = ["--pull"] if _has_remote() else []
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


def _has_remote() -> bool:
    config = configparser.ConfigParser()
    config.read([".dvc/config", ".dvc/config.local"])
    return config.has_option("core", "remote")


def publish() -> None:
    """Commit params.yaml, dvc.lock and the results, and hand the branch over to the project."""
    branch = _git("branch", "--show-current")
    _git("add", "params.yaml", "dvc.lock", "results")
    if _git("diff", "--cached", "--name-only"):
        _git(*AUTHOR, "commit", "--quiet", "--message", f"{branch}\n\n{_summary()}")
    _git("push", "--quiet", "origin", branch)
    if _has_remote():
        _dvc("push", "--run-cache")
    log.info("branch %s, commit %s", branch, _git("rev-parse", "--short", "HEAD"))
    log.info("\n\n%s\n%s", _summary(), _where_to_look())


def _summary() -> str:
    verdict = json.loads(PROMOTION.read_text(encoding="utf-8"))["verdict"]
    return f"{verdict}\n\n{Path('results/comparison.md').read_text(encoding='utf-8')}"


def _where_to_look() -> str:
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    mlflow = f"{uri}/#/experiments" if uri.startswith("http") else "make mlflow"
    return f"{Path('results/report.html').absolute().as_uri()}\nMLflow: {mlflow}"


def _git(*arguments: str, cwd: Path | None = None) -> str:
    return _answer("git", *arguments, cwd=cwd)


def _dvc(*arguments: str, cwd: Path | None = None) -> str:
    return _answer("dvc", *arguments, cwd=cwd)


def _answer(*command: str, cwd: Path | None) -> str:
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def main(arguments: list[str] | None = None) -> int:
    """Run one action; the exit status is 1 after an error that people can mend."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        return _act(_parser().parse_args(arguments))
    except PipelineError as error:
        log.error("%s", error)  # noqa: TRY400 - these errors explain themselves
        return 1


def _act(options: Namespace) -> int:
    if options.action == "make":
        make(Path.cwd(), options.tree.absolute(), json.loads(os.environ.get("PARAMS", "{}")))
    elif options.action == "stage":
        return stage(options.name)
    else:
        publish()
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m pipeline.worktree", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("make").add_argument("tree", type=Path)
    actions.add_parser("stage").add_argument("name")
    actions.add_parser("publish")
    return parser


if __name__ == "__main__":
    sys.exit(main())
