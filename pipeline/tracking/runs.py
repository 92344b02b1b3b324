"""One run a trained model, made or completed from the files that the stages left.

The files are the truth. What a run lacks is added; what it has is never logged again, so that
repeating, or going on after a server died half-way, ends in the same store.
"""

import json
import logging
import math
import re
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import (
    LoggedModel,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    Param,
    Run,
    RunTag,
)
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from pipeline.files import content_hash
from pipeline.tracking.lookup import BUNDLE
from pipeline.tracking.pyfunc import save_bundle
from pipeline.tracking.store import FAILURES, connect, create_run, epochs_of, runs_of
from pipeline.tracking.trained import (
    FINGERPRINT,
    SECONDS,
    Trained,
    experiment_of,
    params_of,
    read_trained,
    tags_of,
)

log = logging.getLogger(__name__)

History = Mapping[tuple[str, int], float]
_FIGURES = "pipeline.figures"
_BATCH = 1000  # metrics that MLflow takes at once


def is_tracked(trained: Trained, tracking_uri: str) -> bool:
    """Whether a run was completed from exactly these files; raises FAILURES."""
    client, experiment = connect(tracking_uri, experiment_of(trained.record))
    complete = f"tags.`{FINGERPRINT}` = '{trained.fingerprint}'"
    return bool(client.search_runs([experiment], complete, max_results=1))


def upsert(
    model_dir: Path,
    evaluation_dir: Path | None,
    bundle_dir: Path | None = None,
    *,
    tracking_uri: str,
) -> str | None:
    """Make or complete the model's run; its id, or None (and a warning) if MLflow is away."""
    trained = read_trained(model_dir, evaluation_dir, bundle_dir)
    try:
        client, experiment = connect(tracking_uri, experiment_of(trained.record))
        run = _find(client, experiment, trained) or create_run(
            client, experiment, trained.record, started=trained.started
        )
        _complete(client, run, trained)
    except FAILURES as error:
        log.warning(
            "MLflow at %s did not take %s; `python -m pipeline track` will try again: %s",
            tracking_uri,
            trained.record["model"],
            error,
        )
        return None
    return str(run.info.run_id)


def _find(client: MlflowClient, experiment: str, trained: Trained) -> Run | None:
    """The run that the files belong to.

    A run of the same key with other numbers is another training: it stays if it was completed from
    files, and goes if it was only logged live, since nothing else is left of that training.
    """
    for run in runs_of(client, experiment, trained.record["key"]):
        if _agrees(epochs_of(client, run), trained.history):
            return run
        if FINGERPRINT not in run.data.tags:
            client.delete_run(run.info.run_id)
    return None


def _agrees(stored: History, history: History) -> bool:
    compared = {name for name, _ in history} - {SECONDS}
    return all(
        math.isclose(value, history.get((name, step), math.nan), rel_tol=1e-6)
        for (name, step), value in stored.items()
        if name in compared
    )


def _complete(client: MlflowClient, run: Run, trained: Trained) -> None:
    """Add what the run lacks; its fingerprint comes last, and says that nothing is missing."""
    run_id = run.info.run_id
    _log_missing(client, run, trained)
    _log_model(client, run, trained)
    _log_figures(client, run, trained.figures)
    client.set_terminated(run_id, "FINISHED", end_time=trained.finished)
    client.set_tag(run_id, FINGERPRINT, trained.fingerprint)


def _log_missing(client: MlflowClient, run: Run, trained: Trained) -> None:
    had = run.data
    params = [
        Param(*item) for item in params_of(trained.record).items() if item[0] not in had.params
    ]
    tags = [
        RunTag(*item) for item in tags_of(trained.record).items() if item not in had.tags.items()
    ]
    metrics = _missing_epochs(client, run, trained) + _changed_scalars(run, trained)
    client.log_batch(run.info.run_id, params=params, tags=tags)
    for first in range(0, len(metrics), _BATCH):
        client.log_batch(run.info.run_id, metrics=metrics[first : first + _BATCH])


