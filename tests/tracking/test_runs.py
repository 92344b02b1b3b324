"""One run a model, from the files on disk."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.models import build
from pipeline.models.layers import PictureConv2D, replace_layers
from pipeline.style.networks import generator
from pipeline.tracking.live import LiveRun
from pipeline.tracking.runs import is_tracked, upsert
from pipeline.tracking.store import save_view
from pipeline.tracking.trained import read_trained
from tests.tracking.conftest import contents, history, make_record

Write = Callable[..., tuple[Path, Path]]


def only_run(uri: str) -> Run:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("video-classification")
    (run,) = client.search_runs([experiment.experiment_id])
    return run


def epochs(uri: str) -> Counter[tuple[object, ...]]:
    """How often each metric was logged for each epoch."""
    return Counter(row[1:3] for row in contents(uri)["metrics"])


def show_live(uri: str, rows: list[dict[str, float]], *, fails: bool = False) -> None:
    """A training that is followed live, and perhaps breaks off."""
    with (
        suppress(KeyboardInterrupt),
        LiveRun(make_record("csn-rgb"), tracking_uri=uri, patience=120) as live,
    ):
        for row in rows:
            live.on_epoch(int(row["epoch"]), row)
        if fails:
            raise KeyboardInterrupt


def test_a_run_holds_all_that_is_known_of_the_model(trained: Write, store: str) -> None:
    train, evaluate = trained()
    run_id = upsert(train, evaluate, tracking_uri=store)
    run = only_run(store)
    assert (run.info.run_id, run.info.run_name, run.info.status) == (run_id, "csn-rgb", "FINISHED")
    assert run.info.end_time - run.info.start_time == 63_500
    assert run.data.params.items() >= {"architecture": "csn", "batch_size": "16"}.items()
    assert run.data.tags.items() >= {"dataset_hash": "d4", "git_revision": "0123abc"}.items()
    assert run.data.metrics.items() >= {"test/video_accuracy": 0.92, "parameters": 215_000}.items()
    losses = MlflowClient(store).get_metric_history(run_id, "epoch/loss")
    assert [(metric.step, metric.value) for metric in losses] == [
        (row["epoch"], row["loss"]) for row in history(3)
    ]
    (figure,) = MlflowClient(store).list_artifacts(run_id, "figures")
    assert figure.path == "figures/confusion.png"


def test_the_logged_model_is_the_trained_one(trained: Write, store: str) -> None:
    train, evaluate = trained()
    upsert(train, evaluate, tracking_uri=store)
    (model_id,) = (model.model_id for model in only_run(store).outputs.model_outputs)
    mlflow.set_tracking_uri(store)
    loaded = mlflow.keras.load_model(f"models:/{model_id}")
    clips = np.random.default_rng(0).uniform(0, 255, (2, 4, 8, 8, 3)).astype("float32")
    original = keras.saving.load_model(train / "model.keras")
    np.testing.assert_allclose(loaded.predict_on_batch(clips), original.predict_on_batch(clips))
    signature = mlflow.models.get_model_info(f"models:/{model_id}").signature
    assert signature.inputs.inputs[0].shape == (-1, 4, 8, 8, 3)
    assert signature.outputs.inputs[0].shape == (-1, 3)


ELSEWHERE = """
import importlib.util, sys
assert importlib.util.find_spec("pipeline") is None
import mlflow, numpy as np
mlflow.set_tracking_uri(sys.argv[1])
clips = np.full((1, 4, 32, 32, 3), 90, "float32")
loaded = mlflow.keras.load_model(sys.argv[2]), mlflow.pyfunc.load_model(sys.argv[2])
np.save(sys.argv[3], [model.predict(clips)[0] for model in loaded])
"""


def test_a_logged_model_loads_where_the_repository_is_not(
    trained: Write, store: str, tmp_path: Path
) -> None:
    train, evaluate = trained()
    network = build("csn", input_shape=(4, 32, 32, 3), classes=3)
    network.save(train / "model.keras")
    upsert(train, evaluate, tracking_uri=store)
    (model_id,) = (model.model_id for model in only_run(store).outputs.model_outputs)
    subprocess.run(
        [sys.executable, "-c", ELSEWHERE, store, f"models:/{model_id}", "answers.npy"],
        cwd=tmp_path,
        env={name: text for name, text in os.environ.items() if name != "PYTHONPATH"},
        check=True,
    )
    clips = np.full((1, 4, 32, 32, 3), 90, "float32")
    expected = [network.predict_on_batch(clips)[0]] * 2
    answers = np.load(tmp_path / "answers.npy")
    np.testing.assert_allclose(answers, expected, atol=1e-5)


def test_repeating_changes_nothing(trained: Write, store: str) -> None:
    folders = trained()
    first = upsert(*folders, tracking_uri=store)
    before = contents(store)
    assert upsert(*folders, tracking_uri=store) == first
    assert contents(store) == before


@pytest.mark.parametrize(
    "broken",
    [
        "log_batch",
        "log_outputs",
        "log_model_artifacts",
        "finalize_logged_model",
        "log_artifact",
        "set_terminated",
    ],
)
def test_what_broke_off_is_completed(
    trained: Write, store: str, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise MlflowException("the server died")

    folders = trained()
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, broken, die)
        assert upsert(*folders, tracking_uri=store) is None
    assert not is_tracked(read_trained(*folders), store)
    upsert(*folders, tracking_uri=store)
    assert only_run(store).info.status == "FINISHED"
    assert len(contents(store)["models"]) == len(contents(store)["outputs"]) == 1
    assert set(epochs(store).values()) == {1}
    assert is_tracked(read_trained(*folders), store)


def test_epochs_seen_live_are_not_logged_again(trained: Write, store: str) -> None:
    show_live(store, history(2))
    upsert(*trained(), tracking_uri=store)
    assert only_run(store).info.status == "FINISHED"
    assert epochs(store)["epoch/loss", 2] == 1
    assert set(epochs(store).values()) == {1}


def test_a_resumed_training_goes_on_in_its_run(trained: Write, store: str) -> None:
    show_live(store, history(2), fails=True)
    assert only_run(store).info.status == "FAILED"
    show_live(store, history(3)[1:])
    upsert(*trained(), tracking_uri=store)
    assert only_run(store).info.status == "FINISHED"
    assert set(epochs(store).values()) == {1}


def test_a_live_run_that_the_files_contradict_is_replaced(trained: Write, store: str) -> None:
    show_live(store, history(2, start=5.0), fails=True)
    upsert(*trained(), tracking_uri=store)
    assert only_run(store).data.metrics["epoch/loss"] == pytest.approx(1.1 / 3)


def test_another_training_of_the_same_model_is_another_run(trained: Write, store: str) -> None:
    first = upsert(*trained(), tracking_uri=store)
    second = upsert(*trained(rows=history(3, start=5.0)), tracking_uri=store)
    assert first != second
    assert upsert(*trained(), tracking_uri=store) == first


def test_a_model_that_is_tracked_is_not_shown_live_again(trained: Write, store: str) -> None:
    upsert(*trained(), tracking_uri=store)
    before = contents(store)
    show_live(store, history(3))
    assert contents(store) == before


def test_another_evaluation_updates_what_changed(trained: Write, store: str) -> None:
    upsert(*trained(), tracking_uri=store)
    before = contents(store)
    upsert(*trained(video_accuracy=0.5), tracking_uri=store)
    after = contents(store)
    assert only_run(store).data.metrics["test/video_accuracy"] == 0.5
    new = {row[1] for row in set(after["metrics"]) - set(before["metrics"])}
    assert new >= {"test/video_accuracy"}
    assert all(name.startswith("test/") and "class" not in name for name in new)
    assert [name for name, _ in after["files"]] == [name for name, _ in before["files"]]


def test_a_model_not_yet_evaluated_is_tracked_and_completed_later(
    trained: Write, store: str
) -> None:
    train, evaluate = trained()
    first = upsert(train, None, tracking_uri=store)
    assert "test/video_accuracy" not in only_run(store).data.metrics
    assert upsert(train, evaluate, tracking_uri=store) == first
    assert set(epochs(store).values()) == {1}


def test_a_deleted_experiment_comes_back(trained: Write, store: str) -> None:
    folders = trained()
    upsert(*folders, tracking_uri=store)
    client = MlflowClient(store)
    client.delete_experiment(only_run(store).info.experiment_id)
    assert is_tracked(read_trained(*folders), store)
    assert upsert(*folders, tracking_uri=store) == only_run(store).info.run_id


def test_the_saved_view_is_written_once(store: str) -> None:
    address = save_view("comparison", {"orderByAsc": False}, tracking_uri=store)
    assert save_view("comparison", {"orderByAsc": False}, tracking_uri=store) == address
    assert address == "#/experiments/1/runs?viewStateShareKey=comparison"


def test_an_absent_server_is_a_warning(
    trained: Write, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert upsert(*trained(), tracking_uri="http://127.0.0.1:9") is None
    assert "http://127.0.0.1:9 did not take csn-rgb" in caplog.text


def test_a_style_network_loads_where_pipeline_style_is_not_imported(tmp_path: Path) -> None:
    network = generator(widths=(4, 4, 4), blocks=1)
    replace_layers(network, PictureConv2D, keras.layers.Conv2D).save(tmp_path / "model.keras")
    load = "import sys; from pathlib import Path; from pipeline.tracking.runs import _load; "
    command = (sys.executable, "-c", load + "_load(Path(sys.argv[1]))", tmp_path / "model.keras")
    subprocess.run(command, check=True)
