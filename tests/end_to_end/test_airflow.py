"""The real Airflow services: retrain, triggered through the REST API on a tiny sample."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.end_to_end.conftest import TINY, copy_of_the_repository

START = 300  # seconds; thirty on an idle machine
STAGES = [
    "snapshot",
    "download",
    "subset",
    "extract",
    "explore",
    "train@vgg_lstm-rgb",
    "evaluate@vgg_lstm-rgb",
    "style@strokes-fast",
    "style@strokes-cyclegan",
    "gallery",
    "compare",
]

pytestmark = pytest.mark.skipif(
    not (Path(sys.executable).parent / "airflow").exists(),
    reason="Airflow is not installed; `make airflow` installs it",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with one small model, and Airflow's services over it."""
    project = copy_of_the_repository(tmp_path_factory.mktemp("project"))
    models = {"vgg_lstm-rgb": TINY["models"]["vgg_lstm-rgb"]}
    project.set(**TINY | {"models": models})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        project.environment["AIRFLOW_PORT"] = str(listener.getsockname()[1])
    log = project.folder / "serve.log"
    with log.open("w") as file:
        services = subprocess.Popen(
            ["airflow/serve"],
            cwd=project.folder,
            env=project.environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    wait_for_the_login(services, log)
    yield project
    os.kill(services.pid, signal.SIGTERM)
    services.wait(START)
    assert not running(services.pid), "a service outlived airflow/serve"


def wait_for_the_login(services, log):
    deadline = time.monotonic() + START
    while "login and password" not in log.read_text():
        assert services.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.5)


def running(session):
    """The processes of the session that are still alive."""
    listed = subprocess.run(
        ["ps", "-o", "stat=,args=", "-s", str(session)], capture_output=True, text=True
    )
    return [line for line in listed.stdout.splitlines() if not line.startswith("Z")]


def retrain(project, params="{}"):
    """Trigger the DAG, follow it, and return each task's last state and what was printed."""
    done = project.run("python", "airflow/trigger.py", "retrain", params)
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()[1:-1]]
    return {task: state for state, task in lines}, done.stdout


@pytest.fixture(scope="module")
def first_run(project):
    return retrain(project, '{"train.max_minutes": 1}')


def test_a_run_goes_green_stage_by_stage(project, first_run):
    states, _ = first_run
    assert states == dict.fromkeys(["make_tree", *STAGES, "promote", "publish"], "success")


def test_its_model_is_the_champion(project, first_run):
    store = f"sqlite:///{project.folder}/mlruns/mlflow.db"
    client = MlflowClient(store, registry_uri=store)
    champion = client.get_model_version_by_alias("video-classification", "champion")
    assert client.get_run(champion.run_id).info.run_name == "vgg_lstm-rgb"


def test_its_branch_holds_params_lock_and_results(project, first_run):
    (branch,) = branches(project)
    changed = project.run("git", "diff", "--name-only", "HEAD", branch).stdout.splitlines()
    assert {"dvc.lock", "params.yaml", "results/comparison.json"} <= set(changed)
    params = project.run("git", "show", f"{branch}:params.yaml").stdout
    assert "max_minutes: 1\n" in params


def branches(project):
    listed = project.run("git", "branch", "--format=%(refname:short)", "--list", "retrain/*")
    return listed.stdout.split()


def test_a_second_run_skips_every_stage_after_snapshot(project, first_run):
    states, _ = retrain(project, '{"train.max_minutes": 1}')
    assert states == {
        **dict.fromkeys(["make_tree", "snapshot", "promote", "publish"], "success"),
        **dict.fromkeys(STAGES[1:], "skipped"),
    }
    assert len(branches(project)) == 2


def test_nothing_is_registered_twice(project, first_run):
    store = f"sqlite:///{project.folder}/mlruns/mlflow.db"
    client = MlflowClient(store, registry_uri=store)
    assert len(client.search_model_versions("name = 'video-classification'")) == 1


def test_a_dag_that_does_not_exist_is_an_error_in_one_line(project):
    done = project.run("python", "airflow/trigger.py", "retain", check=False)
    assert done.returncode == 1
    assert "dags/retain/dagRuns answers 404" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
