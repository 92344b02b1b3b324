"""What all tests share."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import pipeline  # noqa: F401 - first: it sets what TensorFlow reads when it is imported
from pipeline.params import Extract
from pipeline.shards.build import Clip, build_shards, place_shards, plan_shards
from tests.inference.example import SAMPLING, write_bundle

ROOT = Path(__file__).parents[1]

# No test depends on how fast or busy the machine is.
settings.register_profile(
    "project", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("project")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the end-to-end tests first, since they take longest, and mark them slow."""
    for item in items:
        if item.path.parent.name in ("end_to_end", "docker"):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips, weights and pictures beside the repository, where there is one."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"real data is not here: no folder {folder}")
    return folder


@pytest.fixture(scope="session")
def film() -> Callable[..., Path]:
    """Writes a small clip: a smooth pattern that moves right by `speed` pixels a frame."""

    def write(path: Path, *, frames=20, fps=25.0, width=64, height=48, speed=1) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(len(path.name)).integers(0, 255, (12, 64, 3), np.uint8)
        scene = cv2.resize(noise, (4 * width, height), interpolation=cv2.INTER_CUBIC)
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (width, height))
        for index in range(frames):
            writer.write(np.ascontiguousarray(np.roll(scene, speed * index, axis=1)[:, :width]))
        writer.release()
        return path

    return write


@pytest.fixture(scope="session")
def how() -> Extract:
    return Extract(**asdict(SAMPLING), shards=4)


@pytest.fixture(scope="session")
def clips(film, tmp_path_factory) -> list[Clip]:
    """Nine clips of three classes, ten sampled frames each; clip 4 has four."""
    folder = tmp_path_factory.mktemp("clips")
    found = []
    for number in range(9):
        name, frames = f"class{number % 3}/clip{number}", 10 if number == 4 else 30
        path = film(folder / f"{name}.avi", frames=frames, speed=number % 3 - 1)
        found.append(Clip(name, f"class{number % 3}", path, f"{number:064}", frames / 25.0))
    return found


@pytest.fixture(scope="session")
def shards(clips, how, tmp_path_factory) -> Path:
    """A folder with the clips' shards: made, and placed under `placed`."""
    folder = tmp_path_factory.mktemp("shards")
    planned = plan_shards(clips, how)
    with ThreadPoolExecutor(1) as executor:
        summaries = build_shards(planned, how, folder, executor)
    place_shards(planned, summaries, made=folder, placed=folder / "placed", count=how.shards)
    return folder


@pytest.fixture(scope="session")
def bundles(tmp_path_factory) -> Path:
    """A folder with the bundles of two small networks, `rgb` and `flow`."""
    folder = tmp_path_factory.mktemp("bundles")
    for stream in ("rgb", "flow"):
        write_bundle(folder / stream, stream=stream)
    return folder
