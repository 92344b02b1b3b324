"""How fast training is: `python -m benchmarks.training --torch-python PYTHON` on a quiet machine.

PYTHON is that of an environment with benchmarks/requirements-torch.txt. Writes training.json beside
this file: windows a second of the four architectures as pipeline.training.fit trains them, beside
the same networks in PyTorch, by turns, on the same cores. Both sides blend windows (mixup), average
their weights and take AdamW's step; both have their windows in memory. Takes eight minutes.
"""

import argparse
import json
import logging
import math
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from pipeline.models import ARCHITECTURES, build
from pipeline.models.layers import with_change
from pipeline.params import Train, load_params
from pipeline.training.data_parallel import divide_threads
from pipeline.training.fit import Learner
from pipeline.training.hardware import hardware

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).with_suffix(".json")
CLASSES = 6
THREADS = len(os.sched_getaffinity(0))
OURS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
LAYOUTS = ("contiguous", "channels_last")
TOLERANCE = 1e-4
TRAINED_IN = "float32"  # by pipeline.stages.train, on CPUs
KINDS: dict[type, str] = {
    layers.Conv2D: "convolution2d",
    layers.Conv3D: "convolution3d",
    layers.Dense: "dense",
    layers.LSTM: "lstm",
}
TAPS = 3  # in time, of CSN's depthwise kernels
Rates = dict[str, list[float]]
log = logging.getLogger("benchmarks.training")


def main() -> None:
    """Measure each architecture on both sides, and write it down."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    divide_threads(None)
    settings = load_params(ROOT / "params.yaml").train
    torch = Torch(options.torch_python, "benchmarks.torch_training")
    result = {
        "hardware": hardware(),
        "threads": THREADS,
        "tensorflow": tf.__version__,
        "torch": torch.ask("version", threads=THREADS),
        "batch_size": settings.batch_size,
        "architectures": {
            name: measured(name, settings, torch, options) for name in options.architectures
        },
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    log.info("%s", json.dumps(result, indent=2))


class Torch:
    """A process that does as it is asked in PyTorch, and sleeps until then."""

    def __init__(self, python: Path, module: str) -> None:
        command = [str(python), "-m", module]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, method: str, **arguments: Any) -> Any:
        """The answer of the method of the module's Worker."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"ask": method, **arguments}) + "\n")
        self.process.stdin.flush()
        if not (answer := self.process.stdout.readline()):
            raise SystemExit("PyTorch's side has ended; what it said stands above")
        return json.loads(answer)


def measured(
    name: str, settings: Train, torch: Torch, options: argparse.Namespace
) -> dict[str, Any]:
    """All about an architecture: that the twins are equal, and how fast they train."""
    twins = equality(name, settings, torch)
    contestants = {**ours(name, settings), **theirs(name, settings, torch)}
    for train in contestants.values():
        train(1)  # to trace and to warm up
    rates: Rates = {each: [] for each in contestants}
    for _ in range(options.rounds):
        for each in worth_a_turn(rates):
            started = time.perf_counter()
            contestants[each](options.steps)
            seconds = time.perf_counter() - started
            rates[each].append(options.steps * settings.batch_size / seconds)
            log.info("%s: %s: %.1f windows a second", name, each, rates[each][-1])
    return {**twins, **compared(rates)}


def worth_a_turn(rates: Rates) -> list[str]:
    """All that have a chance: none whose first turn was half as fast as their own side's best."""
    first = {each: values[0] for each, values in rates.items() if values}

    def has_a_chance(each: str) -> bool:
        return first[each] > max(first[other] for other in first if side(other) == side(each)) / 2

    return [each for each in rates if each not in first or has_a_chance(each)]


def side(contestant: str) -> str:
    """`ours` or `torch`."""
    return contestant.partition(",")[0]


def equality(name: str, settings: Train, torch: Torch) -> dict[str, Any]:
    """Parameters of both twins, and by how much their probabilities differ for equal weights.

    TensorFlow pads a strided layer behind, PyTorch before: the twin gets all of it mirrored, frames
    and changes, since a change in mirrored time is another.
    """
    network = build(name, input_shape=shape(settings)[1:], classes=CLASSES, dropout=0.0)
    windows = 255 * np.random.default_rng(0).random((2, *shape(settings)[1:]), np.float32)
    # Where there is an LSTM, time has a direction and is not strided.
    axes = (2, 3) if name.endswith("lstm") else (1, 2, 3)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "twin.npz"
        changed = with_change(tf.constant(windows) / 127.5 - 1).numpy()
        mirrored = np.moveaxis(np.flip(changed, axes), -1, 1)
        np.savez(file, allow_pickle=False, windows=mirrored, **exported(network))
        twin = torch.ask("probabilities", architecture=name, classes=CLASSES, file=str(file))
    probabilities = network(windows, training=True).numpy()
    difference = float(np.abs(probabilities - twin["probabilities"]).max())
    parameters = sum(int(np.prod(each.shape)) for each in network.trainable_variables)
    if parameters != twin["parameters"] or difference > TOLERANCE:
        raise SystemExit(
            f"{name} has {parameters} parameters, its twin {twin['parameters']}; for equal weights "
            f"their probabilities differ by {difference:.1g}: make benchmarks/torch_networks.py "
            "what pipeline/models is"
        )
    return {"parameters": parameters, "probabilities_differ_by": difference}


