"""What a version was made from: the params that its stages ran with, not those of today."""

import hashlib
import subprocess

import pytest
import yaml

from pipeline.tracking import origin
from pipeline.tracking.origin import collect_origin

PARAMS = """\
dataset:
  source: ucf101  # edited since
train:
  epochs: 99
  seed: 0
models:
  csn-rgb: {architecture: csn}
  other: {architecture: vgg_lstm}
"""


@pytest.fixture
def project(tmp_path):
    """A project whose params were edited after DVC had trained csn-rgb; returns what collects."""
    network = tmp_path / "data/train/csn-rgb/model.keras"
    network.parent.mkdir(parents=True)
    network.write_bytes(b"a network")
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "catalogue.parquet").write_bytes(b"clips")
    md5 = hashlib.md5(b"a network", usedforsecurity=False).hexdigest()
    values = {
        "subset": {"dataset": {"source": "sample"}},
        "train@csn-rgb": {"models.csn-rgb": {"architecture": "csn"}, "train": {"epochs": 5}},
        "train@other": {"train": {"epochs": 7}},
    }
    stages = {name: {"params": {"params.yaml": each}} for name, each in values.items()}
    stages["train@csn-rgb"]["outs"] = [{"path": "data/train/csn-rgb/model.keras", "md5": md5}]
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))

    def collect():
        files = collect_origin(
            tmp_path / "origin",
            network,
            params=tmp_path / "params.yaml",
            lock=tmp_path / "dvc.lock",
            catalogue=tmp_path / "catalogue.parquet",
        )
        return {file.name: file.read_text() for file in files}

    return collect


@pytest.fixture(autouse=True)
def committed(monkeypatch):
    """All code is committed."""
    monkeypatch.setattr(origin, "_uncommitted_code", lambda: "")


def test_values_are_those_that_the_stages_ran_with(project):
    files = project()
    assert sorted(files) == ["catalogue.parquet", "dvc.lock", "params.yaml"]
    assert yaml.safe_load(files["params.yaml"]) == {
        "dataset": {"source": "sample"},
        "train": {"epochs": 5},
        "models": {"csn-rgb": {"architecture": "csn"}, "other": {"architecture": "vgg_lstm"}},
    }


def test_a_network_that_dvc_did_not_make_has_the_params_of_now(project, tmp_path):
    (tmp_path / "data/train/csn-rgb/model.keras").write_bytes(b"made by hand")
    files = project()
    assert sorted(files) == ["catalogue.parquet", "params.yaml"]
    assert files["params.yaml"].strip() == PARAMS.strip()


def test_without_lock_and_catalogue_there_are_params(project, tmp_path):
    (tmp_path / "dvc.lock").unlink()
    (tmp_path / "catalogue.parquet").unlink()
    assert sorted(project()) == ["params.yaml"]


def test_code_that_is_not_committed_is_kept(project, tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@localhost"]
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline/code.py").write_text("old\n")
    for command in (["init", "-q"], ["add", "pipeline"], ["commit", "-qm", "code"]):
        subprocess.run([*git, *command], check=True)
    assert "uncommitted.diff" not in project()
    (tmp_path / "pipeline/code.py").write_text("new\n")
    assert "+new" in project()["uncommitted.diff"]
