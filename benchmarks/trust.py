"""How far a model can be trusted: `python -m benchmarks.trust REAL FOLDER [--turns TURNS]`.

REAL is a work tree of real clips whose models are trained, FOLDER keeps what was computed, TURNS
has the trainings of `benchmarks.turns`. Each model on rgb is judged by its deployment form, fitted
as `export` fits it: calibration on the test clips; strangers of other kinds (`benchmarks.far`)
against the test clips; and, of each turn, the clips of the class that it left out. Writes
trust.json beside this file.
"""

import argparse
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata

from benchmarks.alone import alone
from benchmarks.far import Stranger, strangers
from pipeline.dataset.catalogue import class_names, read_catalogue
from pipeline.evaluation.calibration import confidence_metrics
from pipeline.evaluation.predictions import Predictions
from pipeline.inference.calibration import (
    calibrated,
    clip_logits,
    conformal_thresholds,
    fit_temperature,
    prediction_set,
    probabilities,
)
from pipeline.inference.card import Sampling
from pipeline.inference.runtime import Outputs
from pipeline.inference.strangers import distances, fit_rejection, stranger_score
from pipeline.inference.windows import Coverage
from pipeline.params import load_params

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).with_suffix(".json")
SPLITS = ("train", "validation", "test")
Run = Callable[[np.ndarray], Outputs]
log = logging.getLogger("benchmarks.trust")


class Answers(NamedTuple):
    """What a model says of clips: their names, labels and groups, and each window's outputs."""

    clips: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    logits: np.ndarray  # [clips, windows, classes]
    features: np.ndarray  # [clips, D], means over the windows

    @property
    def outputs(self) -> Outputs:
        """Those of clips."""
        return Outputs(clip_logits(self.logits), self.features)


