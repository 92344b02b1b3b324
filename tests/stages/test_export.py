"""The stage export on twelve drawn clips of two classes, with an untrained network."""

import json
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
import pytest
import yaml

from pipeline.dataset.catalogue import build_catalogue, write_catalogue
from pipeline.errors import BundleError, ParamsError
from pipeline.evaluation.predict import inference, predict
from pipeline.evaluation.predictions import write_predictions
from pipeline.files import content_hash
from pipeline.inference.card import read_card
from pipeline.inference.convert import write_form
from pipeline.inference.runtime import LiteRT
from pipeline.inference.strangers import stranger_score
from pipeline.models import build
from pipeline.params import Params
from pipeline.paths import CATALOGUE, EVALUATE, EXPORT, SHARDS, TRAIN
from pipeline.shards.batches import Batches
from pipeline.shards.schema import Record
from pipeline.shards.tfrecord import TFRecordWriter
from pipeline.stages import export
from pipeline.video.flow import encode_jpeg

ROOT = Path(__file__).parents[2]
MODEL = "csn-rgb"
SPLITS = ("train", "train", "train", "validation", "validation", "test")
RECORD = {
    "key": "k",
    "clips": "c",
    "dataset_hash": "d",
    "params": {"crop": 16},
    "git_revision": "r",
}


def params() -> Params:
    committed = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    train = {"frames": 2, "crop": 16, "batch_size": 4}
    return Params.model_validate(
        committed | {"train": committed["train"] | train, "evaluate": {"windows": 2}}
    )


def clip_rows(validation: str) -> list[dict]:
    return [
        {
            "clip": f"{name}/{number}",
            "class_name": name,
            "group": f"{name}{number}",
            "split": validation if split == "validation" else split,
            "kept": True,
        }
        for name in ("dark", "light")
        for number, split in enumerate(SPLITS)
    ]


def record_of(row: dict) -> Record:
    grey = 40 if row["class_name"] == "dark" else 200
    frame = np.full((16, 24, 3), grey + 5 * int(row["clip"][-1]), np.uint8)
    frames = (encode_jpeg(frame, quality=90),) * 4
    return Record(row["clip"], row["class_name"], (0.0, 0.125, 0.25, 0.375), frames)


def write_project(validation: str = "validation") -> None:
    """A catalogue, shards and a trained model, in the working directory."""
    rows = clip_rows(validation)
    write_catalogue(build_catalogue(rows), CATALOGUE)
    SHARDS.mkdir(parents=True)
    with TFRecordWriter(SHARDS / "shard.rgb.tfrecord", "rgb") as writer:
        for row in rows:
            writer.write(record_of(row))
    (TRAIN / MODEL).mkdir(parents=True)
    keras.utils.set_random_seed(0)
    network = build("csn", input_shape=(2, 16, 16, 3), classes=2)
    network.save(TRAIN / MODEL / "model.keras")
    batches = Batches(params(), MODEL)
    predictions = predict(
        inference(network),
        batches.evaluation("test", 2),
        classes=batches.classes,
        groups=batches.groups,
    )
    (EVALUATE / MODEL).mkdir(parents=True)
    write_predictions(EVALUATE / MODEL / "predictions.parquet", predictions)
    (TRAIN / MODEL / "record.json").write_text(json.dumps(RECORD), encoding="utf-8")


