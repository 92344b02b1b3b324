"""The file of a registered model, fetched from MLflow."""

from pathlib import Path

import mlflow

from pipeline.errors import TrackingError
from pipeline.tracking.store import FAILURES


def fetch(uri: str, folder: Path, *, tracking_uri: str) -> Path:
    """Download `models:/NAME/VERSION` or `models:/NAME@ALIAS` to `folder`; its Keras file."""
    folder.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(tracking_uri)  # the arguments of download_artifacts do not reach all
    mlflow.set_registry_uri(tracking_uri)
    try:
        mlflow.artifacts.download_artifacts(uri, dst_path=str(folder))
    except FAILURES as error:
        raise TrackingError(f"MLflow at {tracking_uri} did not give {uri}: {error}") from error
    files = sorted(folder.rglob("*.keras"))
    if not files:
        raise TrackingError(f"{uri} holds no Keras file; name a version of a Keras model")
    return files[0]