def main() -> None:
    """Measure what is there, and write it down."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    models = load_params(options.real / "params.yaml").models
    answers = {
        name: answers_of(name, options) for name in sorted(models) if models[name].stream == "rgb"
    }
    classes = class_names(read_catalogue(options.real / "data/subset/catalogue.parquet"))
    result = {
        "calibration": {name: calibration(each, tuple(classes)) for name, each in answers.items()},
        "far": {name: far(each) for name, each in answers.items()},
        "near": near(options),
    }
    RESULT.write_text(json.dumps(_rounded(result), indent=2) + "\n", encoding="utf-8")
    log.info("wrote %s", RESULT)


# What models say


def answers_of(model: str, options: argparse.Namespace) -> dict[str, Answers]:
    """By split, and of the strangers as `far`; computed once."""
    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / f"{model}.npz"
    if not file.exists():
        alone(write_answers, options.real.resolve(), model, options.shared, file.resolve())
    with np.load(file) as found:
        return {
            part: Answers(*(found[f"{part}/{field}"] for field in Answers._fields))
            for part in (*SPLITS, "far")
        }


def write_answers(real: Path, model: str, shared: Path, file: Path) -> None:
    """Run the deployment form of a model of `real` on all clips and strangers."""
    os.chdir(real)
    import keras
    import tensorflow as tf

    from pipeline.inference.deployment import deployment_form
    from pipeline.shards.batches import Batches

    tf.config.threading.set_intra_op_parallelism_threads(1)
    params = load_params(Path("params.yaml"))
    network = deployment_form(
        keras.saving.load_model(f"data/train/{model}/model.keras", compile=False)
    )
    infer = tf.function(lambda x: network(x, training=False), reduce_retracing=True)

    def run(x: np.ndarray) -> Outputs:
        found = infer(tf.convert_to_tensor(x))
        return Outputs(found["logits"].numpy(), found["features"].numpy())

    batches, windows = Batches(params, model), params.evaluate.windows
    found = {
        split: _of_clips(run, batches.evaluation(split, windows), windows, batches.groups)
        for split in SPLITS
    }
    sampling = Sampling(**params.extract.model_dump(exclude={"shards"}))
    coverage = Coverage(batches.spec, windows, params.extract.max_frames)
    found["far"] = _of_strangers(run, strangers(shared, sampling), coverage)
    arrays = {
        f"{part}/{field}": value
        for part, each in found.items()
        for field, value in each._asdict().items()
    }
    np.savez(file, **arrays)


def _of_clips(run: Run, batches: Iterable[Any], windows: int, groups: Mapping[str, str]) -> Answers:
    labels, clips, outputs = [], [], []
    for x, y, names in batches:
        outputs.append(run(x.numpy()))
        labels.append(y.numpy())
        clips += [name.decode() for name in names.numpy()]
    clips = clips[::windows]
    logits, features = _by_clip(outputs, windows)
    of = np.array([groups[clip] for clip in clips])
    return Answers(np.array(clips), np.concatenate(labels)[::windows], of, logits, features)


def _of_strangers(run: Run, videos: Iterable[Stranger], coverage: Coverage) -> Answers:
    """`clips` are names, `groups` kinds."""
    names, kinds, logits, features = [], [], [], []
    for each in videos:
        windows = [window.pixels(coverage.spec) for window in coverage.cut(each.steps)]
        outputs = run(np.stack(windows))
        names.append(each.name)
        kinds.append(each.kind)
        logits.append(clip_logits(outputs.logits)[None])
        features.append(outputs.features.mean(axis=0))
    labels = np.full(len(names), -1)
    return Answers(np.array(names), labels, np.array(kinds), np.stack(logits), np.stack(features))


def _by_clip(outputs: list[Outputs], windows: int) -> tuple[np.ndarray, np.ndarray]:
    logits, features = (np.concatenate(each) for each in zip(*outputs, strict=True))
    by_clip = [each.reshape(-1, windows, each.shape[-1]) for each in (logits, features)]
    return by_clip[0], by_clip[1].mean(axis=1)


# Calibration


def calibration(answers: Mapping[str, Answers], classes: tuple[str, ...]) -> dict[str, Any]:
    """Errors of test probabilities before and after the temperature; coverage of sets."""
    validation = answers["validation"].outputs.logits, answers["validation"].labels
    temperature = fit_temperature(*validation)
    test = _windows(answers["test"], classes)
    after = calibrated(test, temperature)
    thresholds = conformal_thresholds(*validation, temperature)
    return {
        "temperature": temperature,
        "test_clips": len(after.clips),
        "validation_clips": len(answers["validation"].clips),
        "video_accuracy": after.accuracy,
        "raw": confidence_metrics(test.by_clip()),
        "calibrated": confidence_metrics(after),
        "calibrated_error_if_honest": honest_error(after),
        "sets": {coverage: _set(after, each) for coverage, each in thresholds.items()},
    }


def honest_error(videos: Predictions, draws: int = 200) -> dict[str, float]:
    """The calibration error of labels drawn from the probabilities: what chance alone gives."""
    rng = np.random.default_rng(0)
    cumulated = videos.probabilities.cumsum(axis=1)
    found = []
    for _ in range(draws):
        above = cumulated < rng.random((len(cumulated), 1)) * cumulated[:, -1:]
        drawn = Predictions(
            videos.classes, videos.clips, videos.groups, above.sum(axis=1), videos.probabilities
        )
        found.append(confidence_metrics(drawn)["expected_calibration_error"])
    return {"mean": float(np.mean(found)), "95 %": float(np.quantile(found, 0.95))}


def _windows(answers: Answers, classes: tuple[str, ...]) -> Predictions:
    count = answers.logits.shape[1]
    clips, groups, labels = (
        np.repeat(each, count) for each in (answers.clips, answers.groups, answers.labels)
    )
    chances = probabilities(answers.logits.reshape(-1, len(classes)), 1.0)
    return Predictions(classes, clips, groups, labels, chances)


def _set(videos: Predictions, threshold: float) -> dict[str, float]:
    chosen = prediction_set(videos.probabilities, threshold)
    covered = chosen[np.arange(len(videos.labels)), videos.labels]
    return {"covered": float(covered.mean()), "classes": float(chosen.sum(axis=1).mean())}


# Strangers

Score = Callable[[Answers, Answers], Callable[[Outputs], np.ndarray]]


def _bundles_score(train: Answers, validation: Answers) -> Callable[[Outputs], np.ndarray]:
    rejection, arrays = fit_rejection(
        train.outputs, train.labels, validation.outputs, validation.labels
    )
    return lambda outputs: stranger_score(rejection, arrays, outputs)


def _part(which: int) -> Score:
    """One of the two distances alone."""

    def fitted(train: Answers, validation: Answers) -> Callable[[Outputs], np.ndarray]:
        _, arrays = fit_rejection(
            train.outputs, train.labels, validation.outputs, validation.labels
        )
        return lambda outputs: distances(arrays, outputs.features)[:, which]

    return fitted


def _neighbours(train: Answers, validation: Answers) -> Callable[[Outputs], np.ndarray]:
    """Mean angle to the five nearest training clips (Sun et al. 2022)."""
    known = _unit(train.features)
    return lambda outputs: 1 - np.sort(_unit(outputs.features) @ known.T)[:, -5:].mean(axis=1)


def _mahalanobis(train: Answers, validation: Answers) -> Callable[[Outputs], np.ndarray]:
    """Distance to the nearest class, of one covariance for all (Lee et al. 2018)."""
    means, inverse = _gaussian(train.features, train.labels)
    return lambda outputs: _nearest(outputs.features, means, inverse)


def _relative(train: Answers, validation: Answers) -> Callable[[Outputs], np.ndarray]:
    """The same, less the distance to all classes as one (Ren et al. 2021)."""
    means, inverse = _gaussian(train.features, train.labels)
    mean, whole = _gaussian(train.features, np.zeros_like(train.labels))
    return lambda outputs: (
        _nearest(outputs.features, means, inverse) - _nearest(outputs.features, mean, whole)
    )


def _residual(train: Answers, validation: Answers) -> Callable[[Outputs], np.ndarray]:
    """What the training clips' main axes leave (ViM's first part, Wang et al. 2022)."""
    middle = train.features.mean(axis=0)
    _, values, axes = np.linalg.svd(train.features - middle, full_matrices=False)
    share = np.cumsum(values**2) / np.sum(values**2)
    kept = axes[: int(np.searchsorted(share, 0.95)) + 1]

    def score(outputs: Outputs) -> np.ndarray:
        x = outputs.features - middle
        return (x**2).sum(axis=1) - ((x @ kept.T) ** 2).sum(axis=1)

    return score


SCORES: dict[str, Score] = {
    "bundle": _bundles_score,
    "its nearest class alone": _part(0),
    "its other directions alone": _part(1),
    "neighbours": _neighbours,
    "mahalanobis": _mahalanobis,
    "relative mahalanobis": _relative,
    "residual": _residual,
    "maximum logit": lambda *_: lambda outputs: -outputs.logits.max(axis=1),
    "energy": lambda *_: lambda outputs: -np.log(np.exp(outputs.logits).sum(axis=1)),
    "maximum probability": lambda *_: lambda outputs: -probabilities(outputs.logits, 1.0).max(1),
}

OF_LOGITS = ("maximum logit", "energy", "maximum probability")


def far(answers: Mapping[str, Answers]) -> dict[str, Any]:
    """Each score's AUROC, and of the bundle's that by kind, and the known clips kept."""
    strange = answers["far"]
    scored = {name: _scored(score, answers, strange) for name, score in SCORES.items()}
    test, found = scored["bundle"]
    kinds = {kind: auroc(test, found[strange.groups == kind]) for kind in set(strange.groups)}
    return {
        "strangers": len(found),
        "auroc": {name: auroc(*each) for name, each in scored.items()},
        "auroc_by_kind": dict(sorted(kinds.items())),
        **_threshold(answers, found, test),
    }


def near(options: argparse.Namespace) -> dict[str, Any]:
    """By network: each score's mean AUROC over the turns, and each turn."""
    found = {"mobilenet, untrained": _features_alone(_over_turns(_pretrained_turns(options)))}
    if options.turns:
        found["turns"] = _over_turns(_trained_turns(options))
    return found