def _missing_epochs(client: MlflowClient, run: Run, trained: Trained) -> list[Metric]:
    stored = epochs_of(client, run)
    ends = trained.elapsed()
    return [
        Metric(name, value, run.info.start_time + ends.get(step, 0), step)
        for (name, step), value in trained.history.items()
        if (name, step) not in stored
    ]


def _changed_scalars(run: Run, trained: Trained) -> list[Metric]:
    """New values only: after another evaluation, the later of two is the one that counts."""
    now = int(time.time() * 1000)
    return [
        Metric(name, value, now, 0)
        for name, value in trained.scalars.items()
        if run.data.metrics.get(name) != value
    ]


def _log_model(client: MlflowClient, run: Run, trained: Trained) -> None:
    """Log the bundle, or the Keras model where there is none.

    Step by step, so that one whose upload broke off is completed.
    """
    run_id, experiment = run.info.run_id, run.info.experiment_id
    name = re.sub(r"[/:.%\"']", "_", trained.record["model"])
    tags = {BUNDLE: trained.bundle_hash} if trained.bundle else None
    model = logged_model(client, run, trained.bundle_hash) or client.create_logged_model(
        experiment, name, run_id, tags=tags
    )
    if model.status != LoggedModelStatus.READY:
        _upload(client, model, run_id, trained)
        client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    known = run.outputs.model_outputs if run.outputs else []
    if model.model_id not in {output.model_id for output in known}:
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])


def logged_model(client: MlflowClient, run: Run, bundle: str) -> LoggedModel | None:
    """The run's model with the bundle of this hash; for an empty hash, the Keras model."""
    of_run = f"source_run_id = '{run.info.run_id}'"
    models = client.search_logged_models([run.info.experiment_id], of_run)
    return next((model for model in models if model.tags.get(BUNDLE, "") == bundle), None)


def _upload(client: MlflowClient, model: LoggedModel, run_id: str, trained: Trained) -> None:
    ids = {"run_id": run_id, "model_id": model.model_id, "model_uuid": model.model_id}
    mlflow_model = Model(artifact_path=model.artifact_location, **ids)
    with TemporaryDirectory() as folder:
        path = Path(folder, "model")
        if trained.bundle:
            save_bundle(trained.bundle, path, mlflow_model)
        else:
            _save_keras(trained.model, path, mlflow_model)
        client.log_model_artifacts(model.model_id, str(path))


def _save_keras(file: Path, path: Path, mlflow_model: Model) -> None:
    network = _load(file)
    mlflow.keras.save_model(
        network,
        str(path),
        mlflow_model=mlflow_model,
        signature=_signature(network),
        # Given, because MLflow would load the model in another process to find them out.
        pip_requirements=_requirements(),
    )


def _requirements() -> list[str]:
    """Pinned packages that load the network. TensorFlow's may be installed as tensorflow-cpu."""
    import tensorflow as tf

    pinned = [f"{name}=={version(name)}" for name in ("keras", "numpy")]
    return [*pinned, f"tensorflow=={tf.__version__}"]


def _load(path: Path) -> Any:
    import keras

    return keras.saving.load_model(path, compile=False)


def _signature(model: Any) -> ModelSignature:
    import numpy as np

    def schema(shape: Sequence[int | None]) -> Schema:
        sides = tuple(-1 if side is None else side for side in shape)
        return Schema([TensorSpec(np.dtype("float32"), sides)])

    return ModelSignature(inputs=schema(model.input_shape), outputs=schema(model.output_shape))


def _log_figures(client: MlflowClient, run: Run, figures: Sequence[Path]) -> None:
    """Upload the figures that are new or changed; one of the same name is replaced."""
    hashes = {figure.name: content_hash(figure) for figure in figures}
    known = json.loads(run.data.tags.get(_FIGURES, "{}"))
    for figure in figures:
        if known.get(figure.name) != hashes[figure.name]:
            client.log_artifact(run.info.run_id, str(figure), "figures")
    if known != hashes:
        client.set_tag(run.info.run_id, _FIGURES, json.dumps(hashes))
