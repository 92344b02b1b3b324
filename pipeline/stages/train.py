"""train: train one model of params.yaml; write it down with its record and its history."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from pipeline.errors import TrainingError
from pipeline.files import code_hash, content_hash, files_hash, json_hash, write_text
from pipeline.models import build
from pipeline.models.flops import gflops
from pipeline.paths import SHARDS, STATE, TRAIN
from pipeline.shards.batches import Batches
from pipeline.training.data_parallel import divide_threads
from pipeline.training.fit import Training, fit
from pipeline.training.hardware import precision
from pipeline.training.observer import Observe, unobserved
from pipeline.training.record import circumstances, write_history
from pipeline.training.warm_start import take_weights

if TYPE_CHECKING:
    import tensorflow as tf

    from pipeline.params import Params

log = logging.getLogger(__name__)

VALIDATION_WINDOWS = 2


def run(params: Params, model: str, *, observe: Observe = unobserved) -> None:
    """Write data/train/MODEL/{model.keras,record.json,history.csv}.

    `observe` is given what is known before training, and sees each epoch's metrics.
    """
    divide_threads(params.machine.threads)
    keras.config.set_dtype_policy(precision())
    batches = Batches(params, model)
    known = _known(params, model, batches)
    network = build(
        batches.model.architecture,
        input_shape=batches.spec.shape,
        classes=len(batches.classes),
        seed=batches.model.seed,
        stream=batches.model.stream,
        backbone=batches.model.backbone,
        fine_tune=batches.model.fine_tune,
    )
    if earlier := _earlier(params, model):
        take_weights(network, earlier)
    state = STATE / "train" / known["key"][:16]
    with observe(known) as observer:
        training = fit(
            network,
            train=batches.training,
            steps_per_epoch=batches.steps_per_epoch,
            validation=_validation(batches) if batches.validates else None,
            settings=batches.model.settings(params.train),
            state=state,
            on_epoch=observer.on_epoch,
        )
    _write(TRAIN / model, network, known, training)
    shutil.rmtree(state)
    log.info("%s: %d steps in %.0f s", model, training.steps, training.seconds)


def _earlier(params: Params, model: str) -> Path | None:
    """The model to start from, if train.warm_start names a folder that holds one of this name."""
    if params.train.warm_start is None:
        return None
    folder = Path(params.train.warm_start)
    if not folder.is_dir() or folder.resolve() == TRAIN.resolve():
        raise TrainingError(
            f"train.warm_start is {folder}; it must be a folder like {TRAIN}, but not that one, "
            "which DVC empties before training: copy it first"
        )
    earlier = folder / model / "model.keras"
    if not earlier.is_file():
        log.info("%s does not exist; %s starts from scratch", earlier, model)
        return None
    return earlier


def _validation(batches: Batches) -> tf.data.Dataset:
    return batches.evaluation("validation", VALIDATION_WINDOWS).map(_without_clips)


def _without_clips(x: tf.Tensor, y: tf.Tensor, clips: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return x, y


def _known(params: Params, model: str, batches: Batches) -> dict[str, Any]:
    """What of the record is known before training; `key` is the hash of all that decides it."""
    settings = batches.model.settings(params.train).model_dump()
    row, backbone = batches.model.model_dump(exclude=set(settings)), Path(batches.model.backbone)
    earlier = _earlier(params, model)
    made_of = {
        **row,
        "params": settings,
        "dataset_hash": files_hash(SHARDS.glob("*.tfrecord")),
        "clips": batches.fingerprint,
        "backbone_hash": content_hash(backbone) if backbone.is_file() else "",
        "warm_start_hash": content_hash(earlier) if earlier else "",
    }
    return {
        "key": json_hash([made_of, code_hash(__name__)]),
        "model": model,
        **made_of,
        "classes": list(batches.classes),
        **circumstances(params.machine.threads),
    }


def _write(folder: Path, network: keras.Model, known: dict[str, Any], training: Training) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    network.save(folder / "model.keras")
    last = training.history[-1]
    record = known | {
        "parameters": network.count_params(),
        "size_bytes": (folder / "model.keras").stat().st_size,
        "gflops": gflops(network),
        "train_seconds": training.seconds,
        "data_wait_fraction": training.data_wait_fraction,
        "epochs": len(training.history),
        "steps": training.steps,
        "stopped_by": training.stopped_by,
        "validation_loss": last.get("val_loss"),
        "validation_accuracy": last.get("val_accuracy"),
    }
    write_history(folder / "history.csv", training.history)
    write_text(folder / "record.json", json.dumps(record, indent=2) + "\n")
