"""Small bundles of networks with random weights, as the stage export writes them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.files import content_hash
from pipeline.inference.calibration import conformal_thresholds
from pipeline.inference.card import SCHEMA, Calibration, Card, Form, Sampling
from pipeline.inference.runtime import Outputs
from pipeline.inference.strangers import fit_rejection
from pipeline.shards.windows import WindowSpec

CLASSES = ("dog", "猫", "zebra finch")
SAMPLING = Sampling(fps=8.0, max_frames=12, width=32, height=24, jpeg_quality=90)
WINDOWS = 4
NEVER = 1e9  # a score that no video has: none is rejected
FEATURES = 6


def network(spec, seed=0):
    """A network with the outputs of a bundle's: logits and features."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    frames, height, width, channels = spec.shape
    inputs = keras.Input(spec.shape, batch_size=1, name="window")
    x = layers.Rescaling(1 / 50)(inputs)
    x = layers.Reshape((frames * height, width, channels))(x)
    x = layers.Conv2D(4, 5, strides=3, activation="relu")(x)
    features = layers.Dense(FEATURES, activation="tanh")(layers.Flatten()(x))
    logits = layers.Dense(len(CLASSES))(features)
    return keras.Model(inputs, {"logits": logits, "features": features})


def write_bundle(folder: Path, *, stream="rgb", seed=0, crop=24) -> Card:
    """A bundle of `network(card.window, seed)` in `folder`, and its card."""
    spec = WindowSpec(3, 0.25, SAMPLING.fps, crop, stream)
    folder.mkdir(parents=True)
    network(spec, seed).export(folder / "float32.tflite", format="litert", verbose=False)
    outputs, labels = drawn_outputs(60)
    rejection, arrays = fit_rejection(outputs, labels, outputs, labels)
    np.savez(folder / "strangers.npz", **arrays)
    card = Card(
        schema=SCHEMA,
        name=f"toy-{stream}",
        architecture="toy",
        stream=stream,
        seed=seed,
        classes=CLASSES,
        sampling=SAMPLING,
        window=spec,
        windows=WINDOWS,
        calibration=Calibration(1.0, conformal_thresholds(outputs.logits, labels, 1.0)),
        rejection=replace(rejection, threshold=NEVER),
        forms={"float32": _form(folder / "float32.tflite")},
        origin={},
    )
    card.write(folder)
    return card


def drawn_outputs(clips: int) -> tuple[Outputs, np.ndarray]:
    """Outputs for as many clips, and their labels, at random."""
    rng = np.random.default_rng(0)
    logits, features = (rng.normal(size=(clips, size)) for size in (len(CLASSES), FEATURES))
    outputs = Outputs(logits.astype(np.float32), features.astype(np.float32))
    return outputs, rng.integers(0, len(CLASSES), clips)


def _form(path: Path) -> Form:
    measured = (1.0, 1.0, 1.0, 0.0, 1.0)
    return Form(path.name, content_hash(path), path.stat().st_size, *measured)
