"""What extraction costs: run `python -m benchmarks.extract` on a quiet machine.

Writes extract.json beside this file: the time of extraction against that of only decoding the same
clips in as many processes, how time and memory grow with the list, what one more clip costs, what
a second Dask worker brings, what becomes of broken files. Takes twenty minutes on two cores.
"""

import argparse
import hashlib
import json
import logging
import os
import random
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
            "broken": bench.broken(options.broken),
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

    def broken(self, count: int) -> dict[str, Any]:
        """Break `count` clips in the ways listed below; say which pass, and for what."""
        folder = self.folder / "broken"
        folder.mkdir()
        chance = random.Random(0)
        ways, paths = list(WAYS), []
        for number in range(count):
            source = chance.choice(self.clips).path
            path = folder / f"{number:03}-{ways[number % len(ways)]}.avi"
            path.write_bytes(WAYS[ways[number % len(ways)]](source.read_bytes(), chance))
            paths.append((path, source))
        findings = inspect([path for path, _ in paths], folder / "probe", workers=self.workers)
        passed = [each for each, found in zip(paths, findings, strict=True) if found.probe]
        return {
            "files": count,
            "refused": count - len(passed),
            "without_a_reason": sum(not found.probe and not found.reason for found in findings),
            "passed_with_the_same_frames": sum(pixels(a) == pixels(b) for a, b in passed),
            "passed_with_other_frames": [a.name for a, b in passed if pixels(a) != pixels(b)],
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
                machine = self.machine.model_copy(update={"scheduler": address})
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


def pixels(path: Path) -> str:
    """Hash of all decoded frames."""
    capture, digest = cv2.VideoCapture(str(path)), hashlib.sha256()
    while (read := capture.read())[0]:
        digest.update(read[1])
    return digest.hexdigest()


def _damaged(data: bytes, chance: random.Random, size: int, filler: bytes | None) -> bytes:
    start = chance.randrange(len(data) - size)
    return data[:start] + (filler or chance.randbytes(size)) + data[start + size :]


WAYS = {
    "empty": lambda data, chance: b"",
    "one-byte": lambda data, chance: data[:1],
    "text": lambda data, chance: b"this is not a video\n" * 50,
    "noise": lambda data, chance: chance.randbytes(len(data)),
    "head-only": lambda data, chance: data[:4096],
    "cut-in-half": lambda data, chance: data[: len(data) // 2],
    "cut-short": lambda data, chance: data[: -chance.randrange(1, 20_000)],
    "no-head": lambda data, chance: data[2048:],
    "zeroed-head": lambda data, chance: bytes(2048) + data[2048:],
    "zeroed-sector": lambda data, chance: _damaged(data, chance, 4096, bytes(4096)),
    "noisy-sector": lambda data, chance: _damaged(data, chance, 4096, None),
    "noisy-bytes": lambda data, chance: _damaged(data, chance, 16, None),
    "missing-sector": lambda data, chance: data[: len(data) // 3] + data[len(data) // 3 + 4096 :],
    "doubled-sector": lambda data, chance: data[: len(data) // 2] + data[len(data) // 2 - 4096 :],
    "trailing-noise": lambda data, chance: data + chance.randbytes(5000),
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, default=ROOT.parent / "shared/ucf101/UCF-101")
    parser.add_argument(
        "--every", type=int, default=1, help="take every n-th clip, for a quick look"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--broken", type=int, default=105)
    return parser.parse_args()


if __name__ == "__main__":
    main()
