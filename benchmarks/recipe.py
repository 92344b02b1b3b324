"""Compare recipes by folds: `python -m benchmarks.recipe --data TREE`.

TREE is a work tree in which `dvc repro extract` has run. Its official test groups are left out. Of
the other groups, each fold tests on a third of every class and trains on the rest, of which
`dataset.validation` is kept for validation, as in any training. Every training has a work tree of
its own under TREE/recipe: a killed run resumes, and finished ones are not repeated. After each
training recipe.json beside this file is brought up to date, which has a study for each set of clips
and of committed params: accuracies over all folds so far, and the paired difference to the recipe
`committed` with its interval over groups; also of the log loss, each fold at its best temperature,
which tells recipes apart that few clips do.

Trainings are compared after equal steps, or by `cost` where a step takes longer: a budget in
minutes would measure what else the machine does. Validation ends none of them early.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from scipy.stats import t as student

from pipeline.dataset.catalogue import read_catalogue, write_catalogue
from pipeline.dataset.splits import stable_fraction
from pipeline.evaluation import calibration
from pipeline.evaluation.predictions import Predictions, class_accuracies, read_predictions
from pipeline.evaluation.statistics import paired_permutation_test
from pipeline.files import json_hash, write_text
from pipeline.inference.calibration import as_logits, calibrated, fit_temperature
from pipeline.models import ARCHITECTURES
from pipeline.paths import CATALOGUE, TRAIN

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).with_suffix(".json")
FOLDS = 3
BASE = "committed"
PREDICTIONS = "predictions.parquet"
log = logging.getLogger("benchmarks.recipe")


@dataclass(frozen=True)
class Recipe:
    """What differs from params.yaml; `cost` is the time of a step against the committed one's."""

    train: dict[str, Any] = field(default_factory=dict)
    extract: dict[str, Any] = field(default_factory=dict)
    validation: float | None = None
    cost: float = 1.0


COLOUR = {"jitter": 0.6, "hue": 0.3, "grey": 0.2}
RECIPES = {
    BASE: Recipe(),
    "colour": Recipe(COLOUR),
    "background": Recipe({"background": 0.5}),
    "colour and background": Recipe({**COLOUR, "background": 0.5}),
    "cutmix": Recipe({"cutmix": 0.5}),
    "no validation groups": Recipe(validation=0.0),
    "crop 64": Recipe({"crop": 64}, cost=0.47),
    "crop 112": Recipe({"crop": 112}, extract={"width": 160, "height": 120}, cost=1.36),
    "16 frames": Recipe({"frames": 16, "stride": 0.125}, cost=2.0),
    "weight decay 0.2": Recipe({"weight_decay": 0.2}),
    "learning rate 0.001": Recipe({"learning_rate": 0.001}),
    "learning rate 0.004": Recipe({"learning_rate": 0.004}),
    "average 0.96": Recipe({"ema_momentum": 0.96}),
    "mixup 1": Recipe({"mixup": 1.0}),
    "motion only 0": Recipe({"motion_only": 0.0}),
    "motion only 0.25": Recipe({"motion_only": 0.25}),
    "motion only 0.75": Recipe({"motion_only": 0.75}),
    "all": Recipe({**COLOUR, "background": 0.5, "cutmix": 0.5}),
}


# Rows of params.yaml that can be tried.
MODELS: dict[str, dict[str, Any]] = {
    f"{architecture}-{stream}": {"architecture": architecture, "stream": stream, "seed": 0}
    for architecture, stream in product(ARCHITECTURES, ("rgb", "flow"))
}
MODELS |= {
    f"mobilenet_{way}-rgb": MODELS["resnet_lstm-rgb"]
    | {"backbone": "mobilenet", "fine_tune": tuned}
    for way, tuned in (("frozen", False), ("tuned", True))
}


@dataclass(frozen=True)
class Trial:
    """One training of a fold, for so many steps; crop 0: as large as the recipe says."""

    recipe: str
    model: str
    fold: int
    steps: int
    crop: int = 0

    @property
    def name(self) -> str:
        """A folder's name."""
        recipe = self.recipe.replace(" ", "_")
        return f"{self.model}-{recipe}-{self.steps}-crop{self.crop}-fold{self.fold}"


