"""The stage train on twelve drawn clips of two classes."""

import csv
import json
import math
import shutil
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

from pipeline.dataset.catalogue import build_catalogue, write_catalogue
from pipeline.errors import ParamsError, ShardError, TrainingError
from pipeline.params import Params
from pipeline.paths import CATALOGUE, SHARDS, STATE, TRAIN
from pipeline.shards.schema import Record
from pipeline.shards.tfrecord import TFRecordWriter
from pipeline.stages import train as stage
from pipeline.video.flow import encode_jpeg

ROOT = Path(__file__).parents[2]
COMMITTED = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
MODEL = "csn-rgb"
SMALL = {"frames": 2, "crop": 16, "batch_size": 4, "max_steps": 64, "target_accuracy": 1.0}


def params(**train) -> Params:
    return Params.model_validate(COMMITTED | {"train": COMMITTED["train"] | SMALL | train})


def clip_rows() -> list[dict]:
    return [
        {
            "clip": f"{name}/{number}",
            "class_name": name,
            "group": f"{name}/{number}",
            "split": "validation" if number > 3 else "train",
            "kept": True,
        }
        for name in ("dark", "light")
        for number in range(6)
    ]


def record_of(row: dict) -> Record:
    grey = 40 if row["class_name"] == "dark" else 200
    frame = np.full((16, 24, 3), grey + 5 * int(row["clip"][-1]), np.uint8)
    frames = (encode_jpeg(frame, quality=90),) * 4
    return Record(row["clip"], row["class_name"], (0.0, 0.125, 0.25, 0.375), frames)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A work tree with a catalogue and shards."""
    monkeypatch.chdir(tmp_path)
    # TensorFlow's threads cannot be set once another test has computed.
    monkeypatch.setattr(stage, "divide_threads", lambda threads: None)
    write_catalogue(build_catalogue(clip_rows()), CATALOGUE)
    SHARDS.mkdir(parents=True)
    with TFRecordWriter(SHARDS / "shard.rgb.tfrecord", "rgb") as writer:
        for row in clip_rows():
            writer.write(record_of(row))


def record() -> dict:
    return json.loads((TRAIN / MODEL / "record.json").read_text(encoding="utf-8"))


def history() -> list[dict[str, str]]:
    with (TRAIN / MODEL / "history.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def without_seconds(rows):
    return [{**row, "seconds": None} for row in rows]


def killing(after: int):
    """An observer that raises after an epoch, as a signal would; it keeps what it is given."""

    class Killer:
        def on_epoch(self, epoch, metrics):
            if epoch == after:
                raise KeyboardInterrupt

    @contextmanager
    def observe(known):
        yield Killer()

    return observe


def test_it_writes_a_network_a_history_and_a_record(project):
    stage.run(params(), MODEL)
    found = record()
    assert (found["model"], found["architecture"], found["seed"]) == (MODEL, "csn", 0)
    assert found["classes"] == ["dark", "light"]
    assert (found["epochs"], found["steps"]) == (2, 64)
    assert found["stopped_by"] == "max_steps"
    assert found["params"]["max_steps"] == 64
    assert len(found["key"]) == len(found["dataset_hash"]) == 64
    network = keras.saving.load_model(TRAIN / MODEL / "model.keras")
    assert network.output_shape == (None, 2)
    assert found["parameters"] == network.count_params()
    assert found["size_bytes"] == (TRAIN / MODEL / "model.keras").stat().st_size
    assert found["gflops"] > 0
    assert found["threads"] >= 1
    rows = history()
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert 0 < float(rows[0]["seconds"]) < float(rows[1]["seconds"]) == found["train_seconds"]
    assert found["validation_loss"] == float(rows[-1]["val_loss"])
    assert not list((STATE / "train").iterdir())


def test_a_killed_training_resumes_and_ends_as_an_unbroken_one(project, caplog):
    stage.run(params(), MODEL)
    unbroken, weights = history(), keras.saving.load_model(TRAIN / MODEL / "model.keras")
    shutil.rmtree(TRAIN)
    with pytest.raises(KeyboardInterrupt):
        stage.run(params(), MODEL, observe=killing(1))
    assert not TRAIN.exists()
    caplog.set_level("INFO")
    stage.run(params(), MODEL)
    assert "training resumes after epoch 1" in caplog.text
    assert without_seconds(history()) == without_seconds(unbroken)
    resumed = keras.saving.load_model(TRAIN / MODEL / "model.keras")
    for ours, theirs in zip(resumed.get_weights(), weights.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_other_params_do_not_resume_from_a_checkpoint_of_these(project, caplog):
    with pytest.raises(KeyboardInterrupt):
        stage.run(params(), MODEL, observe=killing(1))
    caplog.set_level("INFO")
    stage.run(params(learning_rate=0.001, max_steps=32), MODEL)
    assert "resumes" not in caplog.text


def test_it_ends_early_at_the_target_accuracy(project):
    stage.run(params(target_accuracy=1e-9 + 0.4, max_steps=5000), MODEL)
    assert record()["stopped_by"] == "target_accuracy"
    assert len(history()) < 10


def test_a_row_s_own_minutes_hold_for_it_and_stand_in_its_record(project):
    chosen = params(max_steps=640)
    chosen.models[MODEL] = chosen.models[MODEL].model_copy(update={"max_minutes": 1e-9})
    stage.run(chosen, MODEL)
    assert record()["stopped_by"] == "max_minutes"
    assert record()["params"]["max_minutes"] == 1e-9
    assert "max_minutes" not in record()


def test_a_warm_start_takes_the_weights_of_an_earlier_run(project, caplog):
    stage.run(params(max_steps=32), MODEL)
    shutil.move(TRAIN, "earlier")
    caplog.set_level("INFO")
    stage.run(params(max_steps=32, warm_start="earlier"), MODEL)
    assert f"csn starts from {Path('earlier', MODEL, 'model.keras')}" in caplog.text
    assert len(record()["warm_start_hash"]) == 64


@pytest.mark.parametrize("folder", ["nowhere", str(TRAIN)])
def test_a_warm_start_from_a_folder_that_cannot_serve_is_refused(project, folder):
    TRAIN.mkdir(parents=True)
    with pytest.raises(TrainingError, match=rf"train\.warm_start is {folder}"):
        stage.run(params(warm_start=folder), MODEL)


def test_a_loss_that_is_not_finite_stops_and_leaves_no_model(project, monkeypatch):
    real = stage.build

    def broken(*given, **named):
        network = real(*given, **named)
        network.layers[-1].bias.assign([math.nan, 0])
        return network

    monkeypatch.setattr(stage, "build", broken)
    with pytest.raises(TrainingError, match="the loss of csn is nan at step 1"):
        stage.run(params(), MODEL)
    assert not TRAIN.exists()


def test_without_validation_clips_all_steps_are_taken(project):
    rows = [row | {"split": "train"} for row in clip_rows()]
    write_catalogue(build_catalogue(rows), CATALOGUE)
    stage.run(params(target_accuracy=0.01), MODEL)
    assert record()["stopped_by"] == "max_steps"
    assert record()["validation_loss"] is None


def test_the_key_depends_on_params_clips_and_shards(project, monkeypatch):
    keys = set()

    @contextmanager
    def observe(known):
        keys.add(known["key"])
        raise KeyboardInterrupt
        yield

    def start(**train):
        with pytest.raises(KeyboardInterrupt):
            stage.run(params(**train), MODEL, observe=observe)
        return len(keys)

    assert [start(), start(), start(max_steps=96)] == [1, 1, 2]
    with TFRecordWriter(SHARDS / "more.rgb.tfrecord", "rgb") as writer:
        writer.write(record_of(clip_rows()[0]))
    assert start() == 3
    rows = [row | {"split": "train"} for row in clip_rows()]
    write_catalogue(build_catalogue(rows), CATALOGUE)
    assert start() == 4
    monkeypatch.setattr(stage, "code_hash", lambda module: "other code")
    assert start() == 5


def test_errors_list_the_models_and_name_what_is_missing(project):
    with pytest.raises(ParamsError, match=r"params.yaml lists vgg_lstm-rgb"):
        stage.run(params(), "resnet")
    (SHARDS / "shard.rgb.tfrecord").unlink()
    with pytest.raises(ShardError, match="holds no shards of rgb; run `dvc repro extract`"):
        stage.run(params(), MODEL)
