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
from requests.adapters import HTTPAdapter, Retry

HOME = Path(__file__).parents[1] / ".airflow"
ADDRESS = f"http://127.0.0.1:{os.environ.get('AIRFLOW_PORT', '8080')}"
PAUSE = 2  # seconds between looks
DONE = ("success", "failed")

log = logging.getLogger(__name__)


class Airflow:
    """The REST API, with the login that airflow/serve made."""

    def __init__(self, address: str, passwords: Path) -> None:
        """Log in; OSError (a requests exception) if nobody answers."""
        self._api = f"{address}/api/v2"
        ((name, password),) = json.loads(passwords.read_text(encoding="utf-8")).items()
        login = {"username": name, "password": password}
        answer = requests.post(f"{address}/auth/token", json=login, timeout=60)
        answer.raise_for_status()
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        # SQLite turns away one of two writers; what was turned away has changed nothing.
        retry = Retry(
            5, connect=0, status_forcelist=[500], allowed_methods=None, backoff_factor=0.5
        )
        self._session.mount("http://", HTTPAdapter(max_retries=retry))

    def get(self, path: str) -> Any:
        """What stands at `path`."""
        return self._answer("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """What `path` answers to `body`."""
        return self._answer("POST", path, body)

    def _answer(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        answer = self._session.request(method, f"{self._api}/{path}", json=body, timeout=60)
        if not answer.ok:
            raise requests.HTTPError(f"{path} answers {answer.status_code}: {answer.text}")
        return answer.json()


def run_to_the_end(airflow: Airflow, dag: str, params: dict[str, Any]) -> str:
    """Trigger the DAG with `params` for its form, and follow the run; its state at the end."""
    run = f"manual__{datetime.now(UTC):%Y-%m-%dT%H%M%S}"
    made = {"dag_run_id": run, "logical_date": None, "conf": params}
    airflow.post(f"dags/{dag}/dagRuns", made)
    log.info("%s/dags/%s/runs/%s", ADDRESS, dag, run)
    state = follow(airflow, f"dags/{dag}/dagRuns/{run}")
    log.info("the run's state: %s", state)
    return state


def follow(airflow: Airflow, run: str) -> str:
    """Log each change of a task's state until the run ends; the run's state."""
    seen: dict[tuple[str, int], str] = {}
    while True:
        state: str = airflow.get(run)["state"]
        for task in airflow.get(f"{run}/taskInstances?limit=1000")["task_instances"]:
            key = task["task_display_name"], task["map_index"]
            if task["state"] and seen.get(key) != task["state"]:
                seen[key] = task["state"]
                log.info("%-12s %s", task["state"], key[0])
        if state in DONE:
            return state
        time.sleep(PAUSE)


def ready(airflow: Airflow) -> bool:
    """Whether the scheduler and its helpers are up, and all DAG files are loaded."""
    health = requests.get(f"{ADDRESS}/api/v2/monitor/health", timeout=60).json()
    up = all(part["status"] == "healthy" for part in health.values())
    files = {path.stem for path in (Path(__file__).parents[1] / "dags").glob("*.py")}
    return up and files <= {dag["dag_id"] for dag in airflow.get("dags")["dags"]}


def main() -> int:
    """Run the command line; the exit status is 1 unless the run succeeds."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dag", nargs="?")
    parser.add_argument("params", nargs="?", type=json.loads, default={})
    parser.add_argument("--ready", action="store_true", help="only tell whether all is up")
    options = parser.parse_args()
    try:
        airflow = Airflow(ADDRESS, HOME / "passwords.json")
        if options.ready:
            return int(not ready(airflow))
        return int(run_to_the_end(airflow, options.dag, options.params) != "success")
    except requests.HTTPError as error:
        log.error("%s", error)  # noqa: TRY400 - the answer says what is wrong
    except OSError as error:
        log.error("Airflow at %s is away; `make airflow` starts it: %s", ADDRESS, error)  # noqa: TRY400
    return 1


if __name__ == "__main__":
    sys.exit(main())
