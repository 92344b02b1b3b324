"""The experiment in a tracking store, and the runs in it that belong to one model."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Experiment, Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from pipeline.tracking.address import database_path
from pipeline.tracking.database import prepare_database
from pipeline.tracking.trained import EPOCH, EXPERIMENTS, KEY, params_of, tags_of

# What a store raises that is away, breaks off, or is a file on a full disk.
FAILURES = (MlflowException, OSError, SQLAlchemyError)

# MLflow would say of every model that an environment made by `uv` has no pip, and urllib3 of every
# epoch that the server is away, which is said once.
for _noisy in ("mlflow.utils.environment", "urllib3.connectionpool"):
    logging.getLogger(_noisy).setLevel(logging.ERROR)

# An experiment of this kind opens with its runs; others open with pages about language models.
_KIND = {"mlflow.experimentKind": "custom_model_development"}


def connect(tracking_uri: str, experiment: str = EXPERIMENTS["train"]) -> tuple[MlflowClient, str]:
    """A client, and the id of the experiment; makes both it and a local store where missing."""
    path = database_path(tracking_uri)
    if path is not None:
        prepare_database(path)
    client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
    artifacts = (path.absolute().parent / "artifacts").as_uri() if path is not None else None
    return client, _experiment(client, experiment, artifacts)


def _experiment(client: MlflowClient, name: str, artifacts: str | None) -> str:
    experiment: Experiment | None = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return str(client.create_experiment(name, artifacts, tags=_KIND))
        except MlflowException:  # another process was first
            experiment = client.get_experiment_by_name(name)
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


def runs_of(client: MlflowClient, experiment: str, key: str) -> list[Run]:
    """The runs of the model made from what `key` is the hash of, oldest first."""
    return list(
        client.search_runs(
            [experiment], f"tags.`{KEY}` = '{key}'", order_by=["attributes.start_time ASC"]
        )
    )


def create_run(
    client: MlflowClient, experiment: str, record: Mapping[str, Any], *, started: int | None = None
) -> Run:
    """A new run of the model that `record` describes; `started` in milliseconds since 1970."""
    tags = tags_of(record)
    run = client.create_run(experiment, started, tags, run_name=record["model"])
    for name, value in params_of(record).items():
        client.log_param(run.info.run_id, name, value)
    return client.get_run(run.info.run_id)


def epochs_of(client: MlflowClient, run: Run) -> dict[tuple[str, int], float]:
    """What the run holds of its epochs: values by metric and epoch."""
    return {
        (name, metric.step): metric.value
        for name in sorted(run.data.metrics)
        if name.startswith(EPOCH)
        for metric in client.get_metric_history(run.info.run_id, name)
    }


def save_view(name: str, state: Mapping[str, Any], *, tracking_uri: str) -> str:
    """Put a view of the runs into the UI's menu "Views"; returns its address below the server's."""
    client, experiment = connect(tracking_uri)
    tag = f"mlflow.sharedViewState.{name}"
    value = json.dumps({"name": name, "createdAt": 0, "state": json.dumps(state)})
    if client.get_experiment(experiment).tags.get(tag) != value:
        client.set_experiment_tag(experiment, tag, value)
    return f"#/experiments/{experiment}/runs?viewStateShareKey={name}"
