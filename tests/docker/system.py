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

START = 600  # seconds until all is healthy
RUN = 900  # seconds of a DAG's run
# Stand-ins have no digests.
OVERRIDE = {
    "services": {
        "postgres": {"image": "postgres:17.6-bookworm"},
        "redis": {"image": "redis:8.2.2-bookworm"},
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
                pause = 60 if "(healthy)" in container["Status"] else 5
                if time.monotonic() - last.get(name, -60) > pause:
                    self.box.run("podman", "healthcheck", "run", name, check=False)
                    last[name] = time.monotonic()
            time.sleep(1)

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

    def stop(self) -> None:
        """Take everything down, with its volumes."""
        self.save_logs()
        self.box.run(*self.compose, "down", "--volumes", "--timeout", "5")

    def save_logs(self) -> None:
        """Keep what the containers printed, for whoever looks why a test failed."""
        for name in self.containers():
            done = self.box.run("podman", "logs", name, check=False)
            (self.logs / f"{name}.log").write_text(done.stdout + done.stderr)


def wait_until(condition: Callable[[], Any], what: str, seconds: float) -> None:
    """Wait until `condition` holds; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.5)
