"""Windows from TFRecord shards, as tf.data feeds them to a model.

A window is `frames` frames of a clip, `stride_steps` sampled frames apart; a clip that is too short
starts over. Of a clip, only the JPEGs that its windows need are decoded, unless all clips of a data
set fit into `memory`: then each is decoded once and kept. Everything drawn at random is a function
of seed and epoch, so that training can go on at any epoch as if it had never stopped.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipeline.errors import ShardError
from pipeline.params import Stream
from pipeline.shards.augment import DRAWS, Augmentation, Window, augmented, centred

MEMORY = 4 << 30  # bytes of decoded pictures that a data set may keep
_SHUFFLED = 512  # records held to be shuffled; shards are a random mixture of clips already

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
    *,
    labels: Mapping[str, int],
    stream: Stream,
    frames: int,
    stride_steps: int,
    crop: int,
    batch_size: int,
    seed: int,
    epoch: int = 0,
    epochs: int = 1,
    augmentation: Augmentation | None = None,
    memory: int = MEMORY,
) -> tf.data.Dataset:
    """A random window of each clip in `labels`, every epoch: `epochs` of them, from `epoch` on.

    Batches of x float32 [batch, frames, crop, crop, channels] and y int32 [batch]. All are full, so
    that a few clips sit out an epoch: each has len(labels) // batch_size batches. rgb is 0–255;
    flow is in pixels a sampled step, less its mean over each field. Ask for all epochs at once:
    what is decoded is kept among them.
    """
    records = _records(files, labels, stream, memory)
    batch_size = min(batch_size, len(labels))
    steps = len(labels) // batch_size
    how = augmentation or Augmentation()

    def clips_of(number: tf.Tensor) -> tf.data.Dataset:
        # Here this sets the function's own seed: the order must not hang on the global one.
        tf.compat.v1.set_random_seed(1)
        held = min(len(labels), _SHUFFLED)
        order = records.shuffle(held, _mixed(seed, number), reshuffle_each_iteration=False)
        # Clips that extraction had to leave out are made up for by others.
        windows = steps * batch_size
        drawn = tf.random.stateless_uniform([windows, len(DRAWS)], [seed, number])
        return tf.data.Dataset.zip(order.repeat(), tf.data.Dataset.from_tensor_slices(drawn))

    def window(record: Window, drawn: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        draws = dict(zip(DRAWS, tf.unstack(drawn), strict=True))
        chosen = _window(record, draws["start"], stream, frames, stride_steps)
        return augmented(chosen, draws, crop, how), record["label"]

    clips = tf.data.Dataset.range(epoch, epoch + epochs).flat_map(clips_of)
    windows = clips.map(window, num_parallel_calls=tf.data.AUTOTUNE)
    batches = windows.batch(batch_size, drop_remainder=True)
    return batches.apply(tf.data.experimental.assert_cardinality(steps * epochs)).prefetch(4)


def evaluation_windows(
    files: Sequence[Path],
    *,
    labels: Mapping[str, int],
    stream: Stream,
    frames: int,
    stride_steps: int,
    crop: int,
    windows: int,
    batch_size: int,
    memory: int = MEMORY,
) -> tf.data.Dataset:
    """`windows` windows of each clip in `labels`, spread from its start to its end, centre crop.

    Batches of x and y as `training_windows` gives, and the clips' ids; in the shards' order.
    """
    positions = tf.constant(np.linspace(0, 1, windows) if windows > 1 else [0.5], tf.float32)

    def windows_of(record: Window) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        chosen = _window(record, positions, stream, frames, stride_steps)
        x = centred(chosen, crop)
        x = tf.reshape(x, [windows, frames, *x.shape[1:]])
        return x, tf.repeat(record["label"], windows), tf.repeat(record["clip"], windows)

    clips = _records(files, labels, stream, memory)
    all_windows = clips.map(windows_of, num_parallel_calls=tf.data.AUTOTUNE).unbatch()
    return all_windows.batch(batch_size).prefetch(4)


def _records(
    files: Sequence[Path], labels: Mapping[str, int], stream: Stream, memory: int
) -> tf.data.Dataset:
    """The labelled records; their pictures are JPEGs, or uint8 [N, H, W, C] if all fit."""
    label_of = _table(labels)

    def parse(example: tf.Tensor) -> Window:
        record: Window = tf.io.parse_single_example(example, _FEATURES[stream])
        return record | {"label": label_of.lookup(record["clip"])}

    def decode(record: Window) -> Window:
        return record | {"pictures": _decode(record["pictures"], stream)}

    def is_labelled(example: tf.Tensor) -> tf.Tensor:
        clip = tf.io.parse_single_example(example, {"clip": _FEATURES[stream]["clip"]})["clip"]
        return label_of.lookup(clip) >= 0

    # Clips of other splits are left out before their pictures are taken from the example.
    examples = tf.data.TFRecordDataset([str(file) for file in sorted(files)]).filter(is_labelled)
    records = examples.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    decoded = records.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
    return decoded.cache() if _nbytes(decoded, len(labels)) <= memory else records


def _table(labels: Mapping[str, int]) -> tf.lookup.StaticHashTable:
    """Clip → label, and −1 for all others."""
    if not labels:
        raise ShardError("there are no clips to load; look into the catalogue")
    clips, numbers = list(labels), list(labels.values())
    pairs = tf.lookup.KeyValueTensorInitializer(clips, numbers, tf.string, tf.int32)
    return tf.lookup.StaticHashTable(pairs, default_value=-1)


def _nbytes(decoded: tf.data.Dataset, clips: int) -> float:
    """About what `clips` decoded clips take, judged by the first few."""
    sizes = [record["pictures"].nbytes for record in decoded.take(8).as_numpy_iterator()]
    if not sizes:
        raise ShardError(f"the shards hold none of the {clips} clips; run the stage extract")
    return float(np.mean(sizes)) * clips


def _decode(jpegs: tf.Tensor, stream: Stream) -> tf.Tensor:
    """JPEGs [N] to uint8 [N, H, W, C]."""
    channels = 3 if stream == "rgb" else 1

    def decode(jpeg: tf.Tensor) -> tf.Tensor:
        return tf.io.decode_jpeg(jpeg, channels=channels)

    if jpegs.shape[0] is None:
        pictures = tf.map_fn(decode, jpegs, fn_output_signature=tf.uint8)
    else:
        pictures = tf.stack([decode(jpeg) for jpeg in tf.unstack(jpegs)])
    return pictures if stream == "rgb" else tf.concat(tf.split(pictures, 2, axis=2), axis=-1)


def _window(
    record: Window, position: tf.Tensor, stream: Stream, frames: int, stride_steps: int
) -> Window:
    """The window that starts at `position` (0: as early, 1: as late as it can) of the record.

    Of several positions, [W], the windows follow one another, as one of W × frames frames.
    """
    count = tf.shape(record["pictures"])[0]
    latest = tf.maximum(count - (frames - 1) * stride_steps - 1, 0)
    start = tf.cast(tf.round(position * tf.cast(latest, tf.float32)), tf.int32)
    indices = tf.reshape(start, [-1, 1]) + tf.range(frames) * stride_steps
    indices = tf.reshape(indices % count, [-1])
    window: Window = {
        key: tf.gather(record[key], indices) for key in ("pictures", "scale") if key in record
    }
    if window["pictures"].dtype == tf.string:
        window["pictures"] = _decode(window["pictures"], stream)
    return window


def _mixed(seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """One number from both, another for each pair."""
    return tf.random.stateless_uniform([], [seed, epoch], 0, 1 << 62, tf.int64)
