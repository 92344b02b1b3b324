"""track: bring MLflow up to date with what is on disk."""

import json
import logging
import os
from pathlib import Path

from pipeline.params import Params
from pipeline.stages.paths import EVALUATE, TRAIN
from pipeline.tracking.status import is_tracked
from pipeline.tracking.trained import read_trained

log = logging.getLogger(__name__)

STORE = Path("mlruns/mlflow.db")
VIEW = Path("mlflow/comparison.json")


def tracking_uri() -> str:
    """Where runs go: MLFLOW_TRACKING_URI, or a SQLite file that needs no set-up."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{STORE}"


def run(params: Params) -> None:
    """Make or complete the run of every model that is trained; seconds only if there is one."""
    uri = tracking_uri()
    trained = [name for name in params.models if (TRAIN / name / "record.json").is_file()]
    try:
        missing = [name for name in trained if not _is_tracked(name, uri)]
    except OSError as error:
        log.warning("MLflow at %s is away; run this again once it is back: %s", uri, error)
        return
    log.info("%d of %d models were in MLflow at %s", len(trained) - len(missing), len(trained), uri)
    if missing:
        _track(missing, uri)


def _is_tracked(name: str, uri: str) -> bool:
    return is_tracked(read_trained(TRAIN / name, EVALUATE / name).fingerprint, uri)


def _track(names: list[str], uri: str) -> None:
    # Here, since importing MLflow and Keras takes seconds, and most often there is nothing to do.
    from pipeline.tracking.runs import upsert
    from pipeline.tracking.store import save_view

    added = [name for name in names if upsert(TRAIN / name, EVALUATE / name, tracking_uri=uri)]
    if added:
        view = json.loads(VIEW.read_text(encoding="utf-8"))
        save_view("comparison", view, tracking_uri=uri)
        log.info("MLflow now has %s", ", ".join(added))
