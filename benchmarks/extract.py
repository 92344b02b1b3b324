"""What extraction costs: run `python -m benchmarks.extract` on a quiet machine.

Writes extract.json beside this file: the time of extraction against that of only decoding the same
clips in as many processes, how time and memory grow with the list, what one more clip costs, what
a second Dask worker brings. Takes twenty minutes on two cores.
"""

import argparse
import hashlib
import json
import logging
import os
import resource
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import cv2

from pipeline.dataset.inspection import inspect
from pipeline.params import Extract, Machine, load_params
from pipeline.shards.build import Clip, build_shards, plan_shards
from pipeline.shards.workers import open_executor
from pipeline.video.pool import process_pool

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).with_suffix(".json")
log = logging.getLogger("benchmarks.extract")


def main() -> None:
    """Measure all, and write it down."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("distributed").setLevel(logging.WARNING)
    params = load_params(ROOT / "params.yaml")
    paths = sorted(options.clips.rglob("*.avi"))[:: options.every]
    (ROOT / ".state").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / ".state", prefix="benchmark-") as folder:
        bench = Bench(Path(folder), paths, params.extract, params.machine)
        result = {
            "workers": bench.workers,
            "clips": len(paths),
            "growth": [bench.extract(times) for times in options.sizes],
            "against_decoding": bench.against_decoding(),
            "one_more_clip": bench.one_more_clip(),
            "dask": bench.dask(),
        }
    # Not above: TensorFlow would count as memory of every worker that starts from here.
    from pipeline.training.hardware import hardware

    result["hardware"] = hardware()
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    log.info("%s", json.dumps(result, indent=2))


class Bench:
    """The measurements share the clips and a folder for shards."""

    def __init__(self, folder: Path, paths: list[Path], how: Extract, machine: Machine) -> None:
        self.folder, self.how = folder, how
        self.workers = machine.workers or os.cpu_count() or 1
        self.machine = machine.model_copy(update={"workers": self.workers})
        self.findings = inspect(paths, folder / "probe", workers=self.workers)
        self.clips = [
            Clip(
                f"{path.parent.name}/{path.stem}",
                path.parent.name,
                path,
                found.sha256,
                p.duration,
            )
            for path, found in zip(paths, self.findings, strict=True)
            if (p := found.probe)
        ]
        self.four = repeated(self.clips, 4)

    def extract(self, times: int) -> dict[str, float]:
        """The list `times` times over, from nothing."""
        listed = repeated(self.clips, times)
        with measured() as figures:
            self._build(listed, f"times{times}")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        figures |= {"times": times, "clips": len(listed), "peak_worker_mib": round(peak, 1)}
        frames = times * sum(found.probe.frames for found in self.findings if found.probe)
        figures["frames_a_second"] = round(frames / figures["seconds"])
        log.info("%s", figures)
        return figures

    def against_decoding(self) -> dict[str, Any]:
        """Decode alone and extract, in turn, each part of the list four times over."""
        decoding, extraction = Counter[str](), Counter[str]()
        for part in range(4):
            with measured() as figures, process_pool(self.workers) as pool:
                list(pool.map(decode_only, [clip.path for clip in self.clips], chunksize=4))
            decoding.update(figures)
            with measured() as figures:
                self._build(self.clips, f"part{part}")
            extraction.update(figures)
        return {
            "decoding": dict(decoding),
            "extraction": dict(extraction),
            "ratio": round(extraction["seconds"] / decoding["seconds"], 2),
            "cpu_ratio": round(extraction["cpu_seconds"] / decoding["cpu_seconds"], 2),
        }

    def one_more_clip(self) -> dict[str, Any]:
        """Extract the list four times over, then with one clip more."""
        with measured() as all_of_it:
            self._build(self.four, "more")
        before = digests(self.folder / "more")
        added = replace(self.clips[0], clip="Added/clip", sha256="0" * 64)
        with measured() as one:
            self._build([*self.four, added], "more")
        made = len(digests(self.folder / "more").keys() - before.keys())
        share = one["seconds"] / all_of_it["seconds"]
        return {"files_made": made, "seconds": one["seconds"], "share_of_all": round(share, 4)}

    def dask(self) -> dict[str, Any]:
        """One worker, two, and two of which one is killed halfway."""
        one, two, killed = (self._dask(*case) for case in ((1, False), (2, False), (2, True)))
        return {
            "one_worker_seconds": one[0],
            "two_workers_seconds": two[0],
            "speedup": round(one[0] / two[0], 2),
            "same_bytes": one[1] == two[1],
            "same_bytes_one_killed": one[1] == killed[1],
        }

    def _build(self, clips: list[Clip], name: str, machine: Machine | None = None) -> None:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        with open_executor(machine or self.machine) as executor:
            build_shards(plan_shards(clips, self.how), self.how, folder, executor)

    def _dask(self, workers: int, kill: bool) -> tuple[float, dict[str, str]]:
        from distributed import LocalCluster

        name = f"dask{workers}{kill}"
        with LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster:
            address = cluster.scheduler_address
            if kill:
                victim = next(iter(cluster.workers.values())).pid
                Thread(target=kill_halfway, args=(self.folder / name, victim), daemon=True).start()
            with measured() as figures:
                machine = self.machine.model_copy(update={"dask_scheduler": address})
                self._build(self.clips, name, machine)
        found = digests(self.folder / name)
        shutil.rmtree(self.folder / name)
        return figures["seconds"], found


def decode_only(path: Path) -> int:
    """Decode all frames of a clip and drop them; their number."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    frames = 0
    while capture.read()[0]:
        frames += 1
    return frames


def repeated(clips: list[Clip], times: int) -> list[Clip]:
    """The clips `times` times over, under other names and contents."""
    return [
        replace(clip, clip=f"{clip.clip}-{n}", sha256=f"{n}{clip.sha256}")
        for n in range(times)
        for clip in clips
    ]


@contextmanager
def measured() -> Iterator[dict[str, Any]]:
    """Wall and processor seconds of what runs inside, that of its child processes too."""
    figures: dict[str, Any] = {}
    start, start_cpu = time.perf_counter(), _cpu_seconds()
    yield figures
    figures["seconds"] = round(time.perf_counter() - start, 2)
    figures["cpu_seconds"] = round(_cpu_seconds() - start_cpu, 2)


def _cpu_seconds() -> float:
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in spent)


def digests(folder: Path) -> dict[str, str]:
    """Hash of each finished shard file below `folder`."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.glob("*/shard.*"))
        if (file.parent / "summary.json").exists()  # else half of it, by a worker that was killed
    }


def kill_halfway(folder: Path, victim: int) -> None:
    """Kill the process once ten shards are finished."""
    while len(list(folder.glob("*/summary.json"))) < 10:
        time.sleep(0.02)
    os.kill(victim, signal.SIGKILL)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, default=ROOT.parent / "shared/ucf101/UCF-101")
    parser.add_argument(
        "--every", type=int, default=1, help="take every n-th clip, for a quick look"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 4, 16])
    return parser.parse_args()


if __name__ == "__main__":
    main()
