"""Where runs are tracked."""

import os
from pathlib import Path

STORE = Path("mlruns/mlflow.db")


def tracking_uri() -> str:
    """Where runs go: MLFLOW_TRACKING_URI, or a SQLite file that needs no set-up."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{STORE}"
