"""What maintenance deletes, and what it never does, with the real git and DVC."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.orchestration import maintenance
from pipeline.orchestration.maintenance import delete_unused, run

STAGES = "stages:\n  make:\n    cmd: cp number out\n    deps: [number]\n    outs: [out]\n"
OLD = 40 * 24 * 3600


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one stage; it is the working directory, and shared with no other machine."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.delenv("RETRAIN_REPOSITORY", raising=False)
    monkeypatch.setattr(maintenance, "KEPT_RUNS", 1)
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("dvc.yaml").write_text(STAGES)
    Path(".gitignore").write_text("/out\n/.airflow\n/.state\n")
    Path("results").mkdir()
    git("init", "-q", "-b", "main")
    subprocess.run(["dvc", "init", "-q"], check=True)
    make("of main", None)
    return folder


def git(*arguments, time=0):
    command = ("git", "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments)
    environment = os.environ | {"GIT_COMMITTER_DATE": f"{1_700_000_000 + time} +0000"}
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    ).stdout


def make(content, promoted, time=0):
    """Run the stage on other content, and commit."""
    Path("number").write_text(content)
    Path("results/promotion.json").write_text(json.dumps({"promoted": promoted}))
    subprocess.run(["dvc", "repro", "-q"], check=True)
    git("add", "--all")
    git("commit", "-qm", content, time=time)


def make_run(name, *, promoted=False, time=0):
    git("switch", "-qc", f"retrain/{name}", "main")
    make(f"of {name}", promoted, time)
    git("switch", "-q", "main")
    subprocess.run(["dvc", "checkout", "-q"], check=True)


def branches():
    return set(git("branch", "--list", "retrain/*", "--format=%(refname:short)").split())


def cached(folder=Path(".dvc/cache")):
    return {path.read_text() for path in (folder / "files").rglob("*") if path.is_file()}


def test_an_old_run_goes_with_its_data_and_all_others_stay(project):
    make_run("champion", promoted=True, time=1)
    make_run("old", time=2)
    make_run("new", time=3)
    run()
    assert branches() == {"retrain/champion", "retrain/new"}
    assert cached() == {"of main", "of champion", "of new"}


def test_data_of_older_commits_of_one_s_own_project_stay(project):
    make("of main, later", None)
    run()
    assert {"of main", "of main, later"} <= cached()


def test_a_running_task_keeps_its_branch_and_what_it_has_not_committed(project):
    make_run("old", time=1)
    make_run("new", time=2)
    tree = project / ".airflow/worktrees/old"
    git("clone", "-q", "--branch", "retrain/old", str(project), str(tree))
    (tree / ".dvc/config.local").write_text(f"[cache]\n    dir = {project}/.dvc/cache\n")
    (tree / "number").write_text("not committed")
    subprocess.run(["dvc", "repro", "-q"], check=True, cwd=tree)
    run()
    assert branches() == {"retrain/old", "retrain/new"}
    assert {"of old", "not committed"} <= cached()


def test_a_branch_that_does_not_tell_whether_it_promoted_stays(project):
    make_run("odd", time=1)
    git("switch", "-q", "retrain/odd")
    Path("results/promotion.json").write_text('{"verdict": "of an older version"}')
    git("commit", "-qam", "odd", time=1)
    git("switch", "-q", "main")
    make_run("new", time=2)
    run()
    assert branches() == {"retrain/odd", "retrain/new"}


def test_the_shared_repository_and_remote_are_cleaned_by_any_machine(
    project, tmp_path, monkeypatch
):
    remote, hub = tmp_path / "remote", tmp_path / "hub"
    subprocess.run(["dvc", "remote", "add", "-q", "-d", "--local", "s", remote], check=True)
    make_run("champion", promoted=True, time=1)
    make_run("old", time=2)
    make_run("new", time=3)
    subprocess.run(["dvc", "push", "-q", "--all-branches"], check=True)
    git("clone", "-q", "--bare", str(project), str(hub))
    git("branch", "-D", *branches())
    monkeypatch.setenv("RETRAIN_REPOSITORY", str(hub))
    run()
    listed = git("-C", str(hub), "branch", "--list", "retrain/*", "--format=%(refname:short)")
    assert set(listed.split()) == {"retrain/champion", "retrain/new"}
    assert cached(remote) == {"of main", "of champion", "of new"}


def age(path, seconds):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    now = path.stat().st_mtime
    os.utime(path, (now - seconds, now - OLD))  # read, written


def test_pieces_that_nobody_reads_go_and_those_that_are_read_stay(tmp_path):
    unread, read = tmp_path / "shards/a/unread", tmp_path / "shards/b/read"
    age(unread, OLD)
    age(read, 60)
    (tmp_path / "link").symlink_to(read)
    delete_unused(tmp_path, before=read.stat().st_atime - 3600)
    assert not unread.exists()
    assert read.exists()
    assert (tmp_path / "link").is_symlink()


def test_a_folder_that_is_not_there_is_nothing_to_clean(project):
    delete_unused(project / "nowhere", before=0)
