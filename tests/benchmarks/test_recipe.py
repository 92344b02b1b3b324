import json
from dataclasses import asdict

import numpy as np
import pytest
import yaml

from benchmarks import recipe
from benchmarks.recipe import BASE, FOLDS, Trial, fold_catalogue, make_tree, paired_interval
from pipeline.dataset.catalogue import build_catalogue, read_catalogue, write_catalogue
from pipeline.evaluation.predictions import Predictions, write_predictions
from pipeline.inference.calibration import probabilities
from pipeline.params import load_params
from pipeline.paths import CATALOGUE, TRAIN


def rows():
    return [
        {
            "clip": f"{name}/g{group:02}_c{clip}",
            "class_name": name,
            "group": f"{name}/g{group:02}",
            "split": "test" if group > 18 else "train",
            "kept": True,
        }
        for name in ("a", "b")
        for group in range(1, 26)
        for clip in range(2)
    ]


@pytest.fixture
def data(tmp_path):
    """A work tree with a catalogue."""
    write_catalogue(build_catalogue(rows()), tmp_path / CATALOGUE)
    (tmp_path / "data/extract").mkdir()
    return tmp_path


def test_folds_test_each_training_group_once_and_never_an_official_test_group(data):
    tested = []
    for fold in range(FOLDS):
        table = fold_catalogue(read_catalogue(data / CATALOGUE), fold, validation=0.25).to_pylist()
        groups = {split: {r["group"] for r in table if r["split"] == split} for split in
                  ("train", "validation", "test")}  # fmt: skip
        assert [len(groups[split]) for split in groups] == [18, 6, 12]
        assert not groups["train"] & groups["validation"]
        tested += groups["test"]
    assert sorted(tested) == sorted({row["group"] for row in rows() if row["split"] != "test"})


def test_a_trial_has_a_work_tree_with_its_params(data):
    trial = Trial("no validation groups", "csn-rgb", 1, 500)
    tree = data / "recipe" / trial.name
    make_tree(tree, data, trial)
    make_tree(tree, data, trial)  # as after a kill
    params = load_params(tree / "params.yaml")
    assert list(params.models) == ["csn-rgb"]
    assert (params.train.max_steps, params.dataset.validation) == (500, 0.0)
    assert (tree / "data/extract").resolve() == data / "data/extract"
    assert "validation" not in read_catalogue(tree / CATALOGUE)["split"].to_pylist()


def test_a_recipe_with_other_records_extracts_them_itself(data):
    trial = Trial("crop 112", "csn-rgb", 0, 10)
    make_tree(data / trial.name, data, trial)
    assert not (data / trial.name / "data/extract").exists()
    assert (data / trial.name / "data/download").readlink() == data / "data/download"


def test_every_recipe_obeys_the_rules_of_params(data):
    for name in recipe.RECIPES:
        trial = Trial(name, "csn-rgb", 0, 10)
        make_tree(data / trial.name, data, trial)
        load_params(data / trial.name / "params.yaml")


def finish(data, name, correct):
    """A finished trial with the given answers to eight clips of four groups."""
    trial = Trial(name, "csn-rgb", 0, 10)
    tree = recipe.study_folder(data) / trial.name
    make_tree(tree, data, trial)
    chosen = np.eye(2, dtype="f")[[0 if each else 1 for each in correct]]
    clips, groups = (np.array(list(text)) for text in ("abcdefgh", "wwxxyyzz"))
    predictions = Predictions(("a", "b"), clips, groups, np.zeros(8, int), chosen)
    write_predictions(tree / recipe.PREDICTIONS, predictions)
    record = {"train_seconds": 60.0, "steps": 10, "epochs": 1}
    record |= {"stopped_by": "max_steps", "validation_accuracy": 0.5, "threads": 1}
    (tree / TRAIN / trial.model).mkdir(parents=True)
    (tree / TRAIN / trial.model / "record.json").write_text(json.dumps(record))
    return trial


def test_a_finished_trial_is_not_repeated_and_all_are_compared(data, monkeypatch):
    monkeypatch.setattr(recipe.subprocess, "run", lambda *_, **__: pytest.fail("ran again"))
    trial = finish(data, BASE, [1, 1, 1, 0, 0, 0, 0, 0])
    finish(data, "cutmix", [1, 1, 1, 1, 1, 0, 0, 0])
    recipe.run(trial, data)
    found = recipe.summary(data)
    assert json.dumps(found)
    base, other = found["compared"]
    assert (base["recipe"], base["over_clips"], base["over_groups"]) == (BASE, 0.375, 0.375)
    assert other["lead"] == 0.25
    assert other["lead_ci95"][0] < 0.25 < other["lead_ci95"][1]
    assert other["log_loss_gain"] == pytest.approx(base["log_loss"] - other["log_loss"], abs=2e-4)
    assert found["trials"][0].items() >= asdict(trial).items()


def test_a_study_replaces_the_one_of_the_same_clips_and_params_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "RESULT", tmp_path / "recipe.json")
    studies = [
        {"clips_hash": clips, "committed": {"train": {"motion": motion}}, "trials": trials}
        for clips, motion, trials in (
            ("a", 0.0, [1]),
            ("a", 0.5, [2]),
            ("b", 0.0, [3]),
            ("a", 0.0, [1, 4]),
        )
    ]
    for study in studies:
        recipe.save(study)
    assert json.loads(recipe.RESULT.read_text()) == studies[1:]


def test_other_params_are_another_study(data, monkeypatch):
    trial = finish(data, BASE, [1] * 8)
    assert recipe.summary(data)["trials"][0]["recipe"] == trial.recipe
    monkeypatch.setattr(recipe, "committed", lambda: {"train": {"motion": 0.9}})
    assert recipe.summary(data)["trials"] == []


def test_every_model_obeys_the_rules_of_params(data):
    for model in recipe.MODELS:
        trial = Trial(BASE, model, 0, 10)
        make_tree(data / trial.name, data, trial)
        load_params(data / trial.name / "params.yaml")


def test_the_log_loss_of_a_recipe_does_not_depend_on_how_surely_it_answers():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(50, 3))
    labels = (logits + rng.normal(size=(50, 3))).argmax(axis=1)
    text = np.array([str(number) for number in range(50)])
    unsure, sure = (
        Predictions(("a", "b", "c"), text, text, labels, probabilities(logits, temperature))
        for temperature in (3.0, 0.5)
    )
    assert recipe.log_losses(unsure) == pytest.approx(recipe.log_losses(sure), abs=1e-2)


def test_the_interval_of_a_lead_widens_with_the_clips_that_a_group_shares():
    lead = np.tile([1.0, 1.0, 0.0, 0.0], 10)
    low, high = paired_interval(lead, np.arange(40))
    wide_low, wide_high = paired_interval(lead, np.repeat(np.arange(20), 2))
    assert (low + high) / 2 == pytest.approx(0.5)
    assert wide_low < low < 0.5 < high < wide_high


def test_params_of_recipes_are_named_as_in_params_yaml():
    known = yaml.safe_load((recipe.ROOT / "params.yaml").read_text())
    for each in recipe.RECIPES.values():
        assert known["train"].keys() >= each.train.keys()
        assert known["extract"].keys() >= each.extract.keys()
