"""A retraining's work tree, with the real git and DVC on a pipeline of two short stages."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.errors import ParamsError, WorktreeError
from pipeline.orchestration.worktree import (
    KEPT_WORKTREES,
    NOTHING_TO_DO,
    delete_old_worktrees,
    make_worktree,
)
from pipeline.params import load_params

ROOT = Path(__file__).parents[2]
STAGES = """stages:
  double:
    cmd: mkdir -p out && expr $(cat number) + $(cat number) > out/double
    deps: [number]
    outs: [out/double]
  compare:
    cmd: cp out/double results/comparison.md
    deps: [out/double]
    params: [dataset.split]
    outs: [results/comparison.md: {cache: false}]
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A committed project; it is the working directory."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    folder = tmp_path / "project"
    (folder / "results").mkdir(parents=True)
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / "number").write_text("21\n")
    (folder / "results/comparison.md").write_text("nothing yet\n")
    (folder / ".gitignore").write_text("/out/\n/data/\n/.state\n/trees/\n")
    shutil.copy(ROOT / "params.yaml", folder)
    monkeypatch.chdir(folder)
    git("init", "-q")
    subprocess.run(["dvc", "init", "-q"], check=True)
    commit("first")
    return folder


def git(*arguments):
    command = ("git", "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(message):
    git("add", "--all")
    git("commit", "-qm", message)


def run_both_stages():
    return [main(["worktree", "stage", ".", name]) for name in ("double", "compare")]


def publish(verdict):
    Path("results/promotion.json").write_text(json.dumps({"verdict": verdict}))
    assert main(["worktree", "publish", "."]) == 0


def test_params_are_set_and_comments_stay(project):
    rate = {"train.learning_rate": 1e-7}
    make_worktree(
        project, project / "trees/a", {"dataset.split": 3, "dataset.classes": ["x", "y"], **rate}
    )
    made = project / "trees/a/params.yaml"
    before = load_params(project / "params.yaml")
    changed = {"split": 3, "classes": ["x", "y"]}
    dataset = before.dataset.model_copy(update=changed)
    train = before.train.model_copy(update={"learning_rate": 1e-7})
    assert load_params(made) == before.model_copy(update={"dataset": dataset, "train": train})
    assert "# official UCF101 split" in made.read_text()


def test_params_that_are_not_committed_count(project):
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(re.sub(r"patience: \d+", "patience: 16", text))
    make_worktree(project, project / "trees/a", {})
    assert load_params(project / "trees/a/params.yaml").train.patience == 16


def test_a_value_against_the_rules_is_refused_and_leaves_no_work_tree(project):
    with pytest.raises(ParamsError, match="split"):
        make_worktree(project, project / "trees/a", {"dataset.split": 4})
    assert not (project / "trees/a").exists()
    make_worktree(project, project / "trees/a", {"dataset.split": 2})
    assert load_params(project / "trees/a/params.yaml").dataset.split == 2


def test_a_work_tree_that_exists_stays(project):
    make_worktree(project, project / "trees/a", {"dataset.split": 2})
    make_worktree(project, project / "trees/a", {"dataset.split": 3})
    assert load_params(project / "trees/a/params.yaml").dataset.split == 2


@pytest.mark.parametrize("path", ["dvc.yaml", "pipeline/new.py"])
def test_code_that_is_not_committed_is_refused_by_name(project, path):
    (project / path).parent.mkdir(exist_ok=True)
    with (project / path).open("a") as file:
        file.write("# changed\n")
    with pytest.raises(WorktreeError, match=path):
        make_worktree(project, project / "trees/a", {})
    assert not (project / "trees").exists()


def test_a_copy_without_a_repository_is_refused_with_the_way_to_make_one(project):
    shutil.rmtree(project / ".git")
    with pytest.raises(WorktreeError, match="needs a git repository"):
        make_worktree(project, project / "trees/a", {})


def test_a_project_inside_another_repository_is_refused(project):
    inner = project / "unpacked"
    inner.mkdir()
    with pytest.raises(WorktreeError, match="of another one"):
        make_worktree(inner, inner / "trees/a", {})


@pytest.mark.parametrize("name", ["josé", "日本", "a b (1) 100%"])
def test_a_project_may_lie_in_any_folder(project, name, monkeypatch):
    moved = project.rename(project.with_name(name))
    monkeypatch.chdir(moved)
    make_worktree(moved, moved / "trees/a", {})
    monkeypatch.chdir(moved / "trees/a")
    assert run_both_stages() == [0, 0]
    assert any((moved / ".dvc/cache").iterdir())


def test_a_relative_source_means_the_same_folder(project):
    (project / "data/clips").mkdir(parents=True)
    make_worktree(project, project / "trees/a", {"dataset.source": "data/clips"})
    assert (project / "trees/a/data/clips").samefile(project / "data/clips")


def test_a_relative_warm_start_means_the_same_folder_but_not_as_the_tree_s_own(project):
    make_worktree(project, project / "trees/a", {"train.warm_start": "data/train"})
    params = load_params(project / "trees/a/params.yaml")
    assert params.train.warm_start == str((project / "data/train").resolve())
    assert not (project / "trees/a/data/train").exists()


def test_only_the_newest_work_trees_stay(project):
    trees = [project / "trees" / str(number) for number in range(KEPT_WORKTREES + 2)]
    for age, tree in enumerate(reversed(trees)):
        tree.mkdir(parents=True)
        (tree / ".state").symlink_to(project)
        os.utime(tree, (1e9 - age, 1e9 - age))
    delete_old_worktrees(project / "trees")
    assert sorted((project / "trees").iterdir()) == trees[-KEPT_WORKTREES:]
    assert (project / "dvc.yaml").exists()


def test_a_stage_runs_once_and_is_nothing_to_do_after_that(project, monkeypatch):
    make_worktree(project, project / "trees/a", {})
    monkeypatch.chdir(project / "trees/a")
    assert run_both_stages() == [0, 0]
    assert run_both_stages() == [NOTHING_TO_DO, NOTHING_TO_DO]


def test_the_next_run_finds_done_what_the_last_one_did(project, monkeypatch):
    make_worktree(project, project / "trees/a", {})
    monkeypatch.chdir(project / "trees/a")
    run_both_stages()
    publish("a is the first champion")
    make_worktree(project, project / "trees/b", {})
    monkeypatch.chdir(project / "trees/b")
    assert run_both_stages() == [NOTHING_TO_DO, NOTHING_TO_DO]
    assert Path("out/double").read_text() == "42\n"
    make_worktree(project, project / "trees/c", {"dataset.split": 2})
    monkeypatch.chdir(project / "trees/c")
    assert run_both_stages() == [NOTHING_TO_DO, 0]


def test_a_stage_may_print_bytes_that_are_not_utf_8(project, monkeypatch, capfd):
    stages = STAGES.replace("cmd: mkdir", "cmd: printf 'caf\\351\\n' && mkdir")
    (project / "dvc.yaml").write_text(stages)
    commit("print")
    make_worktree(project, project / "trees/a", {})
    monkeypatch.chdir(project / "trees/a")
    assert main(["worktree", "stage", ".", "double"]) == 0
    assert "caf\ufffd" in capfd.readouterr().out


def test_a_stage_that_fails_is_a_failure(project, monkeypatch):
    (project / "number").write_text("no number\n")
    commit("break it")
    make_worktree(project, project / "trees/a", {})
    monkeypatch.chdir(project / "trees/a")
    assert main(["worktree", "stage", ".", "double"]) not in (0, NOTHING_TO_DO)


def test_what_a_run_made_is_a_branch_of_the_project(project, monkeypatch):
    make_worktree(project, project / "trees/a", {"dataset.split": 2})
    monkeypatch.chdir(project / "trees/a")
    run_both_stages()
    publish("a is the first champion")
    monkeypatch.chdir(project)
    changed = git("diff", "--name-only", "HEAD", "retrain/a").splitlines()
    assert changed == [
        "dvc.lock",
        "params.yaml",
        "results/comparison.md",
        "results/promotion.json",
    ]
    assert git("log", "-1", "--format=%B", "retrain/a").split("\n\n") == [
        "retrain/a",
        "a is the first champion",
        "42",
    ]


def test_with_a_remote_another_machine_need_not_run_what_is_done(project, monkeypatch, tmp_path):
    subprocess.run(["dvc", "remote", "add", "-q", "-d", "shared", tmp_path / "shared"], check=True)
    commit("share")
    make_worktree(project, project / "trees/a", {})
    monkeypatch.chdir(project / "trees/a")
    run_both_stages()
    publish("a is the first champion")
    other = tmp_path / "other"
    git("clone", "-q", str(project), str(other))
    monkeypatch.chdir(other)
    make_worktree(other, other / "trees/b", {})
    monkeypatch.chdir(other / "trees/b")
    assert main(["worktree", "stage", ".", "double"]) == NOTHING_TO_DO
    assert Path("out/double").read_text() == "42\n"


def test_paths_out_of_the_project_mean_the_same_in_a_work_tree(project, tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "groups.csv").touch()
    values = {"dataset.source": "../clips", "dataset.groups": "../groups.csv"}
    make_worktree(project, project / "trees/a", {**values, "stylize.features": "../vgg19.h5"})
    params = load_params(project / "trees/a/params.yaml")
    assert params.dataset.source == str(tmp_path / "clips")
    assert params.dataset.groups == str(tmp_path / "groups.csv")
    assert params.stylize.features == str(tmp_path / "vgg19.h5")
    assert [path.name for path in (project / "trees").iterdir()] == ["a"]


def test_untracked_inputs_of_the_project_are_there_in_a_work_tree(project):
    (project / "clips/Archery").mkdir(parents=True)
    make_worktree(project, project / "trees/a", {"dataset.source": "clips"})
    assert load_params(project / "trees/a/params.yaml").dataset.source == "clips"
    assert (project / "trees/a/clips/Archery").samefile(project / "clips/Archery")


def test_what_stages_make_is_not_linked(project):
    (project / load_params(project / "params.yaml").stylize.features).mkdir(parents=True)
    make_worktree(project, project / "trees/a", {})
    assert not (project / "trees/a/data").exists()


def test_half_deleted_trees_and_links_do_not_count_as_work_trees(project):
    trees = [project / "trees" / str(number) for number in range(KEPT_WORKTREES)]
    half = project / "trees/.old"
    for tree in (*trees, half):
        tree.mkdir(parents=True)
    link = project / "trees/clips"
    link.symlink_to(project)
    delete_old_worktrees(project / "trees")
    assert sorted((project / "trees").iterdir()) == [*trees, link]


def test_a_publication_that_was_killed_is_done_again(project, monkeypatch):
    make_worktree(project, project / "trees/a", {})
    monkeypatch.chdir(project / "trees/a")
    run_both_stages()
    for lock in (project / "trees/a/.git/index.lock", project / ".git/refs/heads/retrain/a.lock"):
        lock.parent.mkdir(exist_ok=True)
        lock.touch()
    Path("results/promotion.json").write_text(json.dumps({"verdict": "a is the first champion"}))
    monkeypatch.chdir(project)
    assert main(["worktree", "publish", "trees/a"]) == 0
    assert git("log", "-1", "--format=%s", "retrain/a") == "retrain/a"


@pytest.mark.parametrize(
    "key",
    [
        "dataset.source",
        "dataset.groups",
        "stylize.features",
        "train.warm_start",
        "models.vgg_lstm-rgb.backbone",
        "styles.brush-fast.photos",
        "styles.brush-fast.style_images",
    ],
)
def test_no_path_of_a_form_leads_out_of_the_folders_that_are_allowed(
    project, tmp_path, monkeypatch, key
):
    monkeypatch.setenv("FORM_FOLDERS", "sources")
    (project / "sources").mkdir()
    with pytest.raises(ParamsError, match=f"{re.escape(key)} is ../secrets"):
        make_worktree(project, project / "trees/a", {key: "../secrets"})
    make_worktree(project, project / "trees/a", {key: "sources/x"})


def test_what_the_project_itself_names_may_lie_anywhere(project, tmp_path, monkeypatch):
    monkeypatch.setenv("FORM_FOLDERS", "sources")
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("source: sample ", "source: ../clips "))
    form = {"dataset.source": "../clips", "train.warm_start": None, "dataset.split": 2}
    make_worktree(project, project / "trees/a", form)
    assert load_params(project / "trees/a/params.yaml").dataset.source == str(tmp_path / "clips")


@pytest.mark.parametrize("name", ["..", ".dvc"])
def test_a_run_s_id_leads_nowhere_else(project, name, caplog):
    (project / "trees").mkdir()
    assert main(["worktree", "stage", f"trees/{name}", "double"]) == 1
    assert f"{name!r} cannot name a run" in caplog.text
