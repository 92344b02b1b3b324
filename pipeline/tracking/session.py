"""The run that a live training fills."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric

from pipeline.tracking.store import connect, create_run, epochs_of, runs_of
from pipeline.tracking.trained import FINGERPRINT, experiment_of


class Session:
    """Finds or makes the run at the first `send` that gets through, and adds to it what is new."""

    def __init__(self, record: Mapping[str, Any], tracking_uri: str) -> None:
        self._record = record
        self._tracking_uri = tracking_uri
        self._client: MlflowClient | None = None
        self._run_id: str | None = None
        self._known: set[tuple[str, int]] = set()

    def send(self, points: Sequence[tuple[str, float, int, int]], status: str | None) -> None:
        """Log `points` (name, value, time, epoch); `status` ends the run. Raises FAILURES."""
        client = self._client or self._open()
        if self._run_id is None:
            return
        metrics = [Metric(*point) for point in points if (point[0], point[3]) not in self._known]
        # Sent again after a timeout, they carry the same times, and the store keeps them once.
        client.log_batch(self._run_id, metrics=metrics)
        self._known |= {(metric.key, metric.step) for metric in metrics}
        if status is not None:
            client.set_terminated(self._run_id, status)

    def _open(self) -> MlflowClient:
        """Take up the run of a training that was killed; none, if the model is tracked already."""
        client, experiment = connect(self._tracking_uri, experiment_of(self._record))
        runs = runs_of(client, experiment, self._record["key"])
        if not any(FINGERPRINT in run.data.tags for run in runs):
            run = runs[0] if runs else create_run(client, experiment, self._record)
            client.update_run(run.info.run_id, status="RUNNING")
            self._known = set(epochs_of(client, run))
            self._run_id = run.info.run_id
        self._client = client
        return client
