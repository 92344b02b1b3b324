"""The deployed system, started as docker/compose.yaml says, and what tests do to it."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import yaml

from tests.docker.engine import Sandbox
from tests.end_to_end.conftest import Project

START = 600  # seconds until all is healthy; sixty on an idle machine
RUN = 1200  # seconds of a DAG's run
# What is lost is missed after one minute, not five or ten; a busy machine is no reason to give up.
SETTINGS = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "15",
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": str(START),
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": str(START),
}
AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")
# Stand-ins have no digests.
OVERRIDE = {
    "services": {
        "postgres": {"image": "postgres:17.6-bookworm"},
        "redis": {"image": "redis:8.2.2-bookworm"},
        **{name: {"environment": SETTINGS} for name in AIRFLOW},
    }
}


class System:
    """Containers in a sandbox, and the project that their images were built from."""

    def __init__(self, box: Sandbox, project: Project) -> None:
        self.box, self.project = box, project
        self.logs = project.folder.parent
        override = self.logs / "override.yaml"
        override.write_text(yaml.safe_dump(OVERRIDE))
        files = [project.folder / "docker/compose.yaml", override]
        self.compose = ["docker-compose", *(part for each in files for part in ("--file", each))]

    def start(self) -> None:
        """Start everything, and wait until all is healthy."""
        address = self.box.environment["DOCKER_HOST"]
        service = ("podman", "system", "service", "--time", "0", address)
        self.box.start(*service, log=self.logs / "podman.log")
        socket = address.removeprefix("unix://")
        there = ("test", "-e", socket)
        # What a killed run left of its own.
        self.box.run("podman", "rm", "--all", "--force")
        self.box.run("podman", "volume", "rm", "--all", "--force")
        wait_until(lambda: not self.box.run(*there, check=False).returncode, "podman's API", 60)
        threading.Thread(target=self._check_health, daemon=True).start()
        self.box.run(*self.compose, "up", "--detach", "--pull", "never", "--no-build")
        wait_until(lambda: not self.unhealthy(), "healthy services", START)

    def _check_health(self) -> None:
        """Run the containers' health checks: podman leaves that to systemd, which is not here."""
        last: dict[str, float] = {}
        while self.box.alive():
            for name, container in self.containers().items():
                # Most checks start a Python, so that more of them would slow what is tested.
                pause = 300 if "(healthy)" in container["Status"] else 5
                if time.monotonic() - last.get(name, -pause) >= pause:
                    self.healthy(name)
                    last[name] = time.monotonic()
            time.sleep(1)

    def healthy(self, container: str) -> bool:
        """Whether a container's health check passes now."""
        check = ("podman", "healthcheck", "run", container)
        return not self.box.run(*check, check=False).returncode

    def containers(self, service: str | None = None) -> dict[str, dict[str, Any]]:
        """What podman says of each container (of a service), by its name."""
        listed = self.box.run("podman", "ps", "--all", "--format", "json", check=False).stdout
        label = "com.docker.compose.service"
        return {
            each["Names"][0]: each
            for each in json.loads(listed or "[]")
            if service in (None, (each["Labels"] or {}).get(label))
        }

    def unhealthy(self) -> list[str]:
        """Containers that are to stay, and whose last health check did not pass."""
        found = self.containers()
        return [
            name
            for name, each in found.items()
            if "(healthy)" not in each["Status"] and "migrate" not in name
        ]

    def inside(self, container: str, *command: str) -> str:
        """What a command prints in a container."""
        return self.box.run("podman", "exec", container, *command).stdout

    def trigger(self, dag: str, form: dict[str, Any]) -> subprocess.Popen[str]:
        """Trigger a DAG through Airflow's REST API on its published port, and follow it."""
        password = (self.project.folder / "docker/secrets/airflow").read_text()
        passwords = self.project.folder / ".airflow/passwords.json"
        passwords.parent.mkdir(exist_ok=True)
        passwords.write_text(json.dumps({"admin": password}))
        script = self.project.folder / "airflow/trigger.py"
        log = self.logs / f"{dag}.log"
        return self.box.start(sys.executable, script, dag, json.dumps(form), log=log)

    def printed(self, dag: str) -> str:
        """What following a DAG's runs has printed."""
        return (self.logs / f"{dag}.log").read_text()

    def kill(self, container: str) -> None:
        """End a container's first process at once, as if its machine's power failed."""
        first = ("podman", "inspect", "--format", "{{.State.Pid}}", container)
        self.box.run("kill", "-KILL", self.box.run(*first).stdout.strip())

    def trains(self, container: str) -> bool:
        """Whether a model is being trained in a container."""
        top = self.box.run("podman", "top", container, "args", check=False)
        return "-m pipeline train " in top.stdout

    def away(self, service: str, seconds: float) -> None:
        """Stop a service for a while."""
        (name,) = self.containers(service)
        self.box.run("podman", "stop", "--time", "5", name)
        time.sleep(seconds)
        self.box.run("podman", "start", name)

    def backup(self, action: str) -> None:
        """Run docker/backup, whose `docker` is Docker Compose with the override."""
        docker = self.logs / "bin/docker"
        docker.parent.mkdir(exist_ok=True)
        # It is called as `docker compose --file docker/compose.yaml …`.
        docker.write_text(f'#!/bin/sh\nshift 3\nexec {" ".join(map(str, self.compose))} "$@"\n')
        docker.chmod(0o755)
        script, folder = self.project.folder / "docker/backup", self.logs / "backup"
        path = f"PATH={docker.parent}:{self.box.environment['PATH']}"
        self.box.run("env", path, script, action, folder)

    def stop(self) -> None:
        """Take everything down, with its volumes."""
        self.save_logs()
        self.box.run(*self.compose, "down", "--volumes", "--timeout", "5")

    def save_logs(self) -> None:
        """Keep what containers and tasks printed, for whoever looks why a test failed."""
        for name in self.containers():
            done = self.box.run("podman", "logs", name, check=False)
            (self.logs / f"{name}.log").write_text(done.stdout + done.stderr)
        for name in list(self.containers("worker"))[:1]:
            tasks = f"{name}:/project/.airflow/logs"
            self.box.run("podman", "cp", tasks, self.logs / "tasks", check=False)


def wait_until(condition: Callable[[], Any], what: str, seconds: float) -> None:
    """Wait until `condition` holds; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.5)
