"""The stage compare on what train and evaluate would have written for three models."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure

from pipeline.evaluation.metrics import evaluation_metrics
from pipeline.evaluation.predictions import Predictions, write_predictions
from pipeline.params import Params
from pipeline.paths import EVALUATE, EXPORT, RESULTS, SHARDS, TRAIN
from pipeline.report import data_part, style_part
from pipeline.shards.parquet import ParquetWriter
from pipeline.shards.schema import Record
from pipeline.stages import compare
from pipeline.video.flow import encode_field, encode_jpeg
from tests.report.example import FORMS

ROOT = Path(__file__).parents[2]
CLASSES = ("Push & <pull>", "Turn")
CLIPS = [f"{CLASSES[number % 2]}/{number:02}" for number in range(8)]
MODELS = {
    "csn-0": {"architecture": "csn", "stream": "rgb", "seed": 0},
    "csn-1": {"architecture": "csn", "stream": "rgb", "seed": 1},
    "csn-flow": {"architecture": "csn", "stream": "flow", "seed": 0},
}
CORRECT = {"csn-0": 6, "csn-1": 8, "csn-flow": 4}
COSTS = {"parameters": 100, "size_bytes": 1000, "train_seconds": 60.0, "gflops": 0.5}
JPEG = encode_jpeg(np.full((16, 24, 3), 128, np.uint8), quality=90)
FIELD, SCALE = encode_field(np.zeros((16, 24, 2), np.float32), quality=90)


def predictions(correct: int) -> Predictions:
    """Two windows per clip; the first `correct` clips are predicted correctly."""
    labels = np.arange(8) % 2
    predicted = np.where(np.arange(8) < correct, labels, 1 - labels)
    probabilities = np.where(np.arange(2) == predicted[:, None], 0.8, 0.2).astype(np.float32)
    groups = np.array([f"g{number // 2}" for number in range(8)])
    return Predictions(
        CLASSES, *(np.repeat(each, 2, axis=0) for each in (CLIPS, groups, labels, probabilities))
    )


def record_of(clip: str) -> Record:
    pictures = {"frames": (JPEG,) * 2, "flow": (FIELD,) * 2, "flow_scale": (SCALE,) * 2}
    return Record(clip, clip.split("/")[0], (0.0, 0.25), **pictures)


def write_model(name: str, wait: float) -> None:
    """What train, evaluate and export leave of a model."""
    windows = predictions(CORRECT[name])
    controls = {control: windows.by_clip() for control in ("ordered", "still", "shuffled")}
    folder = EVALUATE / name
    for part in ("controls", "activation"):
        (folder / part).mkdir(parents=True)
    write_predictions(folder / "predictions.parquet", windows)
    for control, each in controls.items():
        write_predictions(folder / f"controls/{control}.parquet", each)
    metrics = evaluation_metrics(windows, controls) | {"latency_ms": 10.0}
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    Figure(figsize=(1, 1)).savefig(folder / "confusion.png", dpi=10)
    for class_name in CLASSES:
        (folder / f"activation/{class_name}.jpg").write_bytes(JPEG)
    (EXPORT / name).mkdir(parents=True)
    (EXPORT / name / "metrics.json").write_text(
        json.dumps({"temperature": 0.5, "forms": FORMS}), encoding="utf-8"
    )
    (TRAIN / name).mkdir(parents=True)
    machine = {"precision": "float32", "hardware": "a laptop", "threads": 2, "dataset_hash": "abc"}
    windowing = {"params": {"frames": 8, "stride": 0.25}, "data_wait_fraction": wait}
    record = COSTS | machine | windowing
    (TRAIN / name / "record.json").write_text(json.dumps(record), encoding="utf-8")
    history = "epoch,accuracy,val_loss,val_accuracy\n1,0.5,1.0,0.5\n2,0.9,0.5,0.8\n"
    (TRAIN / name / "history.csv").write_text(history, encoding="utf-8")


@pytest.fixture(scope="module")
def params():
    committed = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    return Params.model_validate(committed | {"models": MODELS})


@pytest.fixture(scope="module")
def results(params, tmp_path_factory):
    """What the stage writes; the parts on data and style have tests of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("project"))
        patch.setattr(data_part, "lead", lambda folder: "eight clips")
        patch.setattr(data_part, "sections", lambda folder: [])
        patch.setattr(style_part, "sections", lambda folder: [])
        for place, name in enumerate(MODELS):
            write_model(name, wait=place / 10)
        (SHARDS.parent / "parquet").mkdir(parents=True)
        with ParquetWriter(SHARDS.parent / "parquet/shard.parquet", params.extract) as writer:
            for clip in CLIPS:
                writer.write(record_of(clip))
        compare.run(params)
        yield RESULTS.absolute()


