"""Two machines that share a git repository and a DVC remote, and work on one run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.__main__ import main
from pipeline.errors import WorktreeError
from pipeline.orchestration import sync, worktree
from pipeline.orchestration.sync import pull_networks, pull_stages, push_stage, start_branch
from pipeline.orchestration.worktree import NOTHING_TO_DO

ROOT = Path(__file__).parents[2]
STAGES = """stages:
  double:
    cmd: mkdir -p out && expr $(cat number) + $(cat number) > out/double && echo 1 >> $RUNS
    deps: [number]
    outs: [out/double]
  triple:
    cmd: mkdir -p out && expr 3 \\* $(cat number) > out/triple && echo 1 >> $RUNS
    deps: [number]
    outs: [out/triple]
  compare:
    cmd: cat out/double out/triple > results/comparison.md
    deps: [out/double, out/triple]
    outs: [results/comparison.md: {cache: false}]
"""


def git(*arguments, cwd):
    command = ("git", "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments)
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path, monkeypatch):
    """What is committed, and the bare repository `hub` where machines meet."""
    monkeypatch.setenv("RETRAIN_REPOSITORY", str(tmp_path / "hub"))
    folder = tmp_path / "first"
    (folder / "results").mkdir(parents=True)
    (folder / "results/comparison.md").write_text("nothing yet\n")
    (folder / "number").write_text("21\n")
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / ".gitignore").write_text("/data/\n/out/\n/.state\n/trees/\n")
    shutil.copy(ROOT / "params.yaml", folder)
    git("init", "-q", cwd=folder)
    return folder


def share(project):
    git("add", "--all", cwd=project)
    git("commit", "-qm", "begin", cwd=project)
    git("clone", "-q", "--bare", str(project), str(project.parent / "hub"), cwd=project)


def on_the_branch(project, path):
    """A file of the run's branch, as the machines know it."""
    return git("show", f"retrain/run:{path}", cwd=project.parent / "hub")


def test_machines_use_what_others_made(project, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    first, second = project, tmp_path / "second"
    subprocess.run(["dvc", "init", "-q"], cwd=first, check=True)
    remote = f"[core]\n    remote = shared\n['remote \"shared\"']\n    url = {tmp_path}/shared\n"
    (first / ".dvc/config").write_text(remote)
    share(first)
    git("clone", "-q", str(tmp_path / "hub"), str(second), cwd=tmp_path)

    def act(machine, action, *arguments):
        monkeypatch.chdir(machine)
        return main(["worktree", action, "trees/run", *arguments])

    assert act(first, "make") == 0
    assert act(second, "make") == 0
    assert act(first, "stage", "double") == 0
    assert act(second, "stage", "double") == NOTHING_TO_DO
    assert act(second, "stage", "triple") == 0
    assert act(first, "stage", "compare") == 0
    assert (tmp_path / "runs").read_text() == "1\n1\n"
    assert on_the_branch(first, "results/comparison.md") == "42\n63\n"
    subjects = git("log", "--format=%s", "-3", "retrain/run", cwd=tmp_path / "hub")
    assert subjects.split() == ["compare", "triple", "double"]


@pytest.fixture
def machines(project, monkeypatch):
    """Two clones on the run's branch; calls of DVC do nothing."""
    monkeypatch.setattr(sync, "dvc", lambda *_: "")
    share(project)
    git("switch", "-qc", "retrain/run", cwd=project)
    git("remote", "add", "origin", str(project.parent / "hub"), cwd=project)
    git("push", "-q", "origin", "HEAD", cwd=project)
    second = project.parent / "second"
    git("clone", "-qb", "retrain/run", str(project.parent / "hub"), str(second), cwd=project)
    for machine in (project, second):
        (machine / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {}}))
    return project, second


