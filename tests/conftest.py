"""What all tests share."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import pipeline  # noqa: F401 - first: it sets what TensorFlow reads when it is imported

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