@pytest.fixture(scope="module")
def rows(results):
    return json.loads((results / "comparison.json").read_text(encoding="utf-8"))


def test_a_row_has_the_metrics_that_evaluate_wrote(rows):
    first = rows[0]
    assert (first["video_accuracy"], first["clip_accuracy"]) == (0.75, 0.75)
    metrics = evaluation_metrics(predictions(6), {})
    low, high = first["video_accuracy_ci95"]
    assert (low, high) == (metrics["video_accuracy_low"], metrics["video_accuracy_high"])
    assert (first["test_clips"], first["test_groups"], first["classes"]) == (8, 4, 2)
    assert first["ordered_accuracy"] == first["still_accuracy"] == 0.75


def test_rgb_and_flow_of_one_seed_are_fused_and_their_costs_add_up(rows):
    assert [row["stream"] for row in rows] == ["rgb", "rgb", "flow", "rgb+flow"]
    fused = rows[-1]
    assert (fused["seed"], fused["latency_ms"]) == (0, 20.0)
    assert {key: fused[key] for key in COSTS} == {key: 2 * cost for key, cost in COSTS.items()}
    assert fused["data_wait_fraction"] == 0.2


def test_what_export_measured_of_each_form_is_in_the_row_and_in_a_table(rows, results):
    assert [set(row["forms"]) for row in rows] == [set(FORMS)] * 3 + [set()]
    table = (results / "forms.md").read_text(encoding="utf-8")
    assert table.count("| int8 | 0.25 MB |") == 3
    header = (results / "comparison.csv").read_text(encoding="utf-8").splitlines()[0]
    assert "forms" not in header


def test_models_that_differ_only_in_the_seed_are_one_candidate(results):
    summary = json.loads((results / "summary.json").read_text(encoding="utf-8"))
    assert [(each["name"], each["seeds"]) for each in summary["candidates"]] == [
        ("csn (rgb)", [0, 1]),
        ("csn (flow)", [0]),
        ("csn (rgb+flow)", [0]),
    ]
    assert len(summary["paired"]) == 3


def test_each_prediction_is_read_once(results, params, monkeypatch):
    read = []
    original = compare.read_predictions
    monkeypatch.setattr(
        compare, "read_predictions", lambda path: read.append(path) or original(path)
    )
    for name in MODELS:
        compare.evaluated_model(params, name)
    assert len(read) == len(set(read)) == 3 * 4


def test_the_report_names_misclassified_clips_and_escapes_class_names(results):
    report = (results / "report.html").read_text(encoding="utf-8")
    assert "Push &amp; &lt;pull&gt;" in report
    assert "<pull>" not in report
    assert "csn-flow" in report


def test_the_report_says_how_far_temperatures_make_probabilities_honest(results):
    report = (results / "report.html").read_text(encoding="utf-8")
    assert report.count("<td>csn-flow</td><td>0.50</td>") == 1


def test_the_tables_and_the_figure_are_written(results):
    assert cv2.imread(str(results / "comparison.png")) is not None
    assert (results / "comparison.md").read_text(encoding="utf-8").count("| csn |") == 4
    assert len((results / "comparison.csv").read_text(encoding="utf-8").splitlines()) == 5
