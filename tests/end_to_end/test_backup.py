"""All is lost but the backup: PostgreSQL, stores and repository, without containers."""

import hashlib
import json
import os
import shutil
import signal
import subprocess

import pytest

from tests.end_to_end import test_celery as celery
from tests.end_to_end.conftest import Project
from tests.end_to_end.test_celery import POSTGRES, System, start_postgres, wait_until

pytestmark = [*celery.pytestmark, pytest.mark.slow]

AUTHOR = ("-c", "user.name=t", "-c", "user.email=t@t")
# What `docker compose` does in docker/backup, with the programs of this machine.
COMPOSE = f"""#!/usr/bin/env bash
set -euo pipefail
shift 3
case $1 in
  exec) shift 2; service=$1 program=$2; shift 2
    [ "$service" = postgres ] || exec "$program" "$@"
    PGPASSWORD=$(cat "$SECRETS/postgres") PGHOST=127.0.0.1 PGPORT=$POSTGRES_PORT \\
      exec {POSTGRES}/$program "$@" ;;
  run) shift 5; exec docker/start "$@" ;;
esac
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """PostgreSQL and MLflow's server, with nothing in them."""
    folder = tmp_path_factory.mktemp("system")
    (folder / "main").mkdir()
    system = System(folder)
    (folder / "bin").mkdir()
    (folder / "bin/docker").write_text(COMPOSE)
    (folder / "bin/docker").chmod(0o755)
    path = f"{folder / 'bin'}{os.pathsep}{system.main.environment['PATH']}"
    system.main.environment["PATH"] = path
    system.main.run("docker/make-secrets", str(folder / "secrets"))
    system.main.environment |= {
        "MLFLOW_TRACKING_USERNAME": "admin",
        "MLFLOW_TRACKING_PASSWORD": (folder / "secrets/mlflow").read_text(),
    }
    data = [start_postgres(system)]
    try:
        start_mlflow(system)
        yield system, data
    finally:
        system.stop()
        for each in data:
            shutil.rmtree(each, ignore_errors=True)


def start_mlflow(system):
    logins(system).parent.mkdir(parents=True, exist_ok=True)
    system.main.run("docker/start", "migrate")
    system.start("mlflow", "docker/start", "mlflow")
    wait_until(lambda: system.healthy("mlflow"), "MLflow")


STAGES = "stages: {make: {cmd: cp params.yaml model, deps: [params.yaml], outs: [model]}}"
CHAMPION = """
from mlflow import MlflowClient
client = MlflowClient()
run = client.create_run(client.create_experiment("video-classification"), run_name="csn-rgb")
client.log_metric(run.info.run_id, "test/video_accuracy", 0.93)
client.log_artifact(run.info.run_id, "model", "bundle")
client.create_registered_model("video-classification")
source = f"runs:/{run.info.run_id}/bundle"
client.create_model_version("video-classification", source, run.info.run_id, {"why": "better"})
client.set_registered_model_alias("video-classification", "champion", "1")
"""


def make_champion(system):
    """What a retraining leaves: a branch, outputs in the remote, a champion."""
    main, remote = system.main, system.main.environment["DVC_REMOTE"]
    main.run("git", "switch", "-q", "-c", "retrain/a")
    (main.folder / "dvc.yaml").write_text(STAGES)
    main.run("dvc", "remote", "add", "-q", "--local", "-d", "shared", remote)
    main.run("dvc", "repro")
    main.run("dvc", "push", "--run-cache")
    main.run("python", "-c", CHAMPION)
    main.run("git", "add", "--force", "dvc.yaml", "dvc.lock")
    main.run("git", *AUTHOR, "commit", "-qm", "run")
    main.run("git", "push", "-q", str(system.folder / "hub"), "retrain/a")


