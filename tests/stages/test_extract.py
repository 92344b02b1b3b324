"""The stage as it runs: with processes, killed halfway, and on a Dask cluster."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
import yaml

from pipeline.dataset.catalogue import build_catalogue, write_catalogue
from pipeline.errors import ShardError
from pipeline.params import Params, load_params
from pipeline.stages import extract

ROOT = Path(__file__).parents[2]
CLIPS = 48
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def clip(film, tmp_path_factory):
    return film(tmp_path_factory.mktemp("film") / "clip.avi", frames=250, width=128, height=96)


@pytest.fixture
def place(clip, tmp_path, monkeypatch):
    """A work tree in `tmp_path` with a catalogue of CLIPS clips and one that is gone."""
    rows = [
        {"clip": f"class{n % 2}/clip{n}", "class_name": f"class{n % 2}", "sha256": f"{n:064}"}
        | {"path": str(clip), "frames": 250, "duration": 10.0, "kept": n != 5}
        for n in range(CLIPS)
    ]
    rows.append(rows[0] | {"clip": "class0/gone", "path": "gone.avi"})
    write_catalogue(build_catalogue(rows), tmp_path / extract.CATALOGUE)
    document = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    document["extract"] |= {"shards": 16, "width": 64, "height": 48}
    document["train"] |= {"crop": 32}
    document["machine"] |= {"workers": 2, "timeout": 10}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def with_machine(**changes) -> Params:
    params = load_params(Path("params.yaml"))
    return params.model_copy(update={"machine": params.machine.model_copy(update=changes)})


def outputs() -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in extract.EXTRACT.rglob("*") if file.is_file()}


def finished() -> list[Path]:
    return list(Path(".state/shards").glob("*/summary.json"))


def wait_for(condition, seconds=180.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


@pytest.fixture
def expected(place, monkeypatch) -> dict[str, bytes]:
    """What the stage makes in one thread, undisturbed."""
    with monkeypatch.context() as patch:
        patch.setattr(extract, "open_executor", lambda _: ThreadPoolExecutor(1))
        extract.run(with_machine())
    found = outputs()
    shutil.rmtree(".state")
    shutil.rmtree("data/extract")
    return found


@pytest.mark.parametrize("workers", [2, 8])
def test_any_number_of_workers_gives_the_same_files(expected, workers):
    extract.run(with_machine(workers=workers))
    assert outputs() == expected


def test_metrics_count_what_was_made_and_name_what_was_not(place, monkeypatch):
    monkeypatch.setattr(extract, "open_executor", lambda _: ThreadPoolExecutor(1))
    extract.run(with_machine())
    metrics = json.loads((extract.EXTRACT / "metrics.json").read_text(encoding="utf-8"))
    files = sorted((extract.EXTRACT / "tfrecord").iterdir())
    streams = [file for file in files if file.name.endswith(".rgb.tfrecord")]
    assert metrics["clips"] == CLIPS - 1
    assert metrics["frames"] == 64 * (CLIPS - 1)
    assert metrics["shards"] == len(streams) == len(files) / 2
    assert metrics["tfrecord_bytes"] == sum(file.stat().st_size for file in files)
    assert list(metrics["failed"]) == ["class0/gone"]
    assert "cannot be opened" in metrics["failed"]["class0/gone"]


def test_killed_and_run_again_it_goes_on_and_ends_the_same(expected):
    killed = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "extract"], env=ENVIRONMENT, stderr=subprocess.DEVNULL
    )
    wait_for(lambda: len(finished()) >= 2)
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    time.sleep(0.3)  # until its workers notice
    before = {file: file.stat().st_mtime_ns for file in finished()}
    assert len(before) < 16
    extract.run(with_machine())
    kept = [file for file in before if file.stat().st_mtime_ns == before[file]]
    assert len(kept) >= len(before) - 1  # the one with the clip that is gone is tried again
    assert outputs() == expected


def test_nothing_answers_at_the_scheduler_s_address(place):
    with pytest.raises(ShardError, match=r"tcp://127\.0\.0\.1:9"):
        extract.run(with_machine(dask_scheduler="tcp://127.0.0.1:9", timeout=0.5))


@contextmanager
def dask(program: str, *arguments: str):
    command = [sys.executable, "-m", f"distributed.cli.dask_{program}", *arguments]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*command, "--no-dashboard"], env=ENVIRONMENT, **quiet)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def cluster(tmp_path):
    """A scheduler on loopback: its address, and two worker processes."""
    file = tmp_path / "scheduler.json"
    join = ("--scheduler-file", str(file), "--nthreads", "1", "--no-nanny")
    join += ("--death-timeout", "60")  # none outlives a scheduler that is gone
    with dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)):
        wait_for(file.exists)
        with dask("worker", *join) as first, dask("worker", *join) as second:
            yield json.loads(file.read_text(encoding="utf-8"))["address"], [first, second]


def test_a_cluster_that_loses_a_worker_makes_the_same_files(expected, cluster):
    address, workers = cluster

    def lose_a_worker():
        wait_for(lambda: len(finished()) >= 3)
        workers[0].kill()

    killer = Thread(target=lose_a_worker)
    killer.start()
    extract.run(with_machine(dask_scheduler=address, timeout=120.0))
    killer.join()
    assert workers[0].wait(5) == -signal.SIGKILL
    assert workers[1].poll() is None
    assert outputs() == expected
