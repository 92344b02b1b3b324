"""A registered version is made again from what its run holds, in a clone that has no data."""

import csv
import json
import shutil

import pytest

from tests.end_to_end.conftest import Project

MODEL = "vgg_lstm-rgb"


@pytest.fixture(scope="module")
def version(project):
    """What `models --json` says of the champion, whose params were edited after it was trained."""
    project.set(models={MODEL: project.params()["models"][MODEL]})
    project.run("dvc", "repro", f"evaluate@{MODEL}", f"export@{MODEL}")
    project.set(train={"learning_rate": 0.5}, extract={"fps": 4})
    project.run("python", "-m", "pipeline", "promote")
    return json.loads(project.run("python", "-m", "pipeline", "models", "--json").stdout)


@pytest.fixture(scope="module")
def clone(project, version, tmp_path_factory):
    """The revision that the version names, with the params and the lock that its run holds."""
    folder = tmp_path_factory.mktemp("clones") / "again"
    project.run("git", "clone", "-q", ".", str(folder))
    again = Project(folder)
    again.run("git", "checkout", "-q", version["made_from"]["git_revision"])
    fetched = folder.parent / "fetched"
    store = ("env", f"MLFLOW_TRACKING_URI=sqlite:///{project.folder}/mlruns/mlflow.db")
    download = ("mlflow", "artifacts", "download", "--run-id", version["run_id"])
    again.run(*store, *download, "--artifact-path", "origin", "--dst-path", str(fetched))
    for name in ("params.yaml", "dvc.lock"):
        shutil.copy(fetched / "origin" / name, folder)
    return again


def test_a_version_is_made_again_from_what_its_run_holds(project, version, clone):
    clone.run("dvc", "repro", f"train@{MODEL}")
    record = json.loads((clone.folder / "data/train" / MODEL / "record.json").read_text())
    assert record["key"] == version["made_from"]["key"]
    assert record["dataset_hash"] == version["made_from"]["shards"]
    assert history(clone) == history(project)


def history(project):
    """The training's metrics by epoch, without its time."""
    with (project.folder / "data/train" / MODEL / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: text for name, text in row.items() if name != "seconds"} for row in rows]
