"""Train one model in the current work tree, and predict its test clips: `benchmarks.recipe`'s."""

import logging
import sys
from pathlib import Path

import keras

from benchmarks.recipe import PREDICTIONS
from pipeline.evaluation.predict import inference, predict
from pipeline.evaluation.predictions import write_predictions
from pipeline.files import written_aside
from pipeline.params import load_params
from pipeline.paths import SHARDS, TRAIN
from pipeline.shards.batches import Batches
from pipeline.stages import extract, train


def main(model: str) -> None:
    """Write predictions.parquet once the training is done."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    params = load_params(Path("params.yaml"))
    if not (SHARDS.parent / "metrics.json").is_file():
        extract.run(params)
    train.run(params, model)
    batches = Batches(params, model)
    network = keras.saving.load_model(TRAIN / model / "model.keras")
    predictions = predict(
        inference(network),
        batches.evaluation("test", params.evaluate.windows),
        classes=batches.classes,
        groups=batches.groups,
    )
    with written_aside(Path(PREDICTIONS)) as aside:
        write_predictions(aside, predictions)


if __name__ == "__main__":
    main(sys.argv[1])
