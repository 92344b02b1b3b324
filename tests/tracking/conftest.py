"""Models as the stages train and evaluate leave them, without training any."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import pytest
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import ViewType

from pipeline.tracking.database import prepare_database

Folders = tuple[Path, Path]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved network of the shape that the pipeline's networks have."""
    layers = [
        keras.Input((4, 8, 8, 3)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.GlobalAveragePooling3D(),
        keras.layers.Dense(3, activation="softmax"),
    ]
    path = tmp_path_factory.mktemp("model") / "model.keras"
    keras.Sequential(layers).save(path)
    return path


@pytest.fixture
def trained(tmp_path: Path, tiny_model: Path) -> Callable[..., Folders]:
    """Write data/train/NAME and data/evaluate/NAME; returns both folders."""

    def write(name: str = "csn-rgb", **changes: object) -> Folders:
        return write_trained(tmp_path / "data", tiny_model, name, **changes)

    return write


def history(epochs: int, *, start: float = 1.1) -> list[dict[str, float]]:
    """Rows of history.csv."""
    return [
        {
            "epoch": epoch,
            "loss": start / (epoch + 1),
            "accuracy": 1 - 0.5 / (epoch + 1),
            "validation_loss": start * 1.2 / (epoch + 1),
            "validation_accuracy": 0.9 - 0.5 / (epoch + 1),
            "learning_rate": 0.002,
            "seconds": 12.5 * (epoch + 1),
        }
        for epoch in range(epochs)
    ]


def write_trained(
    data: Path,
    model: Path,
    name: str,
    *,
    rows: list[dict[str, float]] | None = None,
    video_accuracy: float = 0.92,
    **record: object,
) -> Folders:
    """Both folders of one model, as the stages write them."""
    train, evaluate = data / "train" / name, data / "evaluate" / name
    train.mkdir(parents=True, exist_ok=True)
    evaluate.mkdir(parents=True, exist_ok=True)
    (train / "model.keras").write_bytes(model.read_bytes())
    (train / "record.json").write_text(json.dumps(make_record(name) | record))
    rows = history(3) if rows is None else rows
    with (train / "history.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(rows)
    (evaluate / "metrics.json").write_text(json.dumps(make_metrics(video_accuracy)))
    figure = Figure(figsize=(3, 3))
    figure.subplots().imshow([[video_accuracy, 0], [0, 1]])
    figure.savefig(evaluate / "confusion.png")
    return train, evaluate


def write_bundle(train: Path, content: str = "a network") -> Path:
    """data/export/NAME of a trained model, as far as the registry looks into it."""
    folder = train.parents[1] / "export" / train.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "float32.tflite").write_text(content)
    forms = {"int8": {"video_accuracy": 0.9, "size_bytes": 600_000}}
    (folder / "card.json").write_text(json.dumps({"forms": forms}))
    (folder / "metrics.json").write_text(json.dumps({"forms": forms, "temperature": 1.5}))
    shutil.copy(train / "model.keras", folder)
    return folder


def make_metrics(video_accuracy: float) -> dict[str, object]:
    return {
        "clip_accuracy": video_accuracy - 0.03,
        "video_accuracy": video_accuracy,
        "video_accuracy_low": video_accuracy - 0.05,
        "video_accuracy_high": video_accuracy + 0.04,
        "class_accuracy": {"Archery": 0.9, "Ski & Dive (fast)": 0.8},
    }


def make_record(name: str) -> dict[str, object]:
    architecture, stream = name.rsplit("-", 1)
    return {
        "key": f"key of {name}",
        "model": name,
        "architecture": architecture,
        "stream": stream,
        "seed": 0,
        "params": {"frames": 16, "batch_size": 16, "learning_rate": 0.002},
        "dataset_hash": "d4",
        "git_revision": "0123abc",
        "parameters": 215_000,
        "size_bytes": 2_700_000,
        "train_seconds": 63.5,
        "data_wait_fraction": 0.01,
        "gflops": 1.5,
        "precision": "float32",
        "hardware": "two cores",
        "threads": 2,
        "epochs": 3,
        "stopped_by": "patience",
        "best_validation_loss": 0.31,
    }


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store without runs; MLflow takes seconds to make one, a copy takes none."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    prepare_database(path)
    return path


@pytest.fixture
def store(tmp_path: Path, empty_store: Path) -> str:
    """The URI of a local store of the test's own, in a folder with a space in its name."""
    path = tmp_path / "ml runs" / "mlflow.db"
    path.parent.mkdir()
    shutil.copy(empty_store, path)
    return f"sqlite:///{path}"


def contents(tracking_uri: str) -> dict[str, list[tuple[object, ...]]]:
    """All that a SQLite store holds about runs, deleted ones too, and the artifacts beside it."""
    client = MlflowClient(tracking_uri)
    experiments = [each.experiment_id for each in client.search_experiments(ViewType.ALL)]
    runs = client.search_runs(experiments, run_view_type=ViewType.ALL)
    rows: dict[str, list[tuple[object, ...]]] = {
        "runs": [tuple(sorted(dict(run.info).items(), key=str)) for run in runs],
        "metrics": [
            (run.info.run_name, metric.key, metric.step, metric.value, metric.timestamp)
            for run in runs
            for name in run.data.metrics
            for metric in client.get_metric_history(run.info.run_id, name)
        ],
        "params": [(run.info.run_id, *item) for run in runs for item in run.data.params.items()],
        "tags": [(run.info.run_id, *item) for run in runs for item in run.data.tags.items()],
        "models": [
            (model.model_id, model.name, str(model.status))
            for model in client.search_logged_models(experiments)
        ],
        "outputs": [
            (run.info.run_id, output.model_id)
            for run in runs
            for output in (run.outputs.model_outputs if run.outputs else [])
        ],
    }
    path = Path(tracking_uri.removeprefix("sqlite:///"))
    files = [file for file in (path.parent / "artifacts").rglob("*") if file.is_file()]
    rows["files"] = [(str(file), file.stat().st_size) for file in files]
    return {name: sorted(values, key=str) for name, values in rows.items()}
