"""Trigger a DAG through Airflow's REST API and follow its run to the end.

python airflow/trigger.py retrain '{"dataset.split": 2}'
"""

import argparse
import json
import logging
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from airflow_client.client import ApiClient, ApiException, Configuration
from airflow_client.client.api import DAGApi, DagRunApi, MonitorApi, TaskInstanceApi
from airflow_client.client.models import TriggerDAGRunPostBody
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

ROOT = Path(__file__).parents[1]
PASSWORDS = ROOT / ".airflow/passwords.json"
ADDRESS = f"http://127.0.0.1:{os.environ.get('AIRFLOW_PORT', '8080')}"
PAUSE = 2  # seconds between requests
DONE = ("success", "failed")

log = logging.getLogger(__name__)
sys.path.append(str(ROOT))  # for the package pipeline
from pipeline.errors import ParamsError  # noqa: E402
from pipeline.orchestration.form import apply_form  # noqa: E402


def connect() -> ApiClient:
    """Log in as the user that airflow/serve made; OSError if nothing answers."""
    ((name, password),) = json.loads(PASSWORDS.read_text(encoding="utf-8")).items()
    login = {"username": name, "password": password}
    answer = requests.post(f"{ADDRESS}/auth/token", json=login, timeout=60)
    answer.raise_for_status()
    token = answer.json()["access_token"]
    # SQLite turns away one of two writers; what was turned away has changed nothing.
    retry = Retry(5, connect=0, status_forcelist=[500], allowed_methods=None, backoff_factor=0.5)
    return ApiClient(Configuration(ADDRESS, access_token=token, retries=retry))


def check_form(client: ApiClient, dag: str, params: dict[str, Any]) -> None:
    """Raise a ParamsError that lists the keys there are, before a run fails on an unknown one."""
    if dag == "retrain":  # its form takes any key of params.yaml
        apply_form((ROOT / "params.yaml").read_text(encoding="utf-8"), params)
        return
    form = DAGApi(client).get_dag_details(dag).params
    if unknown := ", ".join(sorted(params.keys() - form.keys())):
        raise ParamsError(f"{unknown}: not in the form of {dag}; it has {', '.join(form)}")


def run_to_the_end(client: ApiClient, dag: str, params: dict[str, Any]) -> str:
    """Trigger the DAG with `params` for its form, and follow the run; its state at the end."""
    check_form(client, dag, params)
    run = f"manual__{datetime.now(UTC):%Y-%m-%dT%H%M%S}"
    DagRunApi(client).trigger_dag_run(dag, TriggerDAGRunPostBody(dag_run_id=run, conf=params))
    log.info("%s/dags/%s/runs/%s", ADDRESS, dag, run)
    state = follow(client, dag, run)
    log.info("the run's state: %s", state)
    return state


def follow(client: ApiClient, dag: str, run: str) -> str:
    """Log each change of a task's state until the run ends; the run's state."""
    seen: dict[tuple[str, int], str] = {}
    while True:
        state: str = DagRunApi(client).get_dag_run(dag, run).state.value
        tasks = TaskInstanceApi(client).get_task_instances(dag, run, limit=1000).task_instances
        for task in tasks:
            key = task.task_display_name, task.map_index
            if task.state and seen.get(key) != task.state:
                seen[key] = task.state
                log.info("%-12s %s", task.state.value, task.task_display_name)
        if state in DONE:
            return state
        time.sleep(PAUSE)


def ready(client: ApiClient) -> bool:
    """Whether all services are healthy, and all DAG files are loaded."""
    health = MonitorApi(client).get_health().to_dict()
    files = {path.stem for path in (ROOT / "dags").glob("*.py")}
    loaded = {dag.dag_id for dag in DAGApi(client).get_dags().dags}
    return files <= loaded and all(part["status"] == "healthy" for part in health.values())


def main() -> int:
    """Run the command line; the exit status is 1 unless the run succeeds."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dag", nargs="?")
    parser.add_argument("params", nargs="?", type=json.loads, default={})
    parser.add_argument("--ready", action="store_true", help="only say whether all services are up")
    options = parser.parse_args()
    try:
        if options.ready:
            return int(not ready(connect()))
        return int(run_to_the_end(connect(), options.dag, options.params) != "success")
    except ParamsError as error:
        log.error("%s", error)  # noqa: TRY400 - these errors explain themselves
    except ApiException as error:
        log.error("%s: Airflow answers %s: %s", options.dag, error.status, error.body)  # noqa: TRY400
    except (OSError, HTTPError) as error:
        log.error("Airflow at %s cannot be reached; `make airflow` starts it: %s", ADDRESS, error)  # noqa: TRY400
    return 1


if __name__ == "__main__":
    sys.exit(main())
