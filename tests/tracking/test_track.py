"""The command `track`."""

import logging
import shutil
from pathlib import Path

import pytest

from pipeline.commands.track import run
from pipeline.params import Params, load_params
from pipeline.tracking.address import tracking_uri
from tests.tracking.conftest import contents, write_trained

ROOT = Path(__file__).parents[2]
STORE = "sqlite:///mlruns/mlflow.db"


@pytest.fixture
def repository(
    tmp_path: Path, tiny_model: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> Params:
    """The working directory is a repository in which one of the models is trained."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copytree(ROOT / "mlflow", "mlflow")
    Path("mlruns").mkdir()
    shutil.copy(empty_store, "mlruns/mlflow.db")
    write_trained(Path("data"), tiny_model, "csn-rgb")
    params = load_params(ROOT / "params.yaml")
    return params.model_copy(update={"models": dict.fromkeys(["csn-rgb", "csn-flow"])})


def test_trained_models_are_tracked_once(
    repository: Params, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run(repository)
    before = contents(STORE)
    assert {row[0] for row in before["metrics"]} == {"csn-rgb"}
    caplog.clear()
    run(repository)
    assert contents(STORE) == before
    assert "has 1 of 1 models" in caplog.text


def test_an_absent_server_is_a_warning(
    repository: Params, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    run(repository)
    assert "http://127.0.0.1:9 is away" in caplog.text


def test_runs_go_to_a_local_file_or_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri() == STORE
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    assert tracking_uri() == "http://server:5000"
