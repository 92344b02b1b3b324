"""Where runs are tracked."""

import os
from pathlib import Path

STORE = Path("mlruns/mlflow.db")


def tracking_uri() -> str:
    """Where runs go: MLFLOW_TRACKING_URI, or a SQLite file that needs no set-up."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{STORE}"


def database_path(tracking_uri: str) -> Path | None:
    """The file of a SQLite store; None if the store is another kind."""
    prefix = "sqlite:///"
    return Path(tracking_uri.removeprefix(prefix)) if tracking_uri.startswith(prefix) else None
