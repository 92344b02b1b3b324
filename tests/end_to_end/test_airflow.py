"""The real Airflow services: retrain on a tiny sample, stylize on short films, by the REST API."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
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
    "export@vgg_lstm-rgb",
    "features",
    "style@brush-fast",
    "style@brush-cyclegan",
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


def trigger(project, dag, params):
    """Trigger the DAG, follow it, and return each task's last state and what was printed."""
    done = project.run("python", "airflow/trigger.py", dag, params)
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()[1:-1]]
    return {task: state for state, task in lines}, done.stdout


@pytest.fixture(scope="module")
def first_run(project):
    return trigger(project, "retrain", '{"train.max_minutes": 1}')


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
    states, _ = trigger(project, "retrain", '{"train.max_minutes": 1}')
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
    assert "retain: Airflow answers 404" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.fixture(scope="module")
def inbox(project, first_run, film):
    """Seventeen videos and three broken ones, and the features of the first run."""
    for number in range(20):
        clip = film(project.folder / f"inbox/{number:02}.avi", frames=2)
        if number < 3:
            clip.write_bytes(clip.read_bytes()[:-500])
    model = next(project.folder.glob(".airflow/worktrees/*/data/train/vgg_lstm-rgb/model.keras"))
    project.set(stylize={"features": str(model), "steps": 2, "steps_per_frame": 1})
    cv2.imwrite(str(project.folder / "style.png"), np.full((32, 32, 3), 90, np.uint8))
    return project.folder / "outbox/nst-style-32"


ORDER = '{"style": "style.png", "size": 32}'


def test_an_inbox_is_stylized_and_broken_videos_are_set_aside(project, inbox):
    states, printed = trigger(project, "stylize", ORDER)
    assert states == dict.fromkeys(["find", "stylize_batch", "summarize"], "success")
    assert printed.count("success      stylize_batch") == 3  # batches of at most eight
    manifest = json.loads((inbox / "manifest.json").read_text())
    assert [row["video"] for row in manifest if "error" in row] == ["00.avi", "01.avi", "02.avi"]
    assert {row["error"].split(":")[0] for row in manifest[:3]} == {"it is cut off"}
    assert len(list(inbox.glob("*.mp4"))) == 17


def test_a_second_trigger_stylizes_nothing(project, inbox):
    before = {path: path.stat().st_mtime_ns for path in inbox.rglob("*")}
    states, _ = trigger(project, "stylize", ORDER)
    assert states == dict.fromkeys(["find", "stylize_batch", "summarize"], "skipped")
    assert {path: path.stat().st_mtime_ns for path in inbox.rglob("*")} == before


def test_without_a_style_airflow_says_so(project):
    done = project.run("python", "airflow/trigger.py", "stylize", check=False)
    assert done.returncode == 1
    assert "style" in done.stdout