def exported(network: keras.Model) -> dict[str, np.ndarray]:
    """Mirrored weights as PyTorch has them, as `KIND/NUMBER/WEIGHT`, in order of definition."""
    numbers, arrays = Counter[str](), {}
    # Keras numbers layers as they are made: conv3d, conv3d_1, ..., conv3d_10.
    defined = sorted(network.layers, key=lambda layer: (len(layer.name), layer.name))
    for layer in defined:
        if kind := KINDS.get(type(layer)):
            for place, weight in enumerate(layer.trainable_variables):
                arrays[f"{kind}/{numbers[kind]}/{place}"] = transposed(weight.numpy())
            numbers[kind] += 1
    # Each depthwise kernel is TAPS layers of [H, W, channels, 1].
    taps = [each.kernel.numpy() for each in defined if type(each) is layers.DepthwiseConv2D]
    for number in range(len(taps) // TAPS):
        kernel = np.stack(taps[TAPS * number : TAPS * (number + 1)])
        arrays[f"depthwise/{number}/0"] = transposed(kernel.swapaxes(-1, -2))
    return arrays


def transposed(weight: np.ndarray) -> np.ndarray:
    """A weight [*kernel, inputs, outputs] mirrored as [outputs, inputs, *kernel]."""
    kernel = range(weight.ndim - 2)
    return np.flip(weight, tuple(kernel)).transpose(-1, -2, *kernel) if weight.ndim > 1 else weight


def ours(name: str, settings: Train) -> dict[str, Callable[[int], None]]:
    """Functions that train so many steps with the project's own Learner, by precision."""
    return {f"ours, {precision}": _ours(name, settings, precision) for precision in OURS}


def _ours(name: str, settings: Train, precision: str) -> Callable[[int], None]:
    keras.config.set_dtype_policy(OURS[precision])
    network = build(name, input_shape=shape(settings)[1:], classes=CLASSES)
    keras.config.set_dtype_policy("float32")
    learner = Learner(network, settings=settings, steps_per_epoch=100)
    x = 255 * tf.random.uniform(shape(settings))
    labels = tf.range(settings.batch_size) % CLASSES

    def train(steps: int) -> None:
        for _ in range(steps):
            loss = float(learner.step(x, labels)["loss"])
            if not math.isfinite(loss):
                log.warning("%s in %s: the loss is %s", name, precision, loss)

    return train


def theirs(name: str, settings: Train, torch: Torch) -> dict[str, Callable[[int], None]]:
    """The same in PyTorch, by precision and layout of memory."""
    return {
        f"torch, {precision}, {layout}": _theirs(name, settings, torch, precision, layout)
        for precision in OURS
        for layout in LAYOUTS
    }


def _theirs(
    name: str, settings: Train, torch: Torch, precision: str, layout: str
) -> Callable[[int], None]:
    key = f"{name}, {precision}, {layout}"
    torch.ask(
        "prepare",
        name=key,
        architecture=name,
        shape=shape(settings),
        classes=CLASSES,
        settings=settings.model_dump(),
        precision=precision,
        layout=layout,
    )
    return lambda steps: torch.ask("train", name=key, steps=steps)


def compared(rates: Rates, unit: str = "windows_a_second") -> dict[str, Any]:
    """Medians of all, and ours in the precision of training over PyTorch's best, by turns."""
    medians = {each: round(median(values), 1) for each, values in rates.items()}
    best = max((each for each in medians if each.startswith("torch")), key=medians.__getitem__)
    pairs = zip(rates[f"ours, {TRAINED_IN}"], rates[best], strict=True)
    ratios = sorted(one / other for one, other in pairs)
    return {
        unit: medians,
        "best_of_torch": best,
        "ratio": round(median(ratios), 2),
        "least_and_greatest_ratio": [round(ratios[0], 2), round(ratios[-1], 2)],
    }


def shape(settings: Train) -> tuple[int, ...]:
    """[batch, T, H, W, C] of a batch."""
    return settings.batch_size, settings.frames, settings.crop, settings.crop, 3


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch-python", type=Path, required=True, help="a python with PyTorch")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each side")
    parser.add_argument("--steps", type=int, default=5, help="training steps a turn")
    parser.add_argument(
        "--architectures", nargs="+", default=list(ARCHITECTURES), choices=ARCHITECTURES
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