def end(machine, stage, monkeypatch):
    """Push as if `stage` had ended there."""
    monkeypatch.chdir(machine)
    lock = yaml.safe_load((machine / "dvc.lock").read_text())
    lock["stages"][stage] = {"cmd": f"make {stage}"}
    (machine / "dvc.lock").write_text(yaml.safe_dump(lock))
    push_stage(stage)


def test_the_branch_has_the_entries_of_both_machines(machines, monkeypatch):
    first, second = machines
    end(first, "a", monkeypatch)
    end(second, "b", monkeypatch)
    stages = yaml.safe_load(on_the_branch(first, "dvc.lock"))["stages"]
    assert stages == {"a": {"cmd": "make a"}, "b": {"cmd": "make b"}}


def test_the_slower_of_two_machines_tries_again(machines, monkeypatch):
    first, second = machines
    commit_results = sync.commit_results

    def overtaken(message, tree):
        """Between the first machine's fetch and its push, the second pushes."""
        commit_results(message, tree)
        monkeypatch.setattr(sync, "commit_results", commit_results)
        end(second, "b", monkeypatch)
        monkeypatch.chdir(first)

    monkeypatch.setattr(sync, "commit_results", overtaken)
    end(first, "a", monkeypatch)
    assert set(yaml.safe_load(on_the_branch(first, "dvc.lock"))["stages"]) == {"a", "b"}


def test_a_pull_replaces_what_a_killed_stage_left(machines, monkeypatch):
    first, second = machines
    end(first, "a", monkeypatch)
    monkeypatch.chdir(second)
    (second / "results/comparison.md").write_text("half of it")
    pull_stages([])
    assert set(yaml.safe_load((second / "dvc.lock").read_text())["stages"]) == {"a"}
    assert (second / "results/comparison.md").read_text() == "nothing yet\n"


def test_a_repository_that_refuses_pushes_is_an_error_and_not_an_endless_loop(
    machines, monkeypatch
):
    monkeypatch.setattr(sync, "PUSH_ATTEMPTS", 2)
    hook = machines[0].parent / "hub/hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(WorktreeError, match=r"git push(.|\n)*pre-receive hook declined"):
        end(machines[0], "a", monkeypatch)


@pytest.mark.parametrize(("status", "pushed"), [(0, ["a"]), (NOTHING_TO_DO, ["a"]), (1, [])])
def test_a_stage_that_fails_pushes_nothing(machines, monkeypatch, status, pushed):
    seen = []
    monkeypatch.setattr(worktree, "_repro", lambda _: status)
    monkeypatch.setattr(worktree, "push_stage", seen.append)
    monkeypatch.setattr(worktree, "read_graph", lambda _: {"a": ()})
    monkeypatch.chdir(machines[0])
    assert worktree.stage("a") == status
    assert seen == pushed


def test_without_a_dvc_remote_the_error_says_how_to_add_one(machines):
    with pytest.raises(WorktreeError, match="dvc remote add"):
        start_branch(machines[0])


def test_a_machine_pulls_the_networks_that_the_newest_run_made(machines, monkeypatch):
    first, second = machines
    pulled = []
    stages = ("download", "features", "style@waves", "style@gone")
    for stage in stages:
        end(first, stage, monkeypatch)
    (second / "dvc.yaml").write_text(
        yaml.safe_dump({"stages": {stage: {"cmd": "true"} for stage in stages[:-1]}})
    )
    monkeypatch.setattr(sync, "dvc", lambda *arguments: pulled.append(arguments))
    monkeypatch.chdir(second)
    pull_networks()
    assert pulled == [("pull", "features", "style@waves")]
    assert set(yaml.safe_load((second / "dvc.lock").read_text())["stages"]) == set(stages)


def test_before_the_first_run_there_are_no_networks_to_pull(project, monkeypatch, caplog):
    caplog.set_level("INFO")
    share(project)
    monkeypatch.chdir(project)
    pull_networks()
    assert "no run of retrain has trained style networks yet" in caplog.text
    assert not (project / "dvc.lock").exists()
