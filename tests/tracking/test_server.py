"""The tracking server that `make mlflow` starts, and clients of it."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient

from pipeline.tracking.live import LiveRun
from pipeline.tracking.lookup import (
    CHAMPION,
    CHAMPION_URI,
    MODEL,
    _Asked,
    _on_server,
    find_version,
)
from pipeline.tracking.promotion import Answers, Challenger, promote
from pipeline.tracking.registered import fetch_bundle
from pipeline.tracking.runs import is_tracked, upsert
from pipeline.tracking.trained import bundle_hash, read_trained
from tests.tracking.conftest import contents, history, make_record, write_bundle

ROOT = Path(__file__).parents[2]
START = 240  # seconds; a few on an idle machine
Write = Callable[..., tuple[Path, Path]]


@dataclass
class Server:
    """`mlflow/serve` in a copy of the repository that holds no data."""

    root: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> str:
        return f"sqlite:///{self.root / 'mlruns' / 'mlflow.db'}"

    def start(self) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.process = subprocess.Popen(
            [self.root / "mlflow" / "serve"],
            env=os.environ | {"MLFLOW_PORT": str(self.port), "PATH": path},
            start_new_session=True,
        )
        deadline = time.monotonic() + START
        while not self._answers():
            assert time.monotonic() < deadline, f"no answer within {START} s"
            assert self.process.poll() is None, "the server ended"
            time.sleep(0.2)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        if self.process is None or not self.running:
            return
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.uri}/health", timeout=5).ok
        except requests.RequestException:
            return False


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Server]:
    """A server that is not started yet."""
    root = tmp_path_factory.mktemp("repository")
    shutil.copytree(ROOT / "mlflow", root / "mlflow")
    for name in ("pipeline", "params.yaml"):
        (root / name).symlink_to(ROOT / name)
    (root / "mlruns").mkdir()
    shutil.copy(empty_store, root / "mlruns" / "mlflow.db")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server = Server(root, port)
    yield server
    server.kill()


@pytest.fixture
def server(installed: Server) -> Server:
    """It runs, whatever an earlier test did to it."""
    if not installed.running:
        installed.start()
    return installed


def times_logged(server: Server, name: str) -> Counter[tuple[object, ...]]:
    """How often the run of that name holds each metric of each epoch."""
    return Counter(row[1:3] for row in contents(server.store)["metrics"] if row[0] == name)


def test_a_training_is_seen_live_and_completed_afterwards(server: Server, trained: Write) -> None:
    with LiveRun(make_record("csn-rgb"), tracking_uri=server.uri, patience=120) as live:
        for row in history(2):
            live.on_epoch(int(row["epoch"]), row)
    client = MlflowClient(server.uri)
    (run,) = client.search_runs(
        [client.get_experiment_by_name("video-classification").experiment_id]
    )
    assert run.data.metrics["epoch/loss"] == 1.1 / 2
    folders = trained()
    files = read_trained(*folders)
    assert not is_tracked(files, server.uri)
    assert upsert(*folders, tracking_uri=server.uri) == run.info.run_id
    assert is_tracked(files, server.uri)
    before = contents(server.store)
    assert upsert(*folders, tracking_uri=server.uri) == run.info.run_id
    assert contents(server.store) == before
    assert set(times_logged(server, "csn-rgb").values()) == {1}


def test_a_server_killed_during_training_loses_nothing(
    server: Server, trained: Write, caplog: pytest.LogCaptureFixture
) -> None:
    with LiveRun(make_record("r2plus1d-rgb"), tracking_uri=server.uri, patience=120) as live:
        first, second, third = history(3)
        live.on_epoch(0, first)
        wait_for(lambda: "epoch/loss" in metrics(server, "r2plus1d-rgb"))
        server.kill()
        live.on_epoch(1, second)
        live.on_epoch(2, third)
    assert caplog.text.count(f"{server.uri} is away; training continues") == 1
    upsert(*trained("r2plus1d-rgb"), tracking_uri=server.store)
    logged = times_logged(server, "r2plus1d-rgb")
    assert {step for key, step in logged if key == "epoch/loss"} == {0, 1, 2}
    assert set(logged.values()) == {1}


def test_a_champion_s_bundle_is_found_and_fetched_over_http(
    server: Server, trained: Write, tmp_path: Path
) -> None:
    folders = trained("vgg_lstm-rgb")
    bundle = write_bundle(folders[0])
    challenger = Challenger(*folders, Answers(("A",), {"A/a": "g"}, {"A/a": True}), bundle)
    promote(challenger, tracking_uri=server.uri, test=None, rematch=None)
    version = _on_server(server.uri, _Asked(MODEL, CHAMPION, None))
    assert version == _on_server(server.uri, _Asked(MODEL, None, "1"))
    assert version == find_version(CHAMPION_URI, tracking_uri=server.store)
    fetched = fetch_bundle(CHAMPION_URI, tmp_path / "bundles", tracking_uri=server.uri)
    assert bundle_hash(fetched) == version.bundle == bundle_hash(bundle)


def metrics(server: Server, name: str) -> set[object]:
    return {row[1] for row in contents(server.store)["metrics"] if row[0] == name}


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_folder_of_the_server_does_not_hide_the_library() -> None:
    assert not list((ROOT / "mlflow").rglob("__init__.py"))
    code = "import mlflow, pathlib; print(pathlib.Path(mlflow.__file__).parent)"
    imported = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    library = importlib.util.find_spec("mlflow")
    assert library is not None
    assert library.origin is not None
    assert Path(imported.stdout.strip()) == Path(library.origin).parent


@pytest.mark.parametrize(
    ("host", "status"),
    [(f"{os.uname().nodename}", 200), ("localhost", 200), ("elsewhere.example", 403)],
)
def test_it_answers_to_this_machine_s_names_alone(server: Server, host: str, status: int) -> None:
    path = "/api/2.0/mlflow/experiments/search?max_results=1"
    headers = {"Host": f"{host}:{server.port}"}
    assert requests.get(f"{server.uri}{path}", headers=headers, timeout=60).status_code == status


def test_a_port_that_is_taken_is_one_line_with_the_setting_that_moves_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = subprocess.run(
            [ROOT / "mlflow" / "serve"],
            env=os.environ | {"MLFLOW_PORT": str(port)},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"port {port} is taken by another program; MLFLOW_PORT=")
