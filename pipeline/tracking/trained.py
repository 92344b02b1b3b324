"""A trained model's files as MLflow takes them: params, tags, metrics and figures."""

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any

from pipeline.files import content_hash, files_hash

KEY = "pipeline.key"
FINGERPRINT = "pipeline.fingerprint"
EPOCH = "epoch/"  # begins the names of metrics with a value an epoch
EXPERIMENTS = {"train": "video-classification", "style": "style-transfer"}  # by stage
_PARAMS = (
    "architecture",
    "backbone",
    "fine_tune",
    "method",
    "photos",
    "precision",
    "seed",
    "stream",
    "style_images",
)
# The one column of a history that a second training of the same model need not repeat.
SECONDS = f"{EPOCH}seconds"


@dataclass(frozen=True)
class Trained:
    """What the stages train and evaluate left of one model."""

    record: Mapping[str, Any]
    history: Mapping[tuple[str, int], float]
    tests: Mapping[str, float]
    model: Path
    figures: tuple[Path, ...]
    bundle: Path | None
    fingerprint: str

    @property
    def finished(self) -> int:
        """When training ended, in milliseconds since 1970."""
        return int((self.model.parent / "record.json").stat().st_mtime * 1000)

    @property
    def started(self) -> int:
        """When training would have begun, had it never paused, in milliseconds since 1970."""
        return self.finished - int(float(self.record.get("train_seconds", 0)) * 1000)

    @property
    def scalars(self) -> dict[str, float]:
        """Metrics with one value: what training cost, what the test split gave, and the forms."""
        made = (*_PARAMS, "params")
        costs = {name: value for name, value in self.record.items() if name not in made}
        return dict(_numbers(costs)) | dict(self.tests)

    @cached_property
    def bundle_hash(self) -> str:
        """Hash of the bundle's files; empty where there is none."""
        return bundle_hash(self.bundle) if self.bundle else ""

    def elapsed(self) -> dict[int, int]:
        """Milliseconds from the start of training to the end of each epoch."""
        return {
            step: int(value * 1000)
            for (name, step), value in self.history.items()
            if name == SECONDS
        }


def read_trained(
    model_dir: Path, evaluation_dir: Path | None, bundle_dir: Path | None = None
) -> Trained:
    """Read the folders (an unfinished evaluation counts as none); OSError if untrained."""
    tests = sorted(evaluation_dir.glob("metrics.json")) if evaluation_dir else []
    figures = sorted(evaluation_dir.glob("*.png")) if evaluation_dir and tests else []
    files = [model_dir / name for name in ("model.keras", "record.json", "history.csv")]
    bundle = bundle_dir if bundle_dir and _is_bundle_of(model_dir, bundle_dir) else None
    return Trained(
        record=json.loads((model_dir / "record.json").read_text(encoding="utf-8")),
        history=_history(model_dir / "history.csv"),
        tests={name: value for path in tests for name, value in _tests(path).items()}
        | (_forms(bundle) if bundle else {}),
        model=model_dir / "model.keras",
        figures=tuple(figures),
        bundle=bundle,
        fingerprint=files_hash(files + tests + figures + (bundle_files(bundle) if bundle else [])),
    )


def bundle_files(bundle: Path) -> list[Path]:
    """The files of a bundle, which has no folders."""
    return sorted(path for path in bundle.iterdir() if path.is_file())


def bundle_hash(bundle: Path) -> str:
    """Hash of a bundle's files."""
    return files_hash(bundle_files(bundle))


def _is_bundle_of(model_dir: Path, bundle: Path) -> bool:
    """Whether the bundle is complete, and was exported since the model was trained."""
    ours, theirs = model_dir / "model.keras", bundle / "model.keras"
    complete = (bundle / "card.json").is_file() and theirs.is_file()
    return complete and content_hash(ours) == content_hash(theirs)


def experiment_of(record: Mapping[str, Any]) -> str:
    """MLflow's experiment for networks of the stage that made this one."""
    return EXPERIMENTS[_stage(record)]


def params_of(record: Mapping[str, Any]) -> dict[str, str]:
    """What the model was made with, by MLflow's names."""
    made = {name: record[name] for name in _PARAMS if name in record}
    return {name: str(value) for name, value in (made | dict(record.get("params", {}))).items()}


def tags_of(record: Mapping[str, Any]) -> dict[str, str]:
    """What is said of the model in words: its key, its shards' hash, the revision, the machine."""
    other = (*_PARAMS, "key", "model", "stage")
    words = {name: text for name, text in record.items() if isinstance(text, str)}
    return {name: text for name, text in words.items() if name not in other} | {
        KEY: record["key"],
        # MLflow's own names: they fill the columns "Source" and "Version" of its table.
        "mlflow.source.name": f"python -m pipeline {_stage(record)} {record['model']}",
        "mlflow.source.git.commit": str(record.get("git_revision") or ""),
    }


def _stage(record: Mapping[str, Any]) -> str:
    return str(record.get("stage", "train"))


def epoch_metrics(row: Mapping[str, Any]) -> dict[str, float]:
    """One epoch's numbers under the names that they have in MLflow."""
    return dict(_numbers({name: row[name] for name in row if name != "epoch"}, EPOCH))


def _history(path: Path) -> dict[tuple[str, int], float]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [
            {name: float(text) for name, text in row.items() if text}
            for row in csv.DictReader(file)
        ]
    return {
        (name, int(row["epoch"])): value
        for row in rows
        for name, value in epoch_metrics(row).items()
    }


def _tests(path: Path) -> dict[str, float]:
    return dict(_numbers(json.loads(path.read_text(encoding="utf-8")), "test/"))


def _forms(bundle: Path) -> dict[str, float]:
    """What was measured of each form of the bundle."""
    card = json.loads((bundle / "card.json").read_text(encoding="utf-8"))
    return dict(_numbers(card["forms"], "forms/"))


def _numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The finite numbers in nested mappings, named by their path, in letters that MLflow takes."""
    for name, value in values.items():
        path = prefix + re.sub(r"[^\w.\- :]", "_", name)
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{path}/")
        elif isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value):
            yield path, float(value)
