"""promote: which model challenges the champion, and what it is asked."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from pipeline.commands.promote import clips_seen, run
from pipeline.dataset.catalogue import build_catalogue, write_catalogue
from pipeline.errors import TrackingError
from pipeline.evaluation.predictions import Predictions, write_predictions
from pipeline.params import load_params
from pipeline.paths import CATALOGUE
from pipeline.tracking.lookup import CHAMPION_URI, MODEL
from pipeline.tracking.registered import fetch_origin
from tests.inference.example import CLASSES, write_bundle

ROOT = Path(__file__).parents[2]


def row(clip, split="test", *, path="", group="", sha256=""):
    """A row of the catalogue."""
    class_name, _, name = clip.partition("/")
    columns = {"clip": clip, "class_name": class_name, "split": split, "path": str(path)}
    hashes = {"group": group or clip, "sha256": sha256 or f"hash of {name}"}
    return columns | hashes | {"kept": True}


def catalogue(*rows):
    write_catalogue(build_catalogue(rows), CATALOGUE)


def predictions(clips, classes, *, right=True):
    """Of clips by id, all right or all wrong."""
    labels = np.array([classes.index(clip.partition("/")[0]) for clip in clips])
    given = labels if right else (labels + 1) % len(classes)
    probabilities = np.eye(len(classes), dtype=np.float32)[given]
    return Predictions(tuple(classes), np.array(clips), np.array(clips), labels, probabilities)


@pytest.fixture
def project(tmp_path, trained, store, monkeypatch):
    """A project with params.yaml and a catalogue; returns what evaluates and promotes models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    params = load_params(tmp_path / "params.yaml")

    def promote(**models):
        for name, (validation, found) in models.items():
            _, evaluation = trained(name, validation_accuracy=validation, validation_loss=1.0)
            write_predictions(evaluation / "predictions.parquet", found)
        run(params.model_copy(update={"models": dict.fromkeys(models)}))
        return json.loads(Path("results/promotion.json").read_text())

    return promote


def export(name):
    """The bundle of a small network that knows CLASSES, as if exported from the trained model."""
    bundle = Path("data/export", name)
    write_bundle(bundle)
    shutil.copy(Path("data/train", name, "model.keras"), bundle)


def test_the_challenger_is_the_best_on_validation_whatever_it_does_on_test(project, store):
    catalogue(row("A/1"), row("A/2"))
    clips, classes = ["A/1", "A/2"], ["A", "B"]
    written = project(
        **{
            "csn-rgb": (0.8, predictions(clips, classes, right=False)),
            "r2plus1d-rgb": (0.7, predictions(clips, classes)),
        }
    )
    assert written["verdict"] == "csn-rgb (version 1) is the first champion"
    client = MlflowClient(store, registry_uri=store)
    assert len(client.search_model_versions(f"name = '{MODEL}'")) == 1


def test_models_that_are_not_evaluated_are_told(project):
    catalogue(row("A/1"))
    Path("data/train/csn-rgb").mkdir(parents=True)
    with pytest.raises(
        TrackingError, match=r"csn-rgb.record\.json does not exist; run `dvc repro`"
    ):
        run(load_params(Path("params.yaml")).model_copy(update={"models": {"csn-rgb": None}}))


def test_a_version_holds_what_it_was_made_from(project, store, tmp_path):
    catalogue(row("A/1"))
    project(**{"csn-rgb": (0.8, predictions(["A/1"], ["A", "B"]))})
    origin = fetch_origin(CHAMPION_URI, tmp_path / "fetched", tracking_uri=store)
    assert (origin / "params.yaml").read_text() == Path("params.yaml").read_text()
    assert (origin / CATALOGUE.name).read_bytes() == CATALOGUE.read_bytes()


@pytest.fixture
def champion(project, film, tmp_path):
    """A champion with a bundle that was trained on one clip and tested on another of CLASSES."""
    old, seen = f"{CLASSES[0]}/old", f"{CLASSES[0]}/seen"
    catalogue(row(old), row(seen, "train"))
    found = (0.8, predictions([old], CLASSES))
    project(**{"csn-rgb": found})
    export("csn-rgb")
    assert "exported again" in project(**{"csn-rgb": found})["verdict"]
    return seen


def test_on_new_clips_the_champion_s_bundle_answers_again(project, champion, film, tmp_path):
    clips = [f"{name}/{number}" for name in CLASSES for number in range(4)]
    rows = [row(clip, path=film(tmp_path / f"{clip}.avi")) for clip in clips]
    catalogue(*rows, row(champion, path="moved to test"))
    found = predictions([*clips, champion], CLASSES)
    written = project(**{"r2plus1d-rgb": (0.9, found)})
    assert "evaluated again, on 12 of 13 test clips" in written["verdict"]
    assert "12 against 4 of 12 test clips correct" in written["verdict"]
    assert written["promoted"]


def test_classes_that_the_champion_knows_none_of_are_told(project, champion, film, tmp_path):
    catalogue(row("A/1"), row("B/1"))
    written = project(**{"r2plus1d-rgb": (0.9, predictions(["A/1", "B/1"], ["A", "B"]))})
    assert not written["promoted"]
    assert "it knows dog, 猫, zebra finch, of which fewer than two" in written["verdict"]


def test_clips_are_seen_with_their_groups_and_under_other_names():
    then = build_catalogue(
        [
            row("A/1", "train", group="g1"),
            row("A/2", "validation", group="g2"),
            row("A/3", "test", group="g3"),
        ]
    )
    now = build_catalogue(
        [
            row("A/1", group="g1"),
            row("A/4", group="g2"),
            row("A/5", group="g5", sha256="hash of 1"),
            row("A/3", group="g3"),
            row("A/6", group="g6"),
        ]
    )
    assert clips_seen(now, then) == {"A/1", "A/4", "A/5"}
