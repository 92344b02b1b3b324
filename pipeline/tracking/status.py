"""Whether a store already holds a model, asked without importing MLflow, which takes seconds."""

import sqlite3
from contextlib import closing
from pathlib import Path

import requests

from pipeline.tracking.trained import EXPERIMENTS, FINGERPRINT

EXPERIMENT = EXPERIMENTS["train"]
_TIMEOUT = 5
_FIND = """
    SELECT 1 FROM tags JOIN runs ON runs.run_uuid = tags.run_uuid
    WHERE tags.key = ? AND tags.value = ? AND runs.lifecycle_stage = 'active'
"""


def is_tracked(fingerprint: str, tracking_uri: str, experiment: str = EXPERIMENT) -> bool:
    """Whether a run was completed from files with this fingerprint; False where that is unclear.

    Raises OSError (a requests exception) if the server does not answer.
    """
    path = database(tracking_uri)
    if path is not None:
        return _in_database(path, fingerprint)
    if tracking_uri.startswith(("http://", "https://")):
        return _on_server(tracking_uri.rstrip("/"), fingerprint, experiment)
    return False


def database(tracking_uri: str) -> Path | None:
    """The file of a SQLite store; None if the store is another kind."""
    prefix = "sqlite:///"
    return Path(tracking_uri.removeprefix(prefix)) if tracking_uri.startswith(prefix) else None


def _in_database(path: Path, fingerprint: str) -> bool:
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        ) as connection:
            return connection.execute(_FIND, (FINGERPRINT, fingerprint)).fetchone() is not None
    except sqlite3.Error:  # no store yet, or one of another make: MLflow itself will tell
        return False


def _on_server(address: str, fingerprint: str, experiment: str) -> bool:
    found = requests.get(
        f"{address}/api/2.0/mlflow/experiments/get-by-name",
        params={"experiment_name": experiment},
        timeout=_TIMEOUT,
    )
    if not found.ok:
        return False
    runs = requests.post(
        f"{address}/api/2.0/mlflow/runs/search",
        json={
            "experiment_ids": [found.json()["experiment"]["experiment_id"]],
            "filter": f"tags.`{FINGERPRINT}` = '{fingerprint}'",
            "max_results": 1,
        },
        timeout=_TIMEOUT,
    )
    return runs.ok and bool(runs.json().get("runs"))
