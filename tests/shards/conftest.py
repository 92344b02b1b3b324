"""What the tests of shards share."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.params import Extract
from pipeline.shards.build import Clip, build_shards, place_shards, plan_shards


@pytest.fixture(scope="session")
def how() -> Extract:
    return Extract(fps=8.0, max_frames=12, width=32, height=24, jpeg_quality=90, shards=4)


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
