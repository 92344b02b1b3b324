"""Windows from TFRecord shards as a tf.data pipeline.

Only the JPEGs that a clip's windows need are decoded, unless all clips of a data set fit into
`memory` (unset: a share of what is free): then each is decoded once and kept. Everything random is
a function of seed and epoch, so that training can resume at any epoch as if it had never stopped;
from disk, clips come in another order than from memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from pipeline.errors import ShardError
from pipeline.shards.augment import DRAWS, Augmentation, Window, augmented, centred, mirrored
from pipeline.shards.memory import free_memory
from pipeline.shards.windows import WindowSpec, covering_positions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.params import Stream

SHARE = 0.3  # of the free memory, for the pictures of a data set: training keeps two such sets
# Records from disk held to be shuffled: shards come in another order every epoch, and each is a
# random mixture of clips already. All that are held have to be read before the first is used.
_SHUFFLED = 64

_FEATURES: dict[Stream, dict[str, object]] = {
    "rgb": {
        "clip": tf.io.FixedLenFeature([], tf.string),
        "pictures": tf.io.RaggedFeature(tf.string, value_key="frames"),
    },
    "flow": {
        "clip": tf.io.FixedLenFeature([], tf.string),
        "pictures": tf.io.RaggedFeature(tf.string, value_key="flow"),
        "scale": tf.io.RaggedFeature(tf.float32, value_key="flow_scale"),
    },
}


def training_windows(
    files: Sequence[Path],
    labels: Mapping[str, int],
    spec: WindowSpec,
    *,
    batch_size: int,
    seed: int,
    epoch: int = 0,
    epochs: int = 1,
    augmentation: Augmentation | None = None,
    memory: int | None = None,
) -> tf.data.Dataset:
    """A random window of each clip in `labels`, every epoch: `epochs` of them, from `epoch` on.

    Batches of x float32 [batch, frames, crop, crop, channels] and y int32 [batch]. All are full, so
    that a few clips sit out an epoch: each has len(labels) // batch_size batches. rgb is 0–255;
    flow is in pixels a sampled step, less its mean over each field. Ask for all epochs at once:
    what is decoded is kept among them.
    """
    shards = _Shards(files, labels, spec.stream)
    kept = shards.kept(memory)
    batch_size = min(batch_size, len(labels))
    steps = len(labels) // batch_size
    how = augmentation or Augmentation()

    def clips_of(number: tf.Tensor) -> tf.data.Dataset:
        # Sets this function's own seed: the order must not depend on the global one.
        tf.compat.v1.set_random_seed(1)
        order = _mixed(seed, number)
        if kept is None:
            records = _shuffled(shards.records(order), _SHUFFLED, order)
        else:
            records = _shuffled(kept, len(labels), order)
        # Clips that extraction had to leave out are made up for by others.
        windows = steps * batch_size
        drawn = tf.random.stateless_uniform([windows, len(DRAWS)], [seed, number])
        return tf.data.Dataset.zip(records.repeat(), tf.data.Dataset.from_tensor_slices(drawn))

    def window(record: Window, drawn: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        draws = dict(zip(DRAWS, tf.unstack(drawn), strict=True))
        chosen = _window(record, draws["start"][None], spec)
        return augmented(chosen, draws, spec.crop, how), record["label"]

    clips = tf.data.Dataset.range(epoch, epoch + epochs).flat_map(clips_of)
    windows = clips.map(window, num_parallel_calls=tf.data.AUTOTUNE)
    batches = windows.batch(batch_size, drop_remainder=True)
    return batches.apply(tf.data.experimental.assert_cardinality(steps * epochs)).prefetch(4)


def evaluation_windows(
    files: Sequence[Path],
    labels: Mapping[str, int],
    spec: WindowSpec,
    *,
    windows: int,
    batch_size: int,
    memory: int | None = None,
) -> tf.data.Dataset:
    """`windows` windows of each clip in `labels`, spread from its start to its end, centre crop.

    Every second one is mirrored: a clip's mean over views that differ more is surer, at no cost.
    Batches of x and y as `training_windows` gives, and the clips' ids; always in the same order.
    """
    positions = tf.constant(covering_positions(windows), tf.float32)
    turned = tf.range(windows) % 2 == 1

    def windows_of(record: Window) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        x = centred(_window(record, positions, spec), spec.crop)
        x = tf.reshape(x, [windows, *spec.shape])
        x = tf.where(tf.reshape(turned, [-1, 1, 1, 1, 1]), mirrored(x), x)
        return x, tf.repeat(record["label"], windows), tf.repeat(record["clip"], windows)

    shards = _Shards(files, labels, spec.stream)
    kept = shards.kept(memory)
    clips = shards.records() if kept is None else kept
    all_windows = clips.map(windows_of, num_parallel_calls=tf.data.AUTOTUNE).unbatch()
    return all_windows.batch(batch_size).prefetch(4)


class _Shards:
    """Records of the clips in `labels`, from TFRecord files."""

    def __init__(self, files: Sequence[Path], labels: Mapping[str, int], stream: Stream) -> None:
        self._files = [str(file) for file in sorted(files)]
        self._clips = len(labels)
        self._label_of = _table(labels)
        self._stream = stream

    def records(self, order: tf.Tensor | None = None) -> tf.data.Dataset:
        """Each with its JPEGs; the shards by name, or shuffled by the seed `order`."""
        files = tf.data.Dataset.from_tensor_slices(self._files)
        if order is not None:
            files = _shuffled(files, len(self._files), order)
        # Clips of other splits are left out before their pictures are taken from the example.
        chosen = tf.data.TFRecordDataset(files).filter(self._is_labelled)
        return chosen.map(self._parse, num_parallel_calls=tf.data.AUTOTUNE)

    def kept(self, memory: int | None) -> tf.data.Dataset | None:
        """Each with its pictures, uint8 [N, H, W, C], decoded but once; None if they do not fit."""
        decoded = self.records().map(self._decode, num_parallel_calls=tf.data.AUTOTUNE)
        most = SHARE * free_memory() if memory is None else memory
        return decoded.cache() if self._nbytes(decoded) <= most else None

    def _nbytes(self, decoded: tf.data.Dataset) -> float:
        """About what all decoded clips take, estimated from the first few."""
        sizes = [record["pictures"].nbytes for record in decoded.take(8).as_numpy_iterator()]
        if not sizes:
            clips = self._clips
            raise ShardError(f"the shards hold none of the {clips} clips; run the stage extract")
        return float(np.mean(sizes)) * self._clips

    def _is_labelled(self, example: tf.Tensor) -> tf.Tensor:
        clip = _FEATURES[self._stream]["clip"]
        name = tf.io.parse_single_example(example, {"clip": clip})["clip"]
        return self._label_of.lookup(name) >= 0

    def _parse(self, example: tf.Tensor) -> Window:
        record: Window = tf.io.parse_single_example(example, _FEATURES[self._stream])
        return record | {"label": self._label_of.lookup(record["clip"])}

    def _decode(self, record: Window) -> Window:
        return record | {"pictures": _decode(record["pictures"], self._stream)}


def _shuffled(dataset: tf.data.Dataset, held: int, order: tf.Tensor) -> tf.data.Dataset:
    return dataset.shuffle(held, order, reshuffle_each_iteration=False)


def _table(labels: Mapping[str, int]) -> tf.lookup.StaticHashTable:
    """Clip → label, and −1 for all others."""
    if not labels:
        raise ShardError("there are no clips to load; look into the catalogue")
    clips, numbers = list(labels), list(labels.values())
    pairs = tf.lookup.KeyValueTensorInitializer(clips, numbers, tf.string, tf.int32)
    return tf.lookup.StaticHashTable(pairs, default_value=-1)


def _decode(jpegs: tf.Tensor, stream: Stream) -> tf.Tensor:
    """JPEGs [N] to uint8 [N, H, W, C]."""
    channels = 3 if stream == "rgb" else 1

    def decode(jpeg: tf.Tensor) -> tf.Tensor:
        # The exact transform, as OpenCV decodes: `classify` sees the very pixels of training.
        return tf.io.decode_jpeg(jpeg, channels=channels, dct_method="INTEGER_ACCURATE")

    if jpegs.shape[0] is None:
        pictures = tf.map_fn(decode, jpegs, fn_output_signature=tf.uint8)
    else:
        pictures = tf.stack([decode(jpeg) for jpeg in tf.unstack(jpegs)])
    return pictures if stream == "rgb" else tf.concat(tf.split(pictures, 2, axis=2), axis=-1)


def _window(record: Window, positions: tf.Tensor, spec: WindowSpec) -> Window:
    """The windows at `positions` [W] of the record, one after another: W × frames frames."""
    count = tf.shape(record["pictures"])[0]
    indices = tf.numpy_function(spec.indices, [count, positions], tf.int32, stateful=False)
    indices = tf.reshape(indices, [positions.shape[0] * spec.frames])
    window: Window = {
        key: tf.gather(record[key], indices) for key in ("pictures", "scale") if key in record
    }
    if window["pictures"].dtype == tf.string:
        window["pictures"] = _decode(window["pictures"], spec.stream)
    return window


def _mixed(seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """One number from both, another for each pair."""
    return tf.random.stateless_uniform([], [seed, epoch], 0, 1 << 62, tf.int64)
