"""The champion, served by `mlflow models serve` where this repository is not."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version
from pathlib import Path

import pytest
import requests
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.inference.answers import answer_document
from pipeline.inference.classifier import Classifier, classify_video
from pipeline.tracking.lookup import CHAMPION_URI
from pipeline.tracking.promotion import Answers, Challenger, promote
from tests.inference.example import SAMPLING

START = 240  # seconds; fifteen on an idle machine
UV = Path(sys.executable).with_name("uv")
LITE, VIDEO = ("ai-edge-litert", "numpy"), ("av", "opencv-python-headless")
# Answers frames, and a video, which it cannot decode.
ANSWERS = """
import json, sys
import mlflow, numpy as np
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
frames = np.zeros((20, *json.loads(sys.argv[3]), 3), np.uint8)
print(json.dumps(model.predict([{"frames": frames}, {"path": __import__("os").__file__}])))
"""

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


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes an environment of MLflow and the named packages alone; returns its folder."""

    def make(*packages: str) -> Path:
        folder = tmp_path_factory.mktemp("environment") / "venv"
        pins = [f"{name}=={version(name)}" for name in closure({"mlflow", *packages})]
        # What this environment was made from is in uv's cache, or the test cannot be done.
        install = ["--quiet", "--offline", "--no-deps", "--python", str(folder / "bin/python")]
        for command in (
            ["venv", "-q", "-p", sys.executable, folder],
            ["pip", "install", *install, *pins],
        ):
            done = subprocess.run([UV, *command], cwd=folder.parent, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"a clean environment cannot be made without a network: {done.stderr}")
        return folder

    return make


def closure(names: set[str]) -> list[str]:
    """The packages of these names and all that they need, of those that are installed here."""
    found: dict[str, Distribution] = {}
    waiting = set(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        with suppress(PackageNotFoundError):
            if name not in found:
                found[name] = distribution(name)
                required = map(Requirement, found[name].requires or ())
                waiting |= {
                    each.name
                    for each in required
                    if not each.marker or each.marker.evaluate({"extra": ""})
                }
    return sorted(found)


@contextmanager
def served(programs: Path, store: str, folder: Path) -> Iterator[str]:
    """The address where the champion is served by the MLflow of an environment's programs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = ["mlflow", "models", "serve", "-m", CHAMPION_URI, "--env-manager", "local"]
    # Nothing of what this environment adds, so that a clean one is clean.
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    path = f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin"
    process = subprocess.Popen(
        [programs / command[0], *command[1:], "--host", "127.0.0.1", "--port", str(port)],
        cwd=folder,
        env={**kept, "PATH": path, "MLFLOW_TRACKING_URI": store},
        start_new_session=True,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START
        while not answers(address):
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, f"no answer within {START} s"
            time.sleep(0.5)
        yield address
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/ping", timeout=5).ok
    except requests.RequestException:
        return False


@pytest.mark.parametrize("clean", [False, True], ids=["this environment", "a clean one"])
def test_the_champion_answers_videos_as_classify_does(
    champion: Path,
    environment: Callable[..., Path],
    store: str,
    film: Callable[..., Path],
    tmp_path: Path,
    clean: bool,
) -> None:
    programs = environment(*LITE, *VIDEO) / "bin" if clean else Path(sys.executable).parent
    video = film(tmp_path / "clip.avi", frames=40)
    content = base64.b64encode(video.read_bytes()).decode()
    rows = [{"video": content}, {"path": str(video)}, {"path": "nowhere.avi"}]
    with served(programs, store, tmp_path) as address:
        request = {"dataframe_records": rows}
        answer = requests.post(f"{address}/invocations", json=request, timeout=60)
    assert answer.ok, answer.text
    by_content, by_path, bad = answer.json()["predictions"]
    expected = answer_document(classify_video(Classifier.load([champion]), video))
    assert by_content == by_path == expected
    assert "nowhere.avi" in bad["error"]


def test_frames_are_answered_where_litert_and_numpy_are_alone(
    champion: Path, environment: Callable[..., Path], store: str, tmp_path: Path
) -> None:
    python = environment(*LITE) / "bin/python"
    size = [SAMPLING.height, SAMPLING.width]
    done = subprocess.run(
        [python, "-I", "-c", ANSWERS, store, CHAMPION_URI, json.dumps(size)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    frames, video = json.loads(done.stdout)
    assert frames["seconds"] == 2.5
    assert "No module named" in video["error"]
