"""Several machines: the services of docker/, without Docker, and two workers, each in a folder."""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.conftest import TINY, Project, copy_of_the_repository

POSTGRES = [*sorted(Path("/usr/lib/postgresql").glob("*/bin")), Path("/usr/bin")][0]
START = 600  # seconds; fifty on an idle machine
MODELS = {
    "vgg_lstm-rgb": {"architecture": "vgg_lstm", "stream": "rgb", "seed": 0},
    "r2plus1d-rgb": {"architecture": "r2plus1d", "stream": "rgb", "seed": 0},
}
SERVICES = ["api-server", "scheduler", "dag-processor", "triggerer", "mlflow", "metrics"]

pytestmark = [
    pytest.mark.skipif(not found, reason=reason)
    for found, reason in [
        (
            Path(sys.executable).with_name("celery").exists()
            and Path(sys.executable).with_name("airflow").exists(),
            "Airflow with Celery is not installed; `make airflow` installs it",
        ),
        ((POSTGRES / "initdb").exists(), "PostgreSQL is not here; Debian's package: postgresql"),
        (shutil.which("redis-server"), "Redis is not here; Debian's package: redis-server"),
    ]
]


class System:
    """Folders that stand for machines, and what runs in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.main = copy_of_the_repository(folder / "main")
        train = {**TINY["train"], "max_steps": 384}
        # Style networks add nothing to what several machines have to show.
        rows = {"models": MODELS, "styles": {}}
        self.main.set(**TINY | rows | {"train": train, "machine": {"threads": 1}})
        self.main.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qam", "tiny")
        self.main.environment |= self._addresses()
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def _addresses(self) -> dict[str, str]:
        names = ["AIRFLOW_PORT", "MLFLOW_PORT", "POSTGRES_PORT", "REDIS_PORT", "METRICS_PORT"]
        self.ports = ports = dict(zip(names, free_ports(7), strict=False))
        health, triggers, _ = map(str, free_ports(3))
        return {
            **{name: str(port) for name, port in ports.items()},
            "SECRETS": str(self.folder / "secrets"),
            "TMPDIR": str(self.folder),
            "POSTGRES": f"127.0.0.1:{ports['POSTGRES_PORT']}",
            "REDIS": f"127.0.0.1:{ports['REDIS_PORT']}",
            "API_SERVER": f"http://127.0.0.1:{ports['AIRFLOW_PORT']}",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": health,
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": triggers,
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
            # A busy machine is no reason to give up.
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": str(START),
            "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": str(START),
            "MLFLOW_HOST": "127.0.0.1",
            "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{ports['MLFLOW_PORT']}",
            "MLFLOW_ARTIFACTS": str(self.folder / "artifacts"),
            "DVC_REMOTE": str(self.folder / "remote"),
            "RETRAIN_REPOSITORY": str(self.folder / "hub"),
            "TRAINING_SLOTS": "2",
        }

    def start(self, name: str, *command: str, project: Project | None = None) -> None:
        """Run a program in the background, in a session of its own."""
        project = project or self.main
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command,
                cwd=project.folder,
                env=project.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start_worker(self, name: str) -> None:
        """A machine with a clone of its own."""
        if not (self.folder / name).exists():
            self.main.run("git", "clone", "-q", str(self.folder / "hub"), str(self.folder / name))
        worker = Project(self.folder / name)
        port = {"AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_ports(1)[0])}
        worker.environment = self.main.environment | port
        self.start(name, "docker/start", "worker", project=worker)

    def kill_machine(self, name: str) -> None:
        """As if its power failed: all that runs in its folder is gone at once."""
        for process in processes_in(self.folder / name):
            process.kill()
        self.running.pop(name).wait()

    def healthy(self, service: str, folder: str = "main") -> bool:
        """What the health check of its container says."""
        command = ["docker/healthy", service]
        return not subprocess.run(
            command,
            cwd=self.folder / folder,
            env=self.main.environment,
            capture_output=True,
            check=False,
        ).returncode

    def stop(self) -> None:
        """End all, the last one first."""
        for process in reversed(self.running.values()):
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        for process in processes_in(self.folder):
            process.kill()


def free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def processes_in(folder: Path) -> list[psutil.Process]:
    """Processes that work in a folder or below it."""
    found = []
    for process in psutil.process_iter(["cwd"]):
        cwd = process.info["cwd"]
        if cwd and Path(cwd).is_relative_to(folder) and process.pid != os.getpid():
            found.append(process)
    return found


def trainings_in(folder: Path) -> list[str]:
    """The models that are trained there now."""
    lines = []
    for process in processes_in(folder):
        try:
            lines.append(process.cmdline())
        except psutil.Error:
            continue
    return [line[-1] for line in lines if line[1:4] == ["-m", "pipeline", "train"]]


def wait_until(condition, what: str, seconds: float = START) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.2)


def start_postgres(system: System) -> Path:
    """PostgreSQL with the two databases; where its data are. It refuses to run as root."""
    data = Path(tempfile.mkdtemp(prefix="postgres-"))
    become = []
    if os.getuid() == 0:
        become = ["runuser", "-u", "postgres", "--"]
        os.chown(data, pwd.getpwnam("postgres").pw_uid, -1)
    password = data / "password"
    password.write_text((system.folder / "secrets/postgres").read_text())
    password.chmod(0o644)
    make = [POSTGRES / "initdb", "-D", data / "db", "-U", "airflow", "-A", "scram-sha-256"]
    subprocess.run(
        [*become, *make, "--pwfile", password], check=True, capture_output=True, cwd=data
    )
    port = str(system.ports["POSTGRES_PORT"])
    address = ["-p", port, "-h", "127.0.0.1", "-k", str(data)]
    system.start("postgres", *become, str(POSTGRES / "postgres"), "-D", str(data / "db"), *address)
    ready = [POSTGRES / "pg_isready", "-h", "127.0.0.1", "-p", port]
    wait_until(lambda: not subprocess.run(ready, capture_output=True).returncode, "PostgreSQL", 60)
    environment = {**os.environ, "PGPASSWORD": password.read_text()}
    psql = [POSTGRES / "psql", "-q", "-h", "127.0.0.1", "-p", port, "-U", "airflow", "postgres"]
    for statement in (["-c", "CREATE DATABASE airflow"], ["-f", "docker/databases.sql"]):
        subprocess.run([*psql, *statement], env=environment, cwd=system.main.folder, check=True)
    return data


@contextmanager
def system_in(folder: Path) -> Iterator[System]:
    """A system that has secrets and PostgreSQL, and no service yet."""
    (folder / "main").mkdir()
    system = System(folder)
    system.main.run("docker/make-secrets", str(folder / "secrets"))
    data = start_postgres(system)
    try:
        yield system
    finally:
        system.stop()
        shutil.rmtree(data)


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    folder = tmp_path_factory.mktemp("system")
    with system_in(folder) as system:
        redis = ("--port", str(system.ports["REDIS_PORT"]), "--bind", "127.0.0.1")
        system.start("redis", "docker/start-redis", *redis, "--dir", str(folder))
        system.main.run("docker/start", "migrate")
        for service in SERVICES:
            system.start(service, "docker/start", service)
        for name in ("worker-a", "worker-b"):
            system.start_worker(name)
        ready = ["python", "airflow/trigger.py", "--ready"]
        wait_until(lambda: not system.main.run(*ready, check=False).returncode, "Airflow")
        yield system


def test_the_health_checks_of_all_services_pass(system):
    for service in SERVICES:
        wait_until(lambda: system.healthy(service), service)  # noqa: B023 - called at once
    for worker in ("worker-a", "worker-b"):
        wait_until(lambda: system.healthy("worker", worker), worker)  # noqa: B023


@pytest.fixture(scope="module")
def retrained(system):
    """What was printed of a run during which a worker was killed; who trained what at that time."""
    environment = system.main.environment
    command = ["python", "airflow/trigger.py", "retrain"]
    follow = subprocess.Popen(
        command, cwd=system.main.folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    seen = {}

    def both_train():
        for worker in ("worker-a", "worker-b"):
            seen[worker] = trainings_in(system.folder / worker)
        return all(seen.values()) or follow.poll() is not None

    wait_until(both_train, "two trainings at once", 2 * START)
    system.kill_machine("worker-b")
    system.start_worker("worker-b")
    printed, _ = follow.communicate(timeout=3 * START)
    return printed, seen


def test_two_models_train_at_once_each_in_a_clone_of_its_own(retrained):
    _, seen = retrained
    assert sorted(seen["worker-a"] + seen["worker-b"]) == sorted(MODELS)


def test_the_run_is_green_though_a_worker_was_killed(retrained):
    printed, seen = retrained
    assert f"up_for_retry train@{seen['worker-b'][0]}" in printed
    assert printed.splitlines()[-1] == "the run's state: success"


def test_accuracies_are_those_of_one_machine(system, retrained, tmp_path_factory):
    alone = copy_of_the_repository(tmp_path_factory.mktemp("alone"))
    shutil.copy(system.main.folder / "params.yaml", alone.folder)
    alone.run("dvc", "repro", *(f"evaluate@{model}" for model in MODELS))
    found = {f"{row['architecture']}-{row['stream']}": row for row in comparison(system)}
    expected = {
        model: json.loads((alone.folder / "data/evaluate" / model / "metrics.json").read_text())
        for model in MODELS
    }
    assert accuracies(found) == accuracies(expected)


def comparison(system):
    """The table on the run's branch, where the workers met."""
    hub = ("git", "-C", str(system.folder / "hub"))
    (branch,) = system.main.run(*hub, "branch", "--list", "retrain/*").stdout.split()
    return json.loads(system.main.run(*hub, "show", f"{branch}:results/comparison.json").stdout)


def accuracies(measured):
    return {
        model: (each["clip_accuracy"], each["video_accuracy"]) for model, each in measured.items()
    }


def test_each_row_says_how_many_threads_it_had(system, retrained):
    assert [row["threads"] for row in comparison(system)] == [1] * len(MODELS)


def test_a_second_run_finds_all_done_on_whatever_machine(system, retrained):
    printed = system.main.run("python", "airflow/trigger.py", "retrain").stdout
    done = {line.split()[1] for line in printed.splitlines() if line.startswith("skipped")}
    assert {f"train@{model}" for model in MODELS} <= done
    assert {"download", "subset", "extract", "explore", "compare"} <= done
