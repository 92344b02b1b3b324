"""What the loader feeds: run `python -m benchmarks.loader` once `dvc repro extract` has run.

Writes loader.json beside this file: windows a second from disk and from memory, against those that
the fastest architecture trains, and the share of its time that training waits for data.
"""

import argparse
import json
import logging
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.dataset.catalogue import class_names, labels, read_catalogue
from pipeline.models import ARCHITECTURES, build
from pipeline.params import Params, load_params
from pipeline.paths import CATALOGUE, SHARDS
from pipeline.shards.batches import window_spec
from pipeline.shards.loader import training_windows
from pipeline.training.data_parallel import divide_threads
from pipeline.training.fit import Learner
from pipeline.training.hardware import hardware

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).with_suffix(".json")
TARGET = 10  # times as fast as training
ROUNDS = 3
Rates = dict[str, float]
log = logging.getLogger("benchmarks.loader")


def main() -> None:
    """Measure both sides in one run, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT, help="the work tree that holds data/")
    parser.add_argument("--steps", type=int, default=20, help="training steps an architecture")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    divide_threads(None)
    bench = Bench(load_params(ROOT / "params.yaml"), options.data)
    # In turns, so that a machine that is slower for a while is so for both sides.
    rounds = [bench.round(options.steps) for _ in range(ROUNDS)]
    training, waited, loading = (_medians(side) for side in zip(*rounds, strict=True))
    result = {
        "hardware": hardware(),
        "rounds": ROUNDS,
        "training_windows_a_second": training,
        "data_wait_fraction": waited,
        "loading_windows_a_second": loading,
        "from_disk_over_fastest_training": round(
            statistics.median(
                load["rgb, from disk"] / max(train.values()) for train, _, load in rounds
            ),
            2,
        ),
        "target": TARGET,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    log.info("%s", json.dumps(result, indent=2))


class Bench:
    """The clips of a data set's training split, and how the params look at them."""

    def __init__(self, params: Params, data: Path) -> None:
        self.params, self.train = params, params.train
        self.shards = data / SHARDS
        catalogue = read_catalogue(data / CATALOGUE)
        self.classes, self.labels = len(class_names(catalogue)), labels(catalogue, "train")

    def round(self, steps: int) -> tuple[Rates, Rates, Rates]:
        """Windows a second and shares waited of each training, windows a second of each loading."""
        trained = {name: self.training(name, steps) for name in ARCHITECTURES}
        loaded = {
            f"{stream}, {place}": self.loading(stream, memory)
            for stream in ("rgb", "flow")
            for place, memory in (("from disk", 0), ("from memory", sys.maxsize))
        }
        rates, waited = ({name: pair[i] for name, pair in trained.items()} for i in (0, 1))
        return rates, waited, loaded

    def loading(self, stream: Any, memory: int) -> float:
        """Windows a second with nothing else to do, after one epoch to warm up."""
        steps = len(self.labels) // self.train.batch_size
        batches = self._batches(stream, memory=memory, epochs=4)
        take(batches, steps)
        start = time.perf_counter()
        take(batches, 3 * steps)
        rate = 3 * steps * self.train.batch_size / (time.perf_counter() - start)
        log.info("%s, %d bytes kept: %.0f windows a second", stream, memory, rate)
        return rate

    def training(
        self, architecture: str, steps: int, *, memory: int = sys.maxsize
    ) -> tuple[float, float]:
        """Windows a second that a network trains, and the share of time that it waits for them."""
        shape = (self.train.frames, self.train.crop, self.train.crop, 3)
        network = build(architecture, input_shape=shape, classes=self.classes)
        learner = Learner(network, settings=self.train, steps_per_epoch=steps)
        batches, waited = self._batches("rgb", memory=memory, epochs=1000), 0.0
        take(batches, len(self.labels) // self.train.batch_size)
        float(learner.step(*next(batches))["loss"])
        start = time.perf_counter()
        for _ in range(steps):
            asked = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - asked
            float(learner.step(*batch)["loss"])  # done when there is a number
        seconds = time.perf_counter() - start
        rate = steps * self.train.batch_size / seconds
        log.info(
            "%s: %.1f windows a second, waits %.2f %%", architecture, rate, 100 * waited / seconds
        )
        return rate, waited / seconds

    def _batches(self, stream: Any, *, memory: int, epochs: int) -> Iterator[Any]:
        windows = training_windows(
            sorted(self.shards.glob(f"*.{stream}.tfrecord")),
            self.labels,
            window_spec(self.params, stream),
            batch_size=self.train.batch_size,
            seed=0,
            epochs=epochs,
            memory=memory,
        )
        return iter(windows)


def _medians(rounds: Sequence[Rates]) -> Rates:
    return {name: round(statistics.median(each[name] for each in rounds), 4) for name in rounds[0]}


def take(batches: Iterator[Any], count: int) -> None:
    """Go past `count` batches."""
    for _ in range(count):
        next(batches)


if __name__ == "__main__":
    main()