def _features_alone(found: dict[str, Any]) -> dict[str, Any]:
    """Without what takes logits, of a network that has none."""
    auroc = {name: value for name, value in found["auroc"].items() if name not in OF_LOGITS}
    return {name: value for name, value in found.items() if name != "accuracy_of_known"} | {
        "auroc": auroc
    }


def _trained_turns(options: argparse.Namespace) -> dict[str, dict[str, Answers]]:
    """What each turn's bundle says of the classes that it knows, and of its stranger as `far`."""
    found = {}
    for turn in sorted(path.parent for path in options.turns.glob("*/outputs.npz")):
        with np.load(turn / "outputs.npz") as arrays:
            found[turn.name] = _turn(turn.name, dict(arrays), options.real)
    return found


def _pretrained_turns(options: argparse.Namespace) -> dict[str, dict[str, Answers]]:
    from benchmarks import pretrained

    file = options.folder / "mobilenet.npz"
    if not file.exists():
        weights = options.shared / "weights/mobilenet_2_5_224_tf_no_top.h5"
        alone(pretrained.write_features, file, options.real / "data/extract/parquet", weights)
    with np.load(file) as arrays:
        found = dict(arrays)
    classes = sorted({clip.partition("/")[0] for clip in found["clips"]})
    return {name: _turn(name, found, options.real) for name in classes}


