"""What train and evaluate feed to a model: windows of the clips of a split, as params.yaml says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from pipeline.dataset.catalogue import class_names, groups, labels, read_catalogue
from pipeline.errors import ParamsError, ShardError
from pipeline.paths import CATALOGUE, SHARDS
from pipeline.shards.loader import evaluation_windows, training_windows

if TYPE_CHECKING:
    from pipeline.params import Model, Params, Stream


class Windows:
    """Windows for one model of params.yaml; a ParamsError says which models there are."""

    def __init__(self, params: Params, model: str) -> None:
        self.train = params.train
        self.model = _model(params, model)
        self.catalogue = read_catalogue(CATALOGUE)
        self.classes = tuple(class_names(self.catalogue))
        self.groups = groups(self.catalogue)
        self._shared: dict[str, Any] = {
            "files": _files(self.model.stream),
            "stream": self.model.stream,
            "frames": self.train.frames,
            "stride_steps": round(self.train.stride * params.extract.fps),
            "crop": self.train.crop,
            "batch_size": self.train.batch_size,
        }

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """A window's frames, height, width and channels."""
        channels = 3 if self.model.stream == "rgb" else 2
        return self.train.frames, self.train.crop, self.train.crop, channels

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch of training."""
        return max(1, len(labels(self.catalogue, "train")) // self.train.batch_size)

    @property
    def fingerprint(self) -> str:
        """Hash of the clips that training and validation use, and of their labels."""
        chosen = [labels(self.catalogue, split) for split in ("train", "validation")]
        return hashlib.sha256(json.dumps(chosen).encode()).hexdigest()

    def training(self, epoch: int) -> tf.data.Dataset:
        """Batches (x, y) of epoch `epoch` and of all later ones."""
        return training_windows(
            labels=labels(self.catalogue, "train"),
            seed=self.model.seed,
            epoch=epoch,
            epochs=self.train.epochs - epoch,
            **self._shared,
        )

    @property
    def validates(self) -> bool:
        """Whether clips are kept to validate on."""
        return bool(labels(self.catalogue, "validation"))

    def evaluation(self, split: str, windows: int, *, frames: int | None = None) -> tf.data.Dataset:
        """Batches (x, y, clip): `windows` windows that cover each clip of `split`.

        They have as many frames as in training, or `frames`, as far apart.
        """
        given = self._shared | {"frames": frames or self.train.frames}
        return evaluation_windows(labels=labels(self.catalogue, split), windows=windows, **given)

    def middle(self, clips: Collection[str]) -> tf.data.Dataset:
        """Batches (x, y, clip): the window in the middle of each of these test clips."""
        test = labels(self.catalogue, "test")
        chosen = {clip: test[clip] for clip in clips}
        return evaluation_windows(labels=chosen, windows=1, **self._shared)


def _model(params: Params, name: str) -> Model:
    if name not in params.models:
        raise ParamsError(f"models has no {name!r}; params.yaml lists {', '.join(params.models)}")
    return params.models[name]


def _files(stream: Stream) -> list[Path]:
    files = sorted(SHARDS.glob(f"*.{stream}.tfrecord"))
    if not files:
        raise ShardError(f"{SHARDS} holds no shards of {stream}; run `dvc repro extract`")
    return files
