"""Beside TensorFlow's video-classification tutorial: `python -m benchmarks.tutorial --data TREE`.

TREE is a work tree in which `dvc repro extract` has run for real clips. Writes tutorial.json beside
this file: the test accuracy by minutes of a network and a training as the tutorial describes them,
and of ours, on the same clips, splits and cores. What both start from is made beforehand: ours from
shards, theirs from the clips' frames in the tutorial's size. Run it on a quiet machine.
"""

import argparse
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import layers
from tqdm import tqdm

from benchmarks.alone import alone
from pipeline.dataset.catalogue import kept
from pipeline.evaluation.predict import inference, predict
from pipeline.evaluation.predictions import Predictions
from pipeline.models import build
from pipeline.models.layers import fold_time, unfold_time
from pipeline.params import Params, load_params
from pipeline.shards.batches import Batches
from pipeline.stages.train import VALIDATION_WINDOWS
from pipeline.training.data_parallel import divide_threads
from pipeline.training.fit import fit
from pipeline.training.hardware import hardware
from pipeline.video.pool import process_pool

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).with_suffix(".json")
MODEL = "r2plus1d-rgb"
# The tutorial's numbers.
FRAMES, FRAME_STEP, SIDE, BATCH, LEARNING_RATE = 10, 15, 224, 8, 1e-4
Rows = list[dict[str, Any]]
log = logging.getLogger("benchmarks.tutorial")


def main() -> None:
    """Train both, one after the other, and write down what they reached."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    minutes = sorted(options.minutes)
    result = {
        "hardware": hardware(),
        "clips": alone(clips, options.data),
        "ours": alone(ours, options.data, minutes),
        "tutorial": alone(tutorials, options.data, minutes),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    log.info("%s", json.dumps(result, indent=2))


def windows_in(tree: Path) -> tuple[Params, Batches]:
    """The settings, and the clips of the work tree, which becomes the current folder."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    params = load_params(ROOT / "params.yaml")
    os.chdir(tree)  # where the stages find what they made
    return params, Batches(params, MODEL)


def clips(tree: Path) -> dict[str, int]:
    """What both are trained and tested on."""
    params, windows = windows_in(tree)
    return {
        "classes": len(windows.classes),
        "train": len(of_split(windows, "train")),
        "test": len(of_split(windows, "test")),
        "windows_a_test_clip": params.evaluate.windows,
    }


def of_split(windows: Batches, split: str) -> list[dict[str, Any]]:
    """The catalogue's rows of the clips in use of a split."""
    return [row for row in kept(windows.catalogue).to_pylist() if row["split"] == split]


def row(minutes: float, steps: int, predictions: Predictions) -> dict[str, Any]:
    """What a network had reached after so many minutes."""
    reached = {
        "minutes": minutes,
        "steps": steps,
        "clip_accuracy": round(predictions.accuracy, 4),
        "video_accuracy": round(predictions.by_clip().accuracy, 4),
    }
    log.info("%s", reached)
    return reached


# Ours


def ours(tree: Path, minutes: Sequence[float]) -> dict[str, Any]:
    """Our (2+1)D network, trained as the stage `train` does: once for each budget of minutes."""
    divide_threads(None)
    params, windows = windows_in(tree)
    found = [_ours_within(each, params, windows) for each in minutes]
    return {"parameters": found[0]["parameters"], "by_minutes": [each["row"] for each in found]}


def _ours_within(minutes: float, params: Params, windows: Batches) -> dict[str, Any]:
    """Train anew for so many minutes, and evaluate on the test split."""
    network = build(
        windows.model.architecture, input_shape=windows.spec.shape, classes=len(windows.classes)
    )
    validation = windows.evaluation("validation", VALIDATION_WINDOWS).map(lambda x, y, clip: (x, y))
    with tempfile.TemporaryDirectory() as state:
        training = fit(
            network,
            train=windows.training,
            steps_per_epoch=windows.steps_per_epoch,
            validation=validation,
            settings=params.train.model_copy(update={"max_minutes": minutes}),
            state=Path(state),
        )
    predictions = predict(
        inference(network),
        windows.evaluation("test", params.evaluate.windows),
        classes=windows.classes,
        groups=windows.groups,
    )
    reached = row(minutes, training.steps, predictions) | {"stopped_by": training.stopped_by}
    return {"parameters": network.count_params(), "row": reached}


# The tutorial's


def tutorials(tree: Path, minutes: Sequence[float]) -> dict[str, Any]:
    """The tutorial's network, trained as it says."""
    params, windows = windows_in(tree)
    return Tutorial(windows, params.evaluate.windows).result(minutes)