def _turn(stranger: str, arrays: Mapping[str, np.ndarray], real: Path) -> dict[str, Answers]:
    """Answers by split, and the test clips of the stranger as `far`."""
    table = read_catalogue(real / "data/subset/catalogue.parquet")
    rows_of = {row["clip"]: row for row in table.to_pylist()}
    clips = arrays["clips"]
    classes, splits, groups = (
        np.array([rows_of[clip][name] for clip in clips])
        for name in ("class_name", "split", "group")
    )
    known = sorted(set(classes) - {stranger})
    labels = np.array([known.index(name) if name != stranger else -1 for name in classes])
    features = arrays["features"].reshape(len(clips), -1, arrays["features"].shape[-1])
    logits = arrays.get("logits", np.zeros((len(clips), 1, len(known))))
    answers = Answers(clips, labels, groups, logits, features.mean(axis=1))
    rows = {split: (splits == split) & (labels >= 0) for split in SPLITS}
    rows["far"] = (splits == "test") & (labels < 0)
    return {part: Answers(*(each[taken] for each in answers)) for part, taken in rows.items()}


def _over_turns(turns: Mapping[str, Mapping[str, Answers]]) -> dict[str, Any]:
    by_score = {
        name: {turn: auroc(*_scored(score, each, each["far"])) for turn, each in turns.items()}
        for name, score in SCORES.items()
    }
    thresholds = [
        _threshold(each, *reversed(_scored(SCORES["bundle"], each, each["far"])))
        for each in turns.values()
    ]
    return {
        "auroc": {name: float(np.mean(list(each.values()))) for name, each in by_score.items()},
        "auroc_by_class": by_score["bundle"],
        "accuracy_of_known": float(np.mean([_accuracy(each["test"]) for each in turns.values()])),
        **{key: float(np.mean([each[key] for each in thresholds])) for key in thresholds[0]},
    }


def _accuracy(answers: Answers) -> float:
    return float(np.mean(answers.outputs.logits.argmax(axis=1) == answers.labels))


def _scored(
    score: Score, answers: Mapping[str, Answers], strange: Answers
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the known test clips, and of strangers."""
    of = score(answers["train"], answers["validation"])
    return of(answers["test"].outputs), of(strange.outputs)


def _threshold(
    answers: Mapping[str, Answers], strange: np.ndarray, test: np.ndarray
) -> dict[str, float]:
    """What the bundle's threshold does: known test clips kept, strangers rejected."""
    parts = (answers["train"], answers["validation"])
    train, validation = ((each.outputs, each.labels) for each in parts)
    rejection, _ = fit_rejection(*train, *validation)
    return {
        "known_kept": float(np.mean(test <= rejection.threshold)),
        "strangers_rejected": float(np.mean(strange > rejection.threshold)),
    }


def auroc(known: np.ndarray, strange: np.ndarray) -> float:
    """How often a stranger scores higher than a known clip."""
    ranks = rankdata(np.r_[known, strange])[len(known) :]
    lowest = len(strange) * (len(strange) + 1) / 2
    return float((ranks.sum() - lowest) / (len(known) * len(strange)))


def _gaussian(features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of the classes, and the inverse of their common covariance, shrunk by half."""
    _, rows = np.unique(labels, return_inverse=True)
    means = np.stack([features[rows == row].mean(axis=0) for row in range(rows.max() + 1)])
    residuals = features - means[rows]
    covariance = residuals.T @ residuals / len(residuals)
    size = len(covariance)
    return means, np.linalg.inv((covariance + np.eye(size) * np.trace(covariance) / size) / 2)


def _nearest(features: np.ndarray, means: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    apart = features[:, None] - means
    return np.einsum("nci,ij,ncj->nc", apart, inverse, apart, optimize=True).min(axis=1)


def _unit(features: np.ndarray) -> np.ndarray:
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("real", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--turns", type=Path)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    return parser.parse_args()


if __name__ == "__main__":
    main()
