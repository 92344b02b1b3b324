"""Training within a limit: `python -m benchmarks.memory --data TREE` in a container of 4 GB.

TREE is a work tree in which `dvc repro extract` has run. Its training clips, repeated under other
names until their decoded pictures exceed what the loader may keep, train for two passes. Writes
memory.json beside this file: the limit, what was free, how large the pictures are, where they were
read from, and the peak memory of the process.
"""

import argparse
import json
import logging
import os
import resource
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from benchmarks.alone import alone
from pipeline.dataset.catalogue import labels, read_catalogue, write_catalogue
from pipeline.paths import CATALOGUE, SHARDS
from pipeline.shards.memory import free_memory

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).with_suffix(".json")
MODEL = "r2plus1d-rgb"
log = logging.getLogger("benchmarks.memory")


def main() -> None:
    """Train a data set that fits, and one that does not."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    result = {
        "free_gib": round(free_memory() / 2**30, 2),
        "trainings": [alone(measured, options.data.resolve(), n) for n in options.copies],
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    log.info("%s", json.dumps(result, indent=2))


def repeat(data: Path, tree: Path, copies: int) -> None:
    """A work tree with every clip of `data` so many times, as rows and records of other names."""
    # Here, as TensorFlow and Keras are needed only in the process that trains.
    from pipeline.shards.tfrecord import TFRecordWriter, read_tfrecord

    names = [f"copy{number}" for number in range(copies)]
    (tree / SHARDS).mkdir(parents=True)
    for path in sorted((data / SHARDS).glob("*.rgb.tfrecord")):
        with TFRecordWriter(tree / SHARDS / path.name, "rgb") as writer:
            for record in read_tfrecord(path):
                for name in names:
                    writer.write(replace(record, clip=f"{record.clip}-{name}"))
    table = read_catalogue(data / CATALOGUE)
    rows = [row | {"clip": f"{row['clip']}-{name}"} for row in table.to_pylist() for name in names]
    (tree / CATALOGUE).parent.mkdir(parents=True)
    write_catalogue(type(table).from_pylist(rows, schema=table.schema), tree / CATALOGUE)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    passes = 2 * len(labels(read_catalogue(tree / CATALOGUE), "train"))
    params["train"] |= {"max_steps": passes // params["train"]["batch_size"], "crop": 64}
    (tree / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def measured(data: Path, copies: int) -> dict[str, Any]:
    """Train in this process, which does nothing else."""
    from pipeline.params import load_params
    from pipeline.shards.batches import Batches
    from pipeline.shards.loader import SHARE
    from pipeline.stages import train

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory(dir=data) as folder:
        repeat(data, Path(folder), copies)
        os.chdir(folder)
        params = load_params(Path("params.yaml"))
        clips = len(labels(Batches(params, MODEL).catalogue, "train"))
        size = 3 * params.extract.width * params.extract.height * params.extract.max_frames
        kept = clips * size <= SHARE * free_memory()
        train.run(params, MODEL)
        os.chdir(data)
    return {
        "clips": clips,
        "pictures_gib": round(clips * size / 2**30, 2),  # at most: clips may be shorter
        "pictures_from": "memory" if kept else "disk",
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the work tree that holds data/")
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 6], help="of each clip")
    return parser.parse_args()


if __name__ == "__main__":
    main()
