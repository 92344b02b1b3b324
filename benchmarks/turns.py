"""Trainings that leave a class out, all classes in turn: `python -m benchmarks.turns REAL FOLDER`.

REAL is a work tree whose stages up to extract have run. Each turn trains one network on the clips
of all other classes in a work tree of its own below FOLDER, and writes outputs.npz: what the
network says of every clip. What is there is not made again.
"""

import argparse
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from benchmarks.alone import alone

ROOT = Path(__file__).parents[1]
MODEL = "turn"
WINDOWS = 4
log = logging.getLogger("benchmarks.turns")


def main() -> None:
    """Train and probe every turn that is not there."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    catalogue = pd.read_parquet(options.real / "data/subset/catalogue.parquet")
    for stranger in sorted(catalogue["class_name"].unique()):
        turn = options.folder / stranger
        if not (turn / "outputs.npz").exists():
            make_tree(turn, options.real, catalogue[catalogue["class_name"] != stranger], options)
            train(turn)
            alone(probe, turn, options.real)
            log.info("%s is there", turn)


def make_tree(turn: Path, real: Path, catalogue: pd.DataFrame, options: argparse.Namespace) -> None:
    """A work tree with the shards of `real`, and a catalogue that lacks the stranger."""
    (turn / "data/subset").mkdir(parents=True, exist_ok=True)
    shards = turn / "data/extract"
    if not shards.exists():
        shards.symlink_to((real / "data/extract").resolve())
    catalogue.to_parquet(turn / "data/subset/catalogue.parquet")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["train"] |= {"crop": options.crop, "max_minutes": options.minutes}
    params["models"] = {MODEL: {"architecture": options.architecture, "stream": "rgb", "seed": 0}}
    params["machine"]["threads"] = 1
    (turn / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def train(turn: Path) -> None:
    """Run the stage in the tree."""
    command = [sys.executable, "-m", "pipeline", "train", MODEL]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=turn, env=environment, check=True)


def probe(turn: Path, real: Path) -> None:
    """Write the network's outputs for each clip of `real`, strangers too."""
    import keras

    from pipeline.dataset.catalogue import read_catalogue
    from pipeline.params import load_params
    from pipeline.shards.batches import window_spec
    from pipeline.shards.loader import evaluation_windows

    catalogue = read_catalogue(real / "data/subset/catalogue.parquet")
    clips = dict.fromkeys(catalogue["clip"].to_pylist(), 0)
    spec = window_spec(load_params(turn / "params.yaml"), "rgb")
    files = sorted((turn / "data/extract/tfrecord").glob("*.rgb.tfrecord"))
    network = keras.saving.load_model(turn / f"data/train/{MODEL}/model.keras", compile=False)
    dataset = evaluation_windows(files, clips, spec, windows=WINDOWS, batch_size=32)
    found = _collected(probing(network), dataset)
    np.savez(turn / "outputs.npz", **found)


def probing(network: Any) -> Any:
    """The network with more outputs: probabilities, features, and the means of earlier maps."""
    import keras
    from keras import ops

    outputs = {
        "probabilities": network.output,
        "features": network.get_layer("probabilities").input,
    }
    frames = network.input_shape[1]
    for number, layer in enumerate(_stages(network)):
        maps = layer.output
        if len(maps.shape) == 4:  # of frames folded into the batch
            maps = ops.reshape(maps, (-1, frames, *maps.shape[1:]))
        outputs[f"map{number}"] = ops.mean(maps, axis=(1, 2, 3))
    return keras.Model(network.input, outputs)


def _stages(network: Any) -> list[Any]:
    """The last layer of each spatial size, from the finest map to the coarsest."""
    last: dict[int, Any] = {}
    for layer in network.layers:
        shape = getattr(layer.output, "shape", ())
        if len(shape) in (4, 5) and shape[-2] > 1 and shape[-2] < network.input_shape[-2]:
            last[shape[-2]] = layer
    return [last[size] for size in sorted(last, reverse=True)]


def _collected(network: Any, dataset: Any) -> dict[str, np.ndarray]:
    """Each output, [clips, windows, …], and the clips' names."""
    import tensorflow as tf

    infer = tf.function(lambda x: network(x, training=False), reduce_retracing=True)
    rows: list[dict[str, np.ndarray]] = []
    names: list[bytes] = []
    for x, _, clips in dataset:
        rows.append({name: each.numpy() for name, each in infer(x).items()})
        names += list(clips.numpy())
    found = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    by_clip = {name: each.reshape(-1, WINDOWS, each.shape[-1]) for name, each in found.items()}
    return by_clip | {"clips": np.array([name.decode() for name in names[::WINDOWS]])}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("real", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--architecture", default="r2plus1d")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--crop", type=int, default=64)
    return parser.parse_args()


if __name__ == "__main__":
    main()
