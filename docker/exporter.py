"""Metrics for Prometheus on port 9108: Airflow's tasks and heartbeats, the workers' queue, disks.

They are asked for at each scrape. A part that cannot be asked is 0 in `pipeline_up`, and its other
metrics are missing; the others are there.
"""

import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import psycopg2
import redis
from prometheus_client import start_http_server
from prometheus_client.core import REGISTRY, GaugeMetricFamily
from prometheus_client.registry import Collector

log = logging.getLogger(__name__)

TIMEOUT = 5  # seconds
DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
TASKS = (
    "SELECT dag_id, coalesce(state, 'none'), count(*) FROM task_instance"
    " WHERE updated_at > now() - interval '1 day' GROUP BY 1, 2"
)
RUNS = "SELECT dag_id, state, count(*) FROM dag_run GROUP BY 1, 2"
HEARTBEATS = (
    "SELECT job_type, extract(epoch FROM now() - max(latest_heartbeat)) FROM job"
    " WHERE state = 'running' GROUP BY 1"
)
OLDEST = (
    "SELECT dag_id, extract(epoch FROM now() - min(start_date)) FROM dag_run"
    " WHERE state = 'running' GROUP BY 1"
)
QUERIES = {
    "pipeline_tasks": ("Airflow's tasks of the last day", ["dag", "state"], TASKS),
    "pipeline_runs": ("Airflow's runs", ["dag", "state"], RUNS),
    "pipeline_heartbeat_age_seconds": ("since a service's last sign", ["service"], HEARTBEATS),
    "pipeline_oldest_run_seconds": ("age of the longest run", ["dag"], OLDEST),
}
Families = list[GaugeMetricFamily]


class Parts(Collector):
    """All metrics, asked part by part."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One family a metric, and `pipeline_up` by part."""
        up = GaugeMetricFamily("pipeline_up", "whether a part answers", labels=["part"])
        for part, ask in PARTS.items():
            try:
                yield from ask()
            except Exception as error:  # noqa: BLE001 - whatever it is, the other parts are shown
                log.warning("%s: %s", part, error)
                up.add_metric([part], 0)
            else:
                up.add_metric([part], 1)
        yield up


def database() -> Families:
    """What Airflow's database knows."""
    address = os.environ[DATABASE].replace("+psycopg2", "")
    connection = psycopg2.connect(address, connect_timeout=TIMEOUT)
    try:
        with connection.cursor() as cursor:
            return [_family(cursor, name, *query) for name, query in QUERIES.items()]
    finally:
        connection.close()


def _family(
    cursor: psycopg2.extensions.cursor, name: str, text: str, labels: list[str], query: str
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    cursor.execute(query)
    for *values, number in cursor.fetchall():
        family.add_metric(list(map(str, values)), float(number))
    return family


def queue() -> Families:
    """How many tasks wait for a worker."""
    address = os.environ["AIRFLOW__CELERY__BROKER_URL"]
    with redis.from_url(address, socket_timeout=TIMEOUT) as broker:
        waiting = broker.llen("default")
    return [GaugeMetricFamily("pipeline_queue_length", "tasks without a worker", value=waiting)]


def answers(address: str) -> Callable[[], Families]:
    """A part that has no metrics, but an address for its health."""

    def ask() -> Families:
        with urlopen(address, timeout=TIMEOUT):
            return []

    return ask


def disks() -> Families:
    """Room on the disks of runs and logs."""
    free = GaugeMetricFamily("pipeline_disk_free_bytes", "room", labels=["folder"])
    size = GaugeMetricFamily("pipeline_disk_size_bytes", "size", labels=["folder"])
    for folder in (Path(os.environ["RETRAIN_REPOSITORY"]).parent, Path(".airflow/logs")):
        usage = shutil.disk_usage(folder)
        free.add_metric([str(folder)], usage.free)
        size.add_metric([str(folder)], usage.total)
    return [free, size]


API = os.environ.get("API_SERVER", "http://api-server:8080")
PARTS: dict[str, Callable[[], Families]] = {
    "database": database,
    "queue": queue,
    "disks": disks,
    "api-server": answers(f"{API}/api/v2/monitor/health"),
    "mlflow": answers(f"{os.environ.get('MLFLOW_TRACKING_URI', 'http://mlflow:5000')}/health"),
}


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    REGISTRY.register(Parts())
    start_http_server(int(os.environ.get("METRICS_PORT", "9108")))
    threading.Event().wait()
