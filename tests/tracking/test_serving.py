"""The champion, served by `mlflow models serve` where this repository is not."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import requests

from pipeline.models import build
from pipeline.tracking.promotion import CHAMPION, MODEL, Answers, promote

START = 240  # seconds; fifteen on an idle machine
SHAPE = (4, 32, 32, 3)

pytestmark = pytest.mark.slow
Write = Callable[..., tuple[Path, Path]]


@pytest.fixture
def network(trained: Write, store: str):
    """A network that MLflow holds as the champion."""
    network = build("csn", input_shape=SHAPE, classes=3)
    train, evaluate = trained()
    network.save(train / "model.keras")
    answers = Answers(("A", "B", "C"), {"A/one": "A/one"}, {"A/one": True})
    promote(train, evaluate, answers, tracking_uri=store, test=lambda leads: 0.0)
    return network


@pytest.fixture
def address(network, store: str, tmp_path: Path) -> Iterator[str]:
    """Where the champion is served."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    uri = f"models:/{MODEL}@{CHAMPION}"
    command = ["mlflow", "models", "serve", "-m", uri, "--env-manager", "local"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    served = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        cwd=tmp_path,
        env={**environment, "PATH": path, "MLFLOW_TRACKING_URI": store},
        start_new_session=True,
    )
    yield f"http://127.0.0.1:{port}"
    os.killpg(served.pid, signal.SIGKILL)
    served.wait()


def answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/ping", timeout=5).ok
    except requests.RequestException:
        return False


def test_the_champion_answers_a_window_as_keras_does(network, address):
    deadline = time.monotonic() + START
    while not answers(address):
        assert time.monotonic() < deadline, f"no answer within {START} s"
        time.sleep(0.5)
    window = np.random.default_rng(0).uniform(0, 255, (1, *SHAPE)).astype(np.float32)
    request = {"inputs": window.tolist()}
    answer = requests.post(f"{address}/invocations", json=request, timeout=60)
    assert answer.ok, answer.text
    (probabilities,) = answer.json()["predictions"]
    np.testing.assert_allclose(probabilities, network.predict_on_batch(window)[0], atol=1e-5)
