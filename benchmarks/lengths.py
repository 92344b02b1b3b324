"""How accurate a trained network is on windows of more frames than it was trained on."""

import os
from contextlib import chdir
from pathlib import Path

FRAMES = (8, 16, 32)


def by_frames(tree: Path, name: str) -> dict[int, float]:
    """Video accuracies on a work tree's test clips, by frames in a window.

    The strides stay, so that longer windows see more of a clip; the weights are those of the
    length that was trained. For a process of its own, which it moves into the tree.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with chdir(tree):
        return {frames: _accuracy(name, frames) for frames in FRAMES}


def _accuracy(name: str, frames: int) -> float:
    import keras

    from pipeline.evaluation.predict import inference, predict
    from pipeline.models import build
    from pipeline.params import load_params
    from pipeline.paths import TRAIN
    from pipeline.shards.batches import Batches

    params = load_params(Path("params.yaml"))
    longer = params.train.model_copy(update={"frames": frames})
    batches = Batches(params.model_copy(update={"train": longer}), name)
    row = params.models[name]
    network = build(
        row.architecture,
        input_shape=batches.spec.shape,
        classes=len(batches.classes),
        stream=row.stream,
    )
    trained = keras.saving.load_model(TRAIN / name / "model.keras", compile=False)
    network.set_weights(trained.get_weights())
    windows = batches.evaluation("test", params.evaluate.windows)
    found = predict(inference(network), windows, classes=batches.classes, groups=batches.groups)
    return found.by_clip().accuracy
