"""Finished work trees of UCF101's splits, and the study of them."""

import json

import numpy as np
import pytest
import yaml

from benchmarks import trainings
from pipeline.dataset.catalogue import build_catalogue, write_catalogue
from pipeline.evaluation.metrics import evaluation_metrics
from pipeline.evaluation.predictions import Predictions, write_predictions
from pipeline.paths import CATALOGUE
from tests.conftest import ROOT

MODELS = {
    "csn-rgb": {"architecture": "csn", "stream": "rgb", "seed": 0},
    "csn-flow": {"architecture": "csn", "stream": "flow", "seed": 0},
    "vgg-m": {"architecture": "vgg_lstm", "stream": "rgb", "seed": 0, "backbone": "mobilenet"},
}
SPLITS = (1, 2, 3)
RIGHT = {"csn-rgb": (20, 18, 19), "csn-flow": (10, 10, 10), "vgg-m": (19, 19, 19)}  # by split
RECORD = {
    "parameters": 220_000,
    "size_bytes": 3_000_000,
    "train_seconds": 90.0,
    "gflops": 1.25,
    "data_wait_fraction": 0.01,
    "dataset_hash": "abc",
    "precision": "float32",
    "hardware": "a laptop",
    "threads": 2,
    "validation_accuracy": 0.99,
    "params": {"frames": 8, "stride": 0.25},
}


def videos(split, right):
    """Twenty clips of ten groups of a split, the first `right` of them right."""
    sure = np.arange(20) < right
    names = np.array([f"clip{split}-{i:02}" for i in range(20)])
    groups = np.array([f"g{split}-{i // 2}" for i in range(20)])
    probabilities = np.stack([0.8 * sure + 0.1, 0.9 - 0.8 * sure], axis=1).astype(np.float32)
    return Predictions(("a", "b"), names, groups, np.arange(20) * 0, probabilities)


@pytest.fixture
def trees(tmp_path):
    """Three finished work trees."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    found = {split: tmp_path / f"split{split}" for split in SPLITS}
    for split, tree in found.items():
        rows = [{"clip": "a/1", "class_name": "a", "kept": True, "sha256": f"{1:064}"}]
        write_catalogue(build_catalogue(rows), tree / CATALOGUE)
        for name, right in RIGHT.items():
            write_model(tree, name, split, right[split - 1])
        (tree / "params.yaml").write_text(
            yaml.safe_dump(params | {"models": MODELS}, sort_keys=False)
        )
    return found


def write_model(tree, name, split, right):
    """What train and evaluate write."""
    folder = tree / "data/evaluate" / name
    (folder / "controls").mkdir(parents=True)
    controls = {
        control: videos(split, int(right * share))
        for control, share in (("ordered", 1), ("still", 0.5), ("shuffled", 1))
    }
    for control, each in controls.items():
        write_predictions(folder / "controls" / f"{control}.parquet", each)
    windows = videos(split, right)
    write_predictions(folder / "predictions.parquet", windows)
    metrics = evaluation_metrics(windows, controls) | {"latency_ms": 9.0}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (tree / "data/train" / name).mkdir(parents=True)
    (tree / "data/train" / name / "record.json").write_text(json.dumps(RECORD))


@pytest.fixture
def measure(monkeypatch):
    """`trainings.measured` without what takes processes of their own."""
    measures = {
        trainings.cost: lambda *_: {"latency_clip_ms": 40.0, "peak_mib": 700.0},
        trainings.by_frames: lambda tree, _: {8: 0.8 + int(tree.name[-1]) / 100, 16: 0.9},
    }
    monkeypatch.setattr(trainings, "alone", lambda function, *given: measures[function](*given))
    return trainings.measured


@pytest.fixture
def study(trees, measure):
    return measure(trees)
