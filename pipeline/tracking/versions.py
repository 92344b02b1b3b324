"""The versions of the registered model: what made them, where they stand, and how they did."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from pipeline.tracking.champions import SINCE, UNTIL, champion, explained, history
from pipeline.tracking.lookup import BUNDLE, MODEL, require_store
from pipeline.tracking.promotion import VERDICT
from pipeline.tracking.trained import KEY

Standing = Literal["champion", "former champion", "challenger"]
_TAGS = {"key": KEY, "clips": "clips", "shards": "dataset_hash", "git_revision": "git_revision"}
_FORMS = "forms/"  # begins the names of metrics of a bundle's forms


@dataclass(frozen=True)
class VersionRecord:
    """One version, as `python -m pipeline models --json` prints it."""

    version: int
    model: str
    standing: Standing
    verdict: str
    registered: str  # when; ISO 8601, UTC
    champion_since: str
    rolled_back: str
    run_id: str
    bundle: str  # hash; empty where it has none
    made_from: dict[str, str]  # key of the training, hashes of clips and shards, git revision
    params: dict[str, str]
    video_accuracy: float | None
    video_accuracy_ci95: tuple[float | None, float | None]
    clip_accuracy: float | None
    forms: dict[str, dict[str, float]]


def list_versions(*, tracking_uri: str) -> list[VersionRecord]:
    """All versions, the newest first; a TrackingError where there is no registry."""
    require_store(tracking_uri)
    client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
    with explained(tracking_uri):
        present, champions = champion(client), history(client)
        versions = client.search_model_versions(
            f"name = '{MODEL}'", order_by=["version_number DESC"]
        )
        standings = [_standing(each, present, champions) for each in versions]
        runs = [client.get_run(each.run_id) for each in versions]
        return [_record(*each) for each in zip(versions, runs, standings, strict=True)]


def _record(version: ModelVersion, run: Run, standing: Standing) -> VersionRecord:
    metrics, tags = run.data.metrics, version.tags
    low, high = (metrics.get(f"test/video_accuracy_{side}") for side in ("low", "high"))
    return VersionRecord(
        version=int(version.version),
        model=run.info.run_name,
        standing=standing,
        verdict=tags.get(VERDICT, ""),
        registered=_time(version.creation_timestamp),
        champion_since=tags.get(SINCE, ""),
        rolled_back=tags.get(UNTIL, ""),
        run_id=version.run_id,
        bundle=tags.get(BUNDLE, ""),
        made_from={name: run.data.tags.get(tag, "") for name, tag in _TAGS.items()},
        params=dict(run.data.params),
        video_accuracy=metrics.get("test/video_accuracy"),
        video_accuracy_ci95=(low, high),
        clip_accuracy=metrics.get("test/clip_accuracy"),
        forms=_forms(metrics),
    )


def _standing(
    version: ModelVersion, present: ModelVersion | None, champions: list[str]
) -> Standing:
    if present is not None and present.version == version.version:
        return "champion"
    once = str(version.version) in champions or SINCE in version.tags
    return "former champion" if once else "challenger"


def _forms(metrics: dict[str, float]) -> dict[str, dict[str, float]]:
    forms: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        if name.startswith(_FORMS):
            form, _, what = name.removeprefix(_FORMS).partition("/")
            forms.setdefault(form, {})[what] = value
    return forms


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