def main() -> None:
    """Run all trials that are not finished, and write down what is known after each."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    trials = [
        Trial(recipe, model, fold, round(options.steps / RECIPES[recipe].cost), options.crop)
        for fold, recipe, model in product(options.folds, options.recipes, options.models)
    ]
    for number, trial in enumerate(trials, start=1):
        log.info("%d of %d: %s", number, len(trials), trial.name)
        run(trial, options.data)
        save(summary(options.data))


def save(study: dict[str, Any]) -> None:
    """Put the study into recipe.json, in place of an earlier one of the same clips and params."""
    studies = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else []
    same = ("clips_hash", "committed")
    others = [each for each in studies if any(each[key] != study[key] for key in same)]
    write_text(RESULT, json.dumps([*others, study], indent=2) + "\n")


def committed() -> dict[str, Any]:
    """The params that the recipe `committed` stands for: all that a recipe can change."""
    params = _params()
    validation = {"validation": params["dataset"]["validation"]}
    return {"dataset": validation, "extract": params["extract"], "train": params["train"]}


def study_folder(data: Path) -> Path:
    """Where the trials of the committed params have their work trees: others begin a new study."""
    return data / "recipe" / json_hash(committed())[:8]


def run(trial: Trial, data: Path) -> None:
    """Train and evaluate in a process and a work tree of their own, unless that is done."""
    tree = study_folder(data) / trial.name
    if (tree / PREDICTIONS).is_file():
        return
    make_tree(tree, data.resolve(), trial)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmarks.fold", trial.model]
    subprocess.run(command, cwd=tree, env=environment, check=True)


def make_tree(tree: Path, data: Path, trial: Trial) -> None:
    """A work tree with the fold's catalogue and the recipe's params.

    Links lead to the records of `data`, or to what `benchmarks.fold` extracts others from.
    """
    recipe = RECIPES[trial.recipe]
    params = _params()
    steps = {"max_steps": trial.steps, "max_minutes": 600, "patience": trial.steps}
    params["train"] |= {**recipe.train, **steps, "target_accuracy": 1.0}
    if trial.crop:
        params["train"]["crop"] = trial.crop
    params["extract"] |= recipe.extract
    if recipe.validation is not None:
        params["dataset"]["validation"] = recipe.validation
    params["models"] = {trial.model: MODELS[trial.model]}
    (tree / CATALOGUE).parent.mkdir(parents=True, exist_ok=True)
    (tree / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    (tree / "trial.json").write_text(json.dumps(vars(trial)), encoding="utf-8")
    table = fold_catalogue(
        read_catalogue(data / CATALOGUE), trial.fold, validation=params["dataset"]["validation"]
    )
    write_catalogue(table, tree / CATALOGUE)
    for name in ("data/download", ".state") if recipe.extract else ("data/extract",):
        if not (tree / name).is_symlink():
            (tree / name).symlink_to(data / name)


def _params() -> dict[str, Any]:
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    return params


def fold_catalogue(catalogue: pa.Table, fold: int, *, validation: float) -> pa.Table:
    """The clips outside the test split, split again by groups: every FOLDS-th tests."""
    rows = [row for row in catalogue.to_pylist() if row["split"] != "test"]
    split_of: dict[str, str] = {}
    for groups in _groups_by_class(rows).values():
        tested, others = groups[fold::FOLDS], [g for i, g in enumerate(groups) if i % FOLDS != fold]
        kept = round(validation * len(others))
        split_of |= dict.fromkeys(tested, "test") | dict.fromkeys(others, "train")
        split_of |= dict.fromkeys(others[:kept], "validation")
    moved = [row | {"split": split_of[row["group"]]} for row in rows]
    return pa.Table.from_pylist(moved, schema=catalogue.schema)


def _groups_by_class(rows: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[row["class_name"]].add(row["group"])
    return {name: sorted(groups, key=stable_fraction) for name, groups in found.items()}


def summary(data: Path) -> dict[str, Any]:
    """All finished trials of the study, and each recipe beside the committed one."""
    finished = list(_finished(data))
    tried = {trial.recipe for trial, _ in finished}
    rows = read_catalogue(data / CATALOGUE).to_pylist()
    clips = sorted(row["clip"] for row in rows if row["split"] != "test")
    return {
        "clips": len(clips),
        "clips_hash": json_hash(clips),
        "committed": committed(),
        "folds": FOLDS,
        "recipes": {name: vars(recipe) for name, recipe in RECIPES.items() if name in tried},
        "compared": _compared(finished),
        "trials": [_described(trial, tree) for trial, tree in finished],
    }


def _finished(data: Path) -> Iterator[tuple[Trial, Path]]:
    for path in sorted(study_folder(data).glob(f"*/{PREDICTIONS}")):
        described = json.loads((path.parent / "trial.json").read_text(encoding="utf-8"))
        yield Trial(**described), path.parent


def _described(trial: Trial, tree: Path) -> dict[str, Any]:
    record = json.loads((tree / TRAIN / trial.model / "record.json").read_text(encoding="utf-8"))
    videos = read_predictions(tree / PREDICTIONS).by_clip()
    kept = ("steps", "epochs", "stopped_by", "validation_accuracy", "threads")
    return {
        **vars(trial),
        "video_accuracy": round(videos.accuracy, 4),
        "by_class": {name: round(v, 3) for name, v in class_accuracies(videos).items()},
        "minutes": round(record["train_seconds"] / 60, 1),
        **{key: record[key] for key in kept},
    }


def _compared(finished: Sequence[tuple[Trial, Path]]) -> list[dict[str, Any]]:
    """By model, recipe and budget: accuracy over folds, and the lead over the committed."""
    videos: dict[tuple[str, str, int, int], dict[int, Predictions]] = defaultdict(dict)
    for trial, tree in finished:
        budget = round(trial.steps * RECIPES[trial.recipe].cost, -1)
        key = trial.model, trial.recipe, trial.crop, int(budget)
        videos[key][trial.fold] = read_predictions(tree / PREDICTIONS).by_clip()
    return [
        dict(zip(("model", "recipe", "crop", "steps"), key, strict=True))
        | {"folds": sorted(folds)}
        | _accuracies([folds[fold] for fold in sorted(folds)])
        | (_lead(folds, videos.get((key[0], BASE, *key[2:]), {})) if key[1] != BASE else {})
        for key, folds in sorted(videos.items())
    ]


def _accuracies(folds: Sequence[Predictions]) -> dict[str, float]:
    correct, groups = (
        np.concatenate([getattr(each, name) for each in folds]) for name in ("correct", "groups")
    )
    _, rows = np.unique(groups, return_inverse=True)
    by_group = np.bincount(rows, weights=correct) / np.bincount(rows)
    return {
        "over_clips": round(float(correct.mean()), 4),
        "over_groups": round(float(by_group.mean()), 4),
        "log_loss": round(float(np.concatenate([log_losses(each) for each in folds]).mean()), 4),
    }


def log_losses(videos: Predictions) -> np.ndarray:
    """−log of each clip's true class, [N], at the temperature that makes their mean least.

    Recipes that smooth their targets differently are then compared by what they tell apart.
    """
    temperature = fit_temperature(as_logits(videos.probabilities), videos.labels)
    return calibration.log_losses(calibrated(videos, temperature))


def _lead(folds: dict[int, Predictions], base: dict[int, Predictions]) -> dict[str, Any]:
    """The paired difference over the folds that both have."""
    shared = sorted(folds.keys() & base.keys())
    if not shared:
        return {}
    lead = np.concatenate([folds[f].correct.astype(float) - base[f].correct for f in shared])
    gain = np.concatenate([log_losses(base[f]) - log_losses(folds[f]) for f in shared])
    groups = np.concatenate([folds[fold].groups for fold in shared])
    _, rows = np.unique(groups, return_inverse=True)
    return {**_difference("lead", lead, rows), **_difference("log_loss_gain", gain, rows)}


def _difference(name: str, values: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    """Mean of `values` [clips], its interval, and how likely chance alone makes it so large."""
    return {
        name: round(float(values.mean()), 4),
        f"{name}_ci95": [round(bound, 4) for bound in paired_interval(values, groups)],
        f"{name}_p": round(paired_permutation_test(np.bincount(groups, weights=values)), 4),
    }


def paired_interval(lead: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean of `lead` [clips]; `groups` [clips] number the exchangeable units.

    Student's t with the variance of a ratio over groups (Cochran 1977, 6.4).
    """
    clips, total = np.bincount(groups), np.bincount(groups, weights=lead)
    mean, count = lead.mean(), len(clips)
    variance = count / (count - 1) * ((total - mean * clips) ** 2).sum() / clips.sum() ** 2
    half = float(student.ppf(0.975, count - 1) * np.sqrt(variance))
    return float(mean) - half, float(mean) + half


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the work tree that holds data/")
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=RECIPES)
    parser.add_argument("--models", nargs="+", default=["vgg_lstm-rgb", "csn-rgb"], choices=MODELS)
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLDS)))
    parser.add_argument("--steps", type=int, default=1500, help="of a training")
    parser.add_argument("--crop", type=int, default=0, help="smaller pictures; 0: the recipe's")
    return parser.parse_args()


if __name__ == "__main__":
    main()