@contextmanager
def _at_once(model, folder, ranges):
    """Stands in for the conversion: float32 alone, in this process."""
    with TemporaryDirectory() as scratch:
        write_form("float32", model, folder / "float32.tflite", Path(scratch))
    yield lambda form: folder / "float32.tflite"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The bundle that the stage writes."""
    with pytest.MonkeyPatch.context() as patch:
        # TensorFlow's threads cannot be set once another test has computed.
        patch.setattr(export, "one_thread", lambda: None)
        patch.chdir(tmp_path_factory.mktemp("project"))
        write_project()
        export.run(params(), MODEL)
        yield (EXPORT / MODEL).absolute()


def test_a_bundle_is_what_dvc_expects_of_the_stage(folder):
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["export"]
    made = [*stage["do"]["outs"], *stage["do"]["metrics"]]
    assert {Path(path).name for path in made} == {path.name for path in folder.iterdir()}


def test_the_card_tells_what_inference_needs(folder):
    card = read_card(folder)
    assert (card.name, card.architecture, card.stream, card.seed) == (MODEL, "csn", "rgb", 0)
    assert card.classes == ("dark", "light")
    assert (card.window.frames, card.window.crop, card.windows) == (2, 16, 2)
    assert card.sampling.fps == card.window.fps == params().extract.fps
    assert card.calibration.temperature > 0
    assert {"key", "clips", "shards", "params", "code", "git_revision"} == set(card.origin)


@pytest.mark.parametrize("name", ["keras", "float32", "float16", "int8", "onnx"])
def test_each_form_is_in_the_card_with_its_file(folder, name):
    form = read_card(folder).forms[name]
    path = folder / form.file
    assert (form.sha256, form.size_bytes) == (content_hash(path), path.stat().st_size)
    assert 0 <= form.video_accuracy <= 1
    assert form.latency_ms > 0


def test_float32_and_onnx_are_within_rounding_of_keras(folder):
    forms = read_card(folder).forms
    assert forms["keras"].max_difference == 0
    assert max(forms[name].max_difference for name in ("float32", "onnx")) < 1e-5
    assert forms["float32"].agreement == forms["onnx"].agreement == 1


def test_metrics_are_those_of_the_card(folder):
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    int8 = read_card(folder).forms["int8"]
    assert metrics["forms"]["int8"]["video_accuracy"] == int8.video_accuracy


def test_the_features_of_training_clips_tell_strangers(folder):
    card = read_card(folder)
    arrays = np.load(folder / "strangers.npz", allow_pickle=False)
    outputs = LiteRT(folder / "float32.tflite")(np.zeros((3, 2, 16, 16, 3), np.float32))
    assert stranger_score(card.rejection, arrays, outputs).shape == (3,)


def test_without_validation_clips_training_clips_calibrate_and_the_log_says_so(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, "one_thread", lambda: None)
    monkeypatch.setattr(export, "conversion", _at_once)
    monkeypatch.setattr(export, "FILES", {})  # but float32, which calibration needs
    monkeypatch.setattr(export, "_forms", lambda *given: {})
    write_project(validation="train")
    export.run(params(), MODEL)
    assert "calibrated on training clips" in caplog.text
    assert read_card(EXPORT / MODEL).calibration.temperature > 0


def test_a_failure_leaves_nothing_behind_and_keeps_the_bundle_that_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, "one_thread", lambda: None)
    write_project()
    (EXPORT / MODEL).mkdir(parents=True)
    (EXPORT / MODEL / "card.json").write_text("earlier", encoding="utf-8")

    def fail(*given):
        raise BundleError("no")

    monkeypatch.setattr(export, "conversion", _at_once)
    monkeypatch.setattr(export, "_trust", fail)
    with pytest.raises(BundleError, match="no"):
        export.run(params(), MODEL)
    assert [path.name for path in EXPORT.rglob("*")] == [MODEL, "card.json"]
    assert (EXPORT / MODEL / "card.json").read_text(encoding="utf-8") == "earlier"


def test_a_model_that_is_not_trained_is_an_error_that_says_how_to_train_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, "one_thread", lambda: None)
    write_project()
    (TRAIN / MODEL / "model.keras").unlink()
    with pytest.raises(BundleError, match=r"does not exist; run `dvc repro evaluate@csn-rgb`"):
        export.run(params(), MODEL)


def test_an_unknown_model_is_refused_with_the_list_of_models(folder):
    with pytest.raises(ParamsError, match=r"models has no 'vgg'; params\.yaml lists"):
        export.run(params(), "vgg")
