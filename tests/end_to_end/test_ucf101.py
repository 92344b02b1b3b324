"""`make ucf101` on two drawn classes: two splits, and what it writes."""

import json

import pytest

from tests.end_to_end.conftest import TINY, copy_of_the_repository


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with one small model, committed, as the work trees are clones."""
    project = copy_of_the_repository(tmp_path_factory.mktemp("project"))
    models = {"vgg_lstm-rgb": TINY["models"]["vgg_lstm-rgb"]}
    project.set(**TINY | {"models": models})
    project.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qam", "tiny")
    return project


def test_splits_are_trained_measured_and_not_repeated(project):
    command = ("python", "-m", "benchmarks.accuracy", "--clips", "sample", "--splits", "1", "3")
    assert "2 of 2: vgg_lstm-rgb" in project.run(*command).stderr
    path = project.folder / "benchmarks/accuracy.json"
    first = json.loads(path.read_text())
    (network,) = first["candidates"]
    assert network["trainings"] == 2
    assert sorted(network["splits"]) == ["1", "3"]
    assert first["test_groups"] == 2 * 14
    assert network["latency_clip_ms"] > 0
    assert sorted(network["by_frames"]) == ["16", "32", "8"]
    clips = (project.folder / "benchmarks/accuracy_clips.tsv").read_text().splitlines()
    assert len(clips) == 100
    again = project.run(*command)
    assert "Running stage 'train" not in again.stdout
    assert json.loads(path.read_text())["rows"] == first["rows"]
    project.run("python", "-m", "benchmarks.readme")
    assert "three official splits" in (project.folder / "README.md").read_text()