class Tutorial:
    """The network and its training as the tutorial describes them; a window a clip an epoch."""

    def __init__(self, windows: Batches, test_windows: int) -> None:
        self.windows, self.test_windows = windows, test_windows
        self.chance = np.random.default_rng(0)
        self.train, self.test = (of_split(windows, split) for split in ("train", "test"))
        paths = [Path(row["path"]) for row in (*self.train, *self.test)]
        with process_pool(os.cpu_count() or 1) as pool:
            read = tqdm(pool.map(jpegs, paths, chunksize=4), desc="frames", total=len(paths))
            self.frames = dict(zip(paths, read, strict=True))

    def result(self, minutes: Sequence[float]) -> dict[str, Any]:
        """Train for the longest of `minutes`, judge after each."""
        keras.utils.set_random_seed(0)
        network = tutorial_network(len(self.windows.classes))
        network.compile(
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            optimizer=keras.optimizers.Adam(LEARNING_RATE),
        )
        rows: Rows = []
        seconds, steps, batches = 0.0, 0, iter(self._training())
        for limit in minutes:
            while seconds < 60 * limit:
                started = time.perf_counter()
                network.train_on_batch(*next(batches))
                seconds += time.perf_counter() - started
                steps += 1
            rows.append(row(limit, steps, self._predictions(network)))
        return {"parameters": network.count_params(), "by_minutes": rows}

    def _training(self) -> tf.data.Dataset:
        def forever() -> Iterator[tuple[np.ndarray, int]]:
            while True:
                for place in self.chance.permutation(len(self.train)):
                    yield self._window(self.train[place])

        return self._batches(forever)

    def _predictions(self, network: keras.Model) -> Predictions:
        rows = [row for row in self.test for _ in range(self.test_windows)]
        infer = inference(network)
        batches = self._batches(lambda: map(self._window, rows))
        logits = np.concatenate([infer(x).numpy() for x, _ in batches])
        return Predictions(
            classes=self.windows.classes,
            clips=np.array([row["clip"] for row in rows]),
            groups=np.array([row["group"] for row in rows]),
            labels=np.array([self._label(row) for row in rows]),
            probabilities=tf.nn.softmax(logits).numpy(),
        )

    def _batches(self, windows: Callable[[], Iterator[Any]]) -> tf.data.Dataset:
        shape = tf.TensorSpec((FRAMES, SIDE, SIDE, 3), tf.float32)
        signature = (shape, tf.TensorSpec((), tf.int32))
        rows = tf.data.Dataset.from_generator(windows, output_signature=signature)
        return rows.batch(BATCH).prefetch(1)

    def _window(self, row: dict[str, Any]) -> tuple[np.ndarray, int]:
        """From a random frame on, every 15th; black where the clip has ended."""
        frames = self.frames[Path(row["path"])]
        latest = max(len(frames) - 1 - (FRAMES - 1) * FRAME_STEP, 0)
        start = self.chance.integers(latest + 1)
        window = np.zeros((FRAMES, SIDE, SIDE, 3), np.float32)
        for place, jpeg in enumerate(frames[start::FRAME_STEP][:FRAMES]):
            window[place] = padded(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))
        return window, self._label(row)

    def _label(self, row: dict[str, Any]) -> int:
        return self.windows.classes.index(row["class_name"])


def jpegs(path: Path) -> list[bytes]:
    """All frames of a clip, their longer side SIDE pixels."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    found = []
    while (read := capture.read())[0]:
        scale = SIDE / max(read[1].shape)
        small = cv2.resize(read[1], None, fx=scale, fy=scale)
        found.append(cv2.imencode(".jpg", small)[1].tobytes())
    return found


def padded(frame: np.ndarray) -> np.ndarray:
    """A BGR frame as RGB in [0, 1], in the middle of a black square."""
    rows, columns = SIDE - frame.shape[0], SIDE - frame.shape[1]
    sides = ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0))
    return np.pad(frame[..., ::-1], sides).astype(np.float32) / 255


def tutorial_network(classes: int) -> keras.Model:
    """(2+1)D residual network: bilinear resizing, layer normalization, logits."""
    inputs = keras.Input((FRAMES, SIDE, SIDE, 3))
    x = conv2plus1d(inputs, 16, 7)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for number, filters in enumerate((16, 32, 64, 128), start=1):
        x = resized(x, SIDE // 2**number)
        x = residual(x, filters)
    x = layers.GlobalAveragePooling3D()(x)
    return keras.Model(inputs, layers.Dense(classes)(x), name="tutorial")


def conv2plus1d(x: Any, filters: int, size: int) -> Any:
    """A convolution in space, then one in time, with nothing between."""
    x = layers.Conv3D(filters, (1, size, size), padding="same")(x)
    return layers.Conv3D(filters, (3, 1, 1), padding="same")(x)


def residual(x: Any, filters: int) -> Any:
    """Two (2+1)D convolutions beside a shortcut."""
    branch = layers.ReLU()(layers.LayerNormalization()(conv2plus1d(x, filters, 3)))
    branch = layers.LayerNormalization()(conv2plus1d(branch, filters, 3))
    if x.shape[-1] != filters:
        x = layers.LayerNormalization()(layers.Dense(filters)(x))
    return layers.add([x, branch])


def resized(x: Any, side: int) -> Any:
    """Each frame at `side` × `side`."""
    return unfold_time(layers.Resizing(side, side)(fold_time(x)), x.shape[1])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the work tree that holds data/")
    parser.add_argument(
        "--minutes", type=float, nargs="+", default=[2, 5, 15], help="when to judge them"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