def contents(system):
    """What must not be lost."""
    folder = system.folder
    stores = [folder / "remote", folder / "artifacts"]
    files = [path for store in stores for path in store.rglob("*") if path.is_file()]
    hub = ("git", "-C", str(folder / "hub"), "for-each-ref")
    return {
        "files": {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        "branches": system.main.run(*hub).stdout,
        "logins": logins(system).read_text(),
        "champion": champion(system),
        "pools": query(system, "airflow", "SELECT pool, slots FROM slot_pool ORDER BY pool"),
        "runs": query(system, "mlflow", "SELECT run_uuid, name, status FROM runs ORDER BY 1"),
        "metrics": query(system, "mlflow", "SELECT * FROM metrics ORDER BY 1, 2, 3, 4, 5"),
    }


def query(system, database, statement):
    environment = os.environ | {"PGPASSWORD": (system.folder / "secrets/postgres").read_text()}
    address = ["-h", "127.0.0.1", "-p", str(system.ports["POSTGRES_PORT"]), "-U", "airflow"]
    command = [POSTGRES / "psql", *address, "-At", "-c", statement, database]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout.splitlines()


def champion(system):
    """The registered version that is in use, as MLflow's server tells."""
    code = (
        "import json; from mlflow import MlflowClient;"
        "v = MlflowClient().get_model_version_by_alias('video-classification', 'champion');"
        "print(json.dumps([v.version, v.run_id, v.source, v.tags]))"
    )
    return json.loads(system.main.run("python", "-c", code).stdout)


def logins(system):
    return system.main.folder / ".airflow/logins/logins.json"


def lose_everything(system, data):
    """Volumes and all."""
    logins(system).unlink()
    system.stop()
    system.running.clear()
    shutil.rmtree(data.pop())
    for name in ("remote", "artifacts", "hub"):
        shutil.rmtree(system.folder / name)
    data.append(start_postgres(system))


def test_what_was_backed_up_is_back_after_everything_was_lost(system):
    system, data = system
    make_champion(system)
    logins(system).write_text('{"anna": {}}')
    backup = system.folder / "backup"
    system.main.run("docker/backup", "save", str(backup))
    before = contents(system)
    assert all(before.values())
    lose_everything(system, data)
    system.main.run("docker/backup", "load", str(backup))
    start_mlflow(system)
    assert contents(system) == before
    assert stages_to_run(system) == []


def stages_to_run(system):
    """What `dvc repro` runs in a new clone of the run's branch."""
    clone, hub = system.folder / "clone", str(system.folder / "hub")
    system.main.run("git", "clone", "-q", "--branch", "retrain/a", hub, str(clone))
    project = Project(clone)
    project.environment |= {"DVC_SITE_CACHE_DIR": str(system.folder / "site")}
    remote = system.main.environment["DVC_REMOTE"]
    project.run("dvc", "remote", "add", "-q", "--local", "-d", "shared", remote)
    project.run("dvc", "pull", "--run-cache")
    return project.repro()


def test_a_damaged_backup_is_refused_before_anything_is_stopped(system):
    system, _ = system
    backup = system.folder / "damaged"
    backup.mkdir()
    (backup / "files.tar").write_bytes(b"not what it was")
    (backup / "SHA256SUMS").write_text(f"{'0' * 64}  files.tar\n")
    done = system.main.run("docker/backup", "load", str(backup), check=False)
    assert done.returncode == 1
    assert "files.tar: FAILED" in done.stdout + done.stderr


DOWNGRADE = """
import os
from alembic import command
from mlflow.store.db.utils import _get_alembic_config
config = _get_alembic_config(os.environ["MLFLOW_BACKEND_STORE_URI"])
command.downgrade(config, "-1")
"""


def test_databases_of_the_release_before_are_upgraded_with_what_they_hold(system):
    system, _ = system
    before = contents(system)
    mlflow = system.running.pop("mlflow")
    os.killpg(mlflow.pid, signal.SIGTERM)
    mlflow.wait()
    password = (system.folder / "secrets/postgres").read_text()
    address = f"postgresql+psycopg2://airflow:{password}@127.0.0.1:{system.ports['POSTGRES_PORT']}"
    system.main.environment["MLFLOW_BACKEND_STORE_URI"] = f"{address}/mlflow"
    system.main.run("python", "-c", DOWNGRADE)
    older = query(system, "mlflow", "SELECT version_num FROM alembic_version")
    system.main.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"{address}/airflow"
    system.main.run("airflow", "db", "downgrade", "--to-version", "3.2.0", "--yes")
    start_mlflow(system)
    assert query(system, "mlflow", "SELECT version_num FROM alembic_version") != older
    assert contents(system) == before
