"""The stage evaluate on six drawn test clips of two classes, with an untrained network."""

import json
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import yaml

from pipeline.dataset.catalogue import build_catalogue, write_catalogue
from pipeline.errors import ParamsError
from pipeline.evaluation.predictions import read_predictions
from pipeline.models import build
from pipeline.params import Params
from pipeline.paths import CATALOGUE, EVALUATE, SHARDS, TRAIN
from pipeline.shards.schema import Record
from pipeline.shards.tfrecord import TFRecordWriter
from pipeline.stages import evaluate
from pipeline.video.flow import encode_jpeg

ROOT = Path(__file__).parents[2]
MODEL = "csn-rgb"
ROWS = [
    {
        "clip": f"{name}/{number}",
        "class_name": name,
        "group": f"g{number}",
        "split": "test" if number else "train",
        "kept": True,
    }
    for name in ("dark", "light")
    for number in range(4)
]


def record_of(row: dict) -> Record:
    grey = 40 if row["class_name"] == "dark" else 200
    frames = (encode_jpeg(np.full((16, 24, 3), grey, np.uint8), quality=90),) * 4
    return Record(row["clip"], row["class_name"], (0.0, 0.125, 0.25, 0.375), frames)


@pytest.fixture(scope="module")
def params():
    committed = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    train = {"frames": 2, "crop": 16, "batch_size": 4}
    return Params.model_validate(
        committed | {"train": committed["train"] | train, "evaluate": {"windows": 2}}
    )


@pytest.fixture(scope="module")
def folder(params, tmp_path_factory):
    """What the stage writes for the model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        write_catalogue(build_catalogue(ROWS), CATALOGUE)
        SHARDS.mkdir(parents=True)
        with TFRecordWriter(SHARDS / "shard.rgb.tfrecord", "rgb") as writer:
            for row in ROWS:
                writer.write(record_of(row))
        keras.utils.set_random_seed(0)
        (TRAIN / MODEL).mkdir(parents=True)
        build("csn", input_shape=(2, 16, 16, 3), classes=2).save(TRAIN / MODEL / "model.keras")
        evaluate.run(params, MODEL)
        yield (EVALUATE / MODEL).absolute()


def test_each_test_clip_is_predicted_on_as_many_windows_as_params_say(folder):
    predictions = read_predictions(folder / "predictions.parquet")
    test = sorted(row["clip"] for row in ROWS if row["split"] == "test")
    assert sorted(predictions.clips.tolist()) == sorted(test * 2)
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, rtol=1e-5)


def test_metrics_are_those_of_the_predictions(folder):
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    windows = read_predictions(folder / "predictions.parquet")
    assert metrics["clip_accuracy"] == windows.accuracy
    assert metrics["video_accuracy"] == windows.by_clip().accuracy
    low, high = metrics["video_accuracy_low"], metrics["video_accuracy_high"]
    assert 0 <= low <= metrics["video_accuracy"] <= high <= 1
    assert (metrics["test_clips"], metrics["test_groups"]) == (6, 3)
    assert set(metrics["class_accuracy"]) == {"dark", "light"}
    assert metrics["latency_ms"] > 0


def test_each_control_has_one_window_per_clip_and_its_accuracy(folder):
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert set(metrics["controls"]) == {"ordered", "still", "shuffled"}
    for name, accuracy in metrics["controls"].items():
        control = read_predictions(folder / "controls" / f"{name}.parquet")
        assert len(control.clips) == 6
        assert control.accuracy == accuracy


def test_each_class_has_a_picture_of_its_activation_maps(folder):
    assert {path.name for path in (folder / "activation").iterdir()} == {"dark.jpg", "light.jpg"}
    assert cv2.imread(str(folder / "activation/dark.jpg")) is not None
    assert (folder / "confusion.png").is_file()
    header, *rows = (folder / "confusion.csv").read_text(encoding="utf-8").splitlines()
    assert header == "actual,predicted"
    assert len(rows) == 6


def test_an_unknown_model_is_refused_with_the_list_of_models(folder, params):
    with pytest.raises(ParamsError, match=r"models has no 'vgg'; params\.yaml lists"):
        evaluate.run(params, "vgg")
