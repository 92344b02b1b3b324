"""What the whole of UCF101 takes: `python -m benchmarks.whole_ucf101` on a quiet machine.

The clips at hand, under as many names as UCF101 has (13,320 in 101 classes of 25 groups), as links
in a temporary folder. The stages up to `subset` run for all of them, `extract` for a part; each
architecture then trains some steps on the part's shards, once with its pictures in memory, once
from disk. Writes whole_ucf101.json beside this file: what was measured, and what the whole takes.
"""

import argparse
import csv
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.alone import alone
from pipeline.models import ARCHITECTURES

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).with_suffix(".json")
COUNTS = ROOT / "pipeline/sources/ucf101_classes.csv"
GROUPS = 25
Figures = dict[str, Any]
log = logging.getLogger("benchmarks.whole_ucf101")


def main() -> None:
    """Measure the parts, predict the whole, and write both down."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="whole-") as folder:
        whole, part = Path(folder) / "whole", Path(folder) / "part"
        names = list(official_names())
        make_tree(whole, options.clips, names)
        classes = sorted({name.parent for name in names})[:: options.every]
        some = [name for name in names if name.parent in classes]
        make_tree(part, options.clips, some)
        stages = {
            "whole": [run_stage(whole, stage) for stage in ("snapshot", "download", "subset")],
            "part": [run_stage(part, s) for s in ("snapshot", "download", "subset", "extract")],
        }
        training = [
            alone(train_some, part, architecture, place, options.steps)
            for architecture in ARCHITECTURES
            for place in ("memory", "disk")
        ]
        result = {
            "clips": {"whole": len(names), "part": len(some)},
            "stages": stages,
            "training": training,
            "splits": alone(clips_by_split, whole),
            "predicted": alone(predict, whole, part, stages, training),
        }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    log.info("%s", json.dumps(result, indent=2))


def official_names() -> Iterator[Path]:
    """CLASS/v_CLASS_gGG_cCC.avi for as many clips of each class as UCF101 has."""
    with COUNTS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for number in range(int(row["clips"])):
                group, clip = number % GROUPS + 1, number // GROUPS + 1
                yield Path(row["class"]) / f"v_{row['class']}_g{group:02}_c{clip:02}.avi"


def make_tree(tree: Path, clips: Path, names: list[Path]) -> None:
    """A work tree whose source holds the clips in turn, as links of these names."""
    paths = sorted(clips.resolve().rglob("*.avi"))
    for number, name in enumerate(names):
        link = tree / "clips" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(paths[number % len(paths)])
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["dataset"] |= {"source": str(tree / "clips"), "classes": "all"}
    (tree / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def run_stage(tree: Path, stage: str) -> Figures:
    """Run a stage in the work tree; its seconds, and the peak memory of its largest process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pipeline", stage]
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=tree, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the stage {stage} failed in {tree}")
    seconds = round(time.perf_counter() - started, 1)
    figures = {"stage": stage, "seconds": seconds, "peak_mib": round(used.ru_maxrss / 1024)}
    log.info("%s: %s", tree.name, figures)
    return figures


def train_some(tree: Path, architecture: str, place: str, steps: int) -> Figures:
    """Train on the tree's shards, after an epoch to warm up: windows a second, waits, memory."""
    # Here and below, not above: each process imports this file, and few need TensorFlow.
    from benchmarks.loader import Bench
    from pipeline.params import load_params
    from pipeline.training.data_parallel import divide_threads

    divide_threads(None)
    bench = Bench(load_params(ROOT / "params.yaml"), tree)
    memory = sys.maxsize if place == "memory" else 0
    rate, waited = bench.training(architecture, steps, memory=memory)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "architecture": architecture,
        "pictures_from": place,
        "windows_a_second": round(rate, 1),
        "data_wait_fraction": round(waited, 4),
        "peak_mib": round(peak / 1024),
    }


def clips_by_split(tree: Path) -> Figures:
    """How many clips each of the three official splits trains, validates and tests on."""
    from pipeline.dataset.catalogue import read_catalogue
    from pipeline.dataset.splits import Splitter
    from pipeline.params import load_params
    from pipeline.paths import CATALOGUE

    dataset = load_params(tree / "params.yaml").dataset
    groups = read_catalogue(tree / CATALOGUE)["group"].to_pylist()
    splitters = {
        number: Splitter(number, validation=dataset.validation, test=dataset.test)
        for number in (1, 2, 3)
    }
    return {
        str(number): dict(Counter(splitter.split_of(group) for group in groups))
        for number, splitter in splitters.items()
    }


def predict(whole: Path, part: Path, stages: Figures, training: list[Figures]) -> Figures:
    """What the whole takes, if all grows as the number of clips does."""
    from pipeline.dataset.catalogue import labels, read_catalogue
    from pipeline.params import load_params
    from pipeline.paths import CATALOGUE, SHARDS
    from pipeline.shards.loader import SHARE
    from pipeline.shards.memory import free_memory

    params = load_params(part / "params.yaml")
    catalogue = read_catalogue(whole / CATALOGUE)
    growth = len(catalogue) / len(read_catalogue(part / CATALOGUE))
    trained_on = len(labels(catalogue, "train"))
    extracted = json.loads((part / SHARDS.parent / "metrics.json").read_text(encoding="utf-8"))
    picture = 3 * params.extract.width * params.extract.height
    pictures = picture * extracted["frames"] * growth * trained_on / len(catalogue)
    kept = SHARE * free_memory()
    place = "memory" if pictures <= kept else "disk"
    # Here contents repeat and are decoded once, there all differ.
    unlike = len(catalogue) / len(set(catalogue["sha256"].to_pylist()))
    seconds = {figures["stage"]: figures["seconds"] for figures in stages["part"]}
    return {
        "probing_minutes": round(seconds["subset"] * unlike / 60, 1),
        "extraction_minutes": round(seconds["extract"] * growth / 60, 1),
        "shards_gib": round(
            growth * (extracted["tfrecord_bytes"] + extracted["parquet_bytes"]) / 2**30, 1
        ),
        "decoded_training_pictures_gib": round(pictures / 2**30, 1),
        "kept_in_memory_up_to_gib": round(kept / 2**30, 1),
        "pictures_from": place,
        "minutes_an_epoch": {
            figures["architecture"]: round(trained_on / figures["windows_a_second"] / 60, 1)
            for figures in training
            if figures["pictures_from"] == place
        },
        "peak_training_mib": max(
            figures["peak_mib"] for figures in training if figures["pictures_from"] == place
        ),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, default=ROOT.parent / "shared/ucf101/UCF-101")
    parser.add_argument("--folder", type=Path, help="where to work; unset: the system's for such")
    parser.add_argument("--every", type=int, default=10, help="the part: every n-th class")
    parser.add_argument("--steps", type=int, default=20, help="training steps an architecture")
    return parser.parse_args()


if __name__ == "__main__":
    main()
