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
WINDOWS = 2
CLIPS = 2  # of each group: more are near-duplicates
log = logging.getLogger("benchmarks.turns")


def main() -> None:
    """Train and probe every turn that is not there."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    catalogue = chosen(options.real)
    for stranger in sorted(catalogue["class_name"].unique()):
        turn = options.folder / stranger
        if not (turn / "outputs.npz").exists():
            make_tree(turn, options.real, catalogue[catalogue["class_name"] != stranger], options)
            train(turn)
            alone(probe, turn, options.real)
            log.info("%s is there", turn)


def chosen(real: Path) -> pd.DataFrame:
    """The rows of the catalogue that trainings take, and are judged on."""
    catalogue = pd.read_parquet(real / "data/subset/catalogue.parquet")
    return catalogue.sort_values("clip").groupby("group").head(CLIPS)


def make_tree(turn: Path, real: Path, catalogue: pd.DataFrame, options: argparse.Namespace) -> None:
    """A work tree with the shards of `real`, and a catalogue that lacks the stranger."""
    (turn / "data/subset").mkdir(parents=True, exist_ok=True)
    shards = turn / "data/extract"
    if not shards.exists():
        shards.symlink_to((real / "data/extract").resolve())
    catalogue.to_parquet(turn / "data/subset/catalogue.parquet")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["train"] |= {"crop": options.crop, "max_minutes": options.minutes}
    model = {"architecture": options.architecture, "backbone": options.backbone}
    params["models"] = {MODEL: model | {"stream": "rgb", "seed": 0}}
    params["machine"]["threads"] = 1
    (turn / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def train(turn: Path) -> None:
    """Run the stage in the tree."""
    command = [sys.executable, "-m", "pipeline", "train", MODEL]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=turn, env=environment, check=True)


def probe(turn: Path, real: Path) -> None:
    """Write what the network's deployment form says of each clip of `real`, strangers too."""
    import keras

    from pipeline.inference.deployment import deployment_form
    from pipeline.params import load_params
    from pipeline.shards.batches import window_spec
    from pipeline.shards.loader import evaluation_windows

    clips = dict.fromkeys(chosen(real)["clip"], 0)
    spec = window_spec(load_params(turn / "params.yaml"), "rgb")
    files = sorted((turn / "data/extract/tfrecord").glob("*.rgb.tfrecord"))
    network = keras.saving.load_model(turn / f"data/train/{MODEL}/model.keras", compile=False)
    dataset = evaluation_windows(files, clips, spec, windows=WINDOWS, batch_size=32)
    np.savez(turn / "outputs.npz", **_collected(deployment_form(network), dataset))


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
    parser.add_argument("--architecture", default="csn")
    parser.add_argument("--backbone", default="scratch")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--crop", type=int, default=96)
    return parser.parse_args()


if __name__ == "__main__":
    main()
