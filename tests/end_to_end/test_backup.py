"""All is lost but the backup: PostgreSQL, stores and repository, without containers."""

import hashlib
import json
import os
import shutil
import subprocess

import pytest

from tests.end_to_end import test_celery as celery
from tests.end_to_end.conftest import TINY, Project
from tests.end_to_end.test_celery import POSTGRES, System, start_postgres, wait_until

pytestmark = [*celery.pytestmark, pytest.mark.slow]

AUTHOR = ("-c", "user.name=t", "-c", "user.email=t@t")
# What `docker compose` does in docker/backup, with the programs of this machine.
COMPOSE = f"""#!/usr/bin/env bash
set -euo pipefail
shift 3
case $1 in
  exec) shift 3; program=$1; shift
    PGPASSWORD=$(cat "$SECRETS/postgres") PGHOST=127.0.0.1 PGPORT=$POSTGRES_PORT \\
      exec {POSTGRES}/$program "$@" ;;
  run) shift 5; exec docker/start "$@" ;;
esac
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """A trained and promoted model on a run's branch; MLflow's server and PostgreSQL run."""
    folder = tmp_path_factory.mktemp("system")
    (folder / "main").mkdir()
    system = System(folder)
    model = {"vgg_lstm-rgb": TINY["models"]["vgg_lstm-rgb"]}
    system.main.set(**TINY | {"models": model, "styles": {}})
    (folder / "bin").mkdir()
    (folder / "bin/docker").write_text(COMPOSE)
    (folder / "bin/docker").chmod(0o755)
    path = f"{folder / 'bin'}{os.pathsep}{system.main.environment['PATH']}"
    system.main.environment["PATH"] = path
    system.main.run("docker/make-secrets", str(folder / "secrets"))
    data = [start_postgres(system)]
    try:
        start_mlflow(system)
        yield system, data
    finally:
        system.stop()
        for each in data:
            shutil.rmtree(each, ignore_errors=True)


def start_mlflow(system):
    system.main.run("docker/start", "migrate")
    system.start("mlflow", "docker/start", "mlflow")
    wait_until(lambda: system.healthy("mlflow"), "MLflow")


def make_champion(system):
    """What a retraining leaves: a branch, outputs in the remote, a champion."""
    main = system.main
    main.run("git", *AUTHOR, "commit", "-qam", "tiny")
    main.run("git", "switch", "-q", "-c", "retrain/a")
    main.run(
        "dvc", "remote", "add", "-q", "--local", "-d", "shared", main.environment["DVC_REMOTE"]
    )
    main.run("dvc", "repro")
    main.run("dvc", "push", "--run-cache")
    for command in ("track", "promote"):
        main.run("python", "-m", "pipeline", command)
    main.run("git", "add", "dvc.lock", "results")
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


def lose_everything(system, data):
    """Volumes and all."""
    system.stop()
    system.running.clear()
    shutil.rmtree(data.pop())
    for name in ("remote", "artifacts", "hub"):
        shutil.rmtree(system.folder / name)
    data.append(start_postgres(system))


def test_what_was_backed_up_is_back_after_everything_was_lost(system):
    system, data = system
    make_champion(system)
    backup = system.folder / "backup"
    system.main.run("docker/backup", "save", str(backup))
    before = contents(system)
    assert all(before.values())
    lose_everything(system, data)
    system.main.run("docker/backup", "load", str(backup))
    start_mlflow(system)
    assert contents(system) == before
    assert stages_to_run(system) <= {"snapshot"}


def stages_to_run(system):
    """What `dvc repro` runs in a new clone of the run's branch."""
    clone, hub = system.folder / "clone", str(system.folder / "hub")
    system.main.run("git", "clone", "-q", "--branch", "retrain/a", hub, str(clone))
    project = Project(clone)
    project.environment |= {"DVC_SITE_CACHE_DIR": str(system.folder / "site")}
    remote = system.main.environment["DVC_REMOTE"]
    project.run("dvc", "remote", "add", "-q", "--local", "-d", "shared", remote)
    project.run("dvc", "pull", "--run-cache")
    return set(project.repro())


def test_a_damaged_backup_is_refused_before_anything_is_stopped(system):
    system, _ = system
    backup = system.folder / "damaged"
    backup.mkdir()
    (backup / "files.tar").write_bytes(b"not what it was")
    (backup / "SHA256SUMS").write_text(f"{'0' * 64}  files.tar\n")
    done = system.main.run("docker/backup", "load", str(backup), check=False)
    assert done.returncode == 1
    assert "files.tar: FAILED" in done.stdout + done.stderr
