"""export: turn one trained model into a bundle, and judge each form of it on the test split."""

from __future__ import annotations

import json
import logging
import shutil
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import BundleError
from pipeline.evaluation.cost import latency_ms
from pipeline.evaluation.predictions import Predictions, read_predictions
from pipeline.files import code_hash, json_hash, link, progress_bar
from pipeline.inference.calibration import conformal_thresholds, fit_temperature
from pipeline.inference.card import SCHEMA, Calibration, Card, Form, Rejection, Sampling
from pipeline.inference.convert import FILES, conversion
from pipeline.inference.forms import (
    KERAS,
    Clips,
    clip_means,
    judged,
    one_thread,
    open_form,
    open_keras,
    predict_forms,
)
from pipeline.inference.runtime import LiteRT
from pipeline.inference.strangers import ARRAYS, fit_rejection
from pipeline.paths import EVALUATE, EXPORT, TRAIN
from pipeline.shards.batches import Batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.params import Params

log = logging.getLogger(__name__)

_SAMPLING = {each.name for each in fields(Sampling)}
_RANGES = 64  # training windows that int8 takes its ranges from


def run(params: Params, model: str) -> None:
    """Write data/export/MODEL, whole or not at all: the bundle and its metrics.json."""
    one_thread()
    batches, windows = Batches(params, model), params.evaluate.windows
    trained, evaluated = TRAIN / model / "model.keras", EVALUATE / model / "predictions.parquet"
    for path in (trained, evaluated):
        if not path.is_file():
            raise BundleError(f"{path} does not exist; run `dvc repro evaluate@{model}`")
    with _whole_folder(EXPORT / model) as folder:
        link(trained, folder / trained.name)
        with conversion(trained, folder, _training_windows(batches)) as wait_for:
            latency = latency_ms(open_keras(trained), batches.spec.shape)
            calibration, rejection = _trust(wait_for("float32"), batches, windows)
            for form in FILES:
                wait_for(form)
        expected = read_predictions(evaluated)
        forms = {
            KERAS: judged(folder / trained.name, expected, expected, latency),
            **_forms(folder, batches, windows, expected),
        }
        card = Card(
            schema=SCHEMA,
            name=model,
            **batches.model.model_dump(include={"architecture", "stream", "seed"}),
            classes=batches.classes,
            sampling=Sampling(**params.extract.model_dump(include=_SAMPLING)),
            window=batches.spec,
            windows=windows,
            calibration=calibration,
            rejection=rejection,
            forms=forms,
            origin=_origin(model),
        )
        card.write(folder)
        _write_metrics(folder / "metrics.json", card)
    log.info("%s: %s", EXPORT / model, _summary(card))


@contextmanager
def _whole_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path` to write into, which becomes `path` at the end."""
    aside = path.with_name(f".{path.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
        shutil.rmtree(path, ignore_errors=True)
        aside.replace(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _training_windows(batches: Batches) -> np.ndarray:
    """The middle of some training clips: shards hold the classes mixed."""
    windows = batches.evaluation("train", 1).unbatch().take(_RANGES)
    return np.stack([x.numpy() for x, _, _ in windows])


def _forms(folder: Path, batches: Batches, windows: int, expected: Predictions) -> dict[str, Form]:
    """Each converted form, judged on the test clips beside what `evaluate` expects of them."""
    runs = {form: open_form(folder, form) for form in FILES}
    predictions = predict_forms(
        runs, _windows(batches, "test", windows), classes=batches.classes, groups=batches.groups
    )
    return {
        form: judged(
            folder / FILES[form],
            predictions[form],
            expected,
            latency_ms(classify, batches.spec.shape),
        )
        for form, classify in runs.items()
    }


def _windows(batches: Batches, split: str, windows: int) -> Iterator[Any]:
    """Batches (x, labels, clips) of a split, with a progress bar."""
    dataset = batches.evaluation(split, windows)
    total = len(batches.labels(split)) * windows
    with progress_bar(total=total, unit="window", desc=f"{split} windows") as bar:
        for batch in dataset:
            yield batch
            bar.update(len(batch[1]))


def _trust(network: Path, batches: Batches, windows: int) -> tuple[Calibration, Rejection]:
    """Temperature, prediction sets and rejection, fitted on validation clips."""
    runtime = LiteRT(network)
    train = clip_means(runtime, _windows(batches, "train", windows), windows)
    if batches.validates:
        validation = clip_means(runtime, _windows(batches, "validation", windows), windows)
    else:
        log.warning("no clips validate: calibrated on training clips, which are told too surely")
        train, validation = _halves(train, batches.groups)
    temperature = fit_temperature(validation.outputs.logits, validation.labels)
    conformal = conformal_thresholds(validation.outputs.logits, validation.labels, temperature)
    rejection, arrays = fit_rejection(
        train.outputs, train.labels, validation.outputs, validation.labels
    )
    named: dict[str, Any] = arrays  # mypy takes savez's own keywords for these
    np.savez(network.parent / ARRAYS, **named)
    return Calibration(temperature, conformal), rejection


def _halves(clips: Clips, groups: Mapping[str, str]) -> tuple[Clips, Clips]:
    """Every second group, and the others: no clip is its own neighbour."""
    names = sorted({groups[clip] for clip in clips.names})
    chosen = np.isin([groups[clip] for clip in clips.names], names[::2])
    return clips.only(chosen), clips.only(~chosen)


def _origin(model: str) -> dict[str, str]:
    """What the network was made from, by its training's record."""
    record = json.loads((TRAIN / model / "record.json").read_text(encoding="utf-8"))
    return {
        "key": record["key"],
        "clips": record["clips"],
        "shards": record["dataset_hash"],
        "params": json_hash(record["params"]),
        "code": code_hash("pipeline.stages.train"),
        "git_revision": record["git_revision"],
    }


def _write_metrics(path: Path, card: Card) -> None:
    metrics = {
        "forms": {name: asdict(form) for name, form in card.forms.items()},
        "temperature": card.calibration.temperature,
        "kept": card.rejection.kept,
    }
    path.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


def _summary(card: Card) -> str:
    return ", ".join(
        f"{name} {form.size_bytes / 1e6:.2f} MB {form.video_accuracy:.1%} {form.latency_ms:.1f} ms"
        for name, form in card.forms.items()
    )
