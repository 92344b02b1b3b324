"""Batches of windows for one model of params.yaml, by split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.dataset.catalogue import class_names, groups, labels, read_catalogue
from pipeline.errors import ParamsError, ShardError
from pipeline.files import json_hash
from pipeline.paths import CATALOGUE, SHARDS
from pipeline.shards.augment import Augmentation
from pipeline.shards.loader import evaluation_windows, training_windows
from pipeline.shards.windows import WindowSpec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    import tensorflow as tf

    from pipeline.params import Model, Params, Stream


EPOCH_STEPS = 32  # at least: of few clips, an epoch is several passes; validation takes its time


class Batches:
    """Batches for one model; a ParamsError lists the models of params.yaml if it is not there."""

    def __init__(self, params: Params, model: str) -> None:
        self.model = _model(params, model)
        self.spec = window_spec(params, self.model.stream)
        self.catalogue = read_catalogue(CATALOGUE)
        self.classes = tuple(class_names(self.catalogue))
        self.groups = groups(self.catalogue)
        self._max_steps, self._batch_size = params.train.max_steps, params.train.batch_size
        train = params.train
        self._augmentation = Augmentation(jitter=train.jitter, hue=train.hue, grey=train.grey)
        self._files = _files(self.model.stream)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch of training: full ones, and at least EPOCH_STEPS."""
        return self._steps_per_pass * self._passes

    @property
    def _steps_per_pass(self) -> int:
        return max(1, len(labels(self.catalogue, "train")) // self._batch_size)

    @property
    def _passes(self) -> int:
        """How often an epoch takes each clip."""
        return -(-EPOCH_STEPS // self._steps_per_pass)

    @property
    def fingerprint(self) -> str:
        """Hash of the clips that training and validation use, and of their labels."""
        chosen = [labels(self.catalogue, split) for split in ("train", "validation")]
        return json_hash(chosen)

    def training(self, epoch: int) -> tf.data.Dataset:
        """Batches (x, y) of epoch `epoch` and of all later ones."""
        return training_windows(
            self._files,
            labels(self.catalogue, "train"),
            self.spec,
            batch_size=self._batch_size,
            seed=self.model.seed,
            epoch=epoch * self._passes,
            epochs=-(-self._max_steps // self._steps_per_pass),
            augmentation=self._augmentation,
        )

    @property
    def validates(self) -> bool:
        """Whether clips are kept to validate on."""
        return bool(labels(self.catalogue, "validation"))

    def evaluation(self, split: str, windows: int) -> tf.data.Dataset:
        """Batches (x, y, clip): `windows` windows that cover each clip of `split`."""
        return self._covering(labels(self.catalogue, split), windows)

    def labels(self, split: str) -> Mapping[str, int]:
        """The clips of `split`, and their classes by number."""
        return labels(self.catalogue, split)

    def middle(self, clips: Collection[str]) -> tf.data.Dataset:
        """Batches (x, y, clip): the window in the middle of each of these test clips."""
        test = labels(self.catalogue, "test")
        return self._covering({clip: test[clip] for clip in clips}, 1)

    def _covering(self, chosen: Mapping[str, int], windows: int) -> tf.data.Dataset:
        return evaluation_windows(
            self._files, chosen, self.spec, windows=windows, batch_size=self._batch_size
        )


def window_spec(params: Params, stream: Stream) -> WindowSpec:
    """The windows of a stream that params.yaml asks for."""
    train = params.train
    return WindowSpec(train.frames, train.stride, params.extract.fps, train.crop, stream)


def _model(params: Params, name: str) -> Model:
    if name not in params.models:
        raise ParamsError(f"models has no {name!r}; params.yaml lists {', '.join(params.models)}")
    return params.models[name]


def _files(stream: Stream) -> list[Path]:
    files = sorted(SHARDS.glob(f"*.{stream}.tfrecord"))
    if not files:
        raise ShardError(f"{SHARDS} holds no shards of {stream}; run `dvc repro extract`")
    return files
