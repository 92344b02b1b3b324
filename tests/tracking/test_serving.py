"""The champion, served by `mlflow models serve` where this repository is not."""

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from pipeline.inference.answers import answer_document
from pipeline.inference.classifier import Classifier, classify_video
from pipeline.tracking.lookup import CHAMPION_URI
from pipeline.tracking.promotion import Answers, Challenger, promote

START = 240  # seconds; fifteen on an idle machine

pytestmark = pytest.mark.slow
Write = Callable[..., tuple[Path, Path]]


@pytest.fixture
def champion(bundles: Path, trained: Write, store: str) -> Path:
    """The bundle that MLflow holds as the champion."""
    train, evaluate = trained()
    bundle = shutil.copytree(bundles / "rgb", train.parents[1] / "bundle")
    shutil.copy(train / "model.keras", bundle)
    answers = Answers(("A", "B", "C"), {"A/one": "A/one"}, {"A/one": True})
    challenger = Challenger(train, evaluate, answers, bundle)
    promote(challenger, tracking_uri=store, test=None, rematch=None)
    return bundle


@pytest.fixture
def address(champion: Path, store: str, tmp_path: Path) -> Iterator[str]:
    """Where the champion is served."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = ["mlflow", "models", "serve", "-m", CHAMPION_URI, "--env-manager", "local"]
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


def test_the_champion_answers_videos_as_classify_does(
    champion: Path, address: str, film: Callable[..., Path], tmp_path: Path
):
    deadline = time.monotonic() + START
    while not answers(address):
        assert time.monotonic() < deadline, f"no answer within {START} s"
        time.sleep(0.5)
    video = film(tmp_path / "clip.avi", frames=40)
    rows = [
        {"video": base64.b64encode(video.read_bytes()).decode()},
        {"path": str(video)},
        {"path": "nowhere.avi"},
    ]
    request = {"dataframe_records": rows}
    answer = requests.post(f"{address}/invocations", json=request, timeout=60)
    assert answer.ok, answer.text
    by_content, by_path, bad = answer.json()["predictions"]
    answer = classify_video(Classifier.load([champion]), video)
    assert by_content == by_path == answer_document(answer)
    assert "nowhere.avi" in bad["error"]
