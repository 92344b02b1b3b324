"""evaluate: evaluate one trained model on the test split."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import keras

from pipeline.evaluation.activation import activation_maps
from pipeline.evaluation.controls import predict_with_controls
from pipeline.evaluation.cost import latency_ms
from pipeline.evaluation.metrics import evaluation_metrics
from pipeline.evaluation.predict import inference
from pipeline.evaluation.predictions import examples, write_predictions
from pipeline.paths import EVALUATE, TRAIN
from pipeline.report import activation, confusion
from pipeline.report.figures import png
from pipeline.shards.batches import Batches
from pipeline.video.flow import encode_jpeg

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.params import Params

log = logging.getLogger(__name__)


def run(params: Params, model: str) -> None:
    """Write the model's predictions.parquet, metrics.json, confusion.*, controls/, activation/."""
    batches = Batches(params, model)
    network = keras.saving.load_model(TRAIN / model / "model.keras")
    infer = inference(network)
    predictions, controls = predict_with_controls(
        infer,
        batches.evaluation("test", params.evaluate.windows),
        place=params.evaluate.windows // 2,
        classes=batches.classes,
        groups=batches.groups,
    )
    folder = EVALUATE / model
    (folder / "controls").mkdir(parents=True, exist_ok=True)
    write_predictions(folder / "predictions.parquet", predictions)
    for name, each in controls.items():
        write_predictions(folder / "controls" / f"{name}.parquet", each)
    videos = predictions.by_clip()
    confusion.write_csv(folder / "confusion.csv", videos)
    matrix = confusion.figure(videos, title=model)
    (folder / "confusion.png").write_bytes(png(matrix, dpi=120))
    _write_maps(folder / "activation", network, batches, examples(videos))
    metrics = evaluation_metrics(predictions, controls)
    metrics["latency_ms"] = latency_ms(lambda x: infer(x).numpy(), batches.spec.shape)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    log.info("%s: video accuracy %.1f %%", model, 100 * videos.accuracy)


def _write_maps(
    folder: Path, network: keras.Model, batches: Batches, clips: dict[str, str]
) -> None:
    """Write CLASS.jpg, the activation maps of one clip, for each class."""
    folder.mkdir(exist_ok=True)
    for x, labels, _ in batches.middle(clips.values()):
        maps = activation_maps(network, x.numpy(), labels.numpy())
        for label, window, seen in zip(labels.numpy(), x.numpy(), maps, strict=True):
            picture = encode_jpeg(activation.strip(window, seen), quality=85)
            (folder / f"{batches.classes[label]}.jpg").write_bytes(picture)
