"""Windows from TFRecord shards, as tf.data feeds them to a model.

A window is `frames` frames of a clip, `stride_steps` sampled frames apart; a clip that is too short
starts over. Of a clip, only the JPEGs that its windows need are decoded, unless all clips of a data
set fit into `memory`: then each is decoded once and kept. Everything drawn at random is a function
of seed, epoch and clip, so that training can go on at any epoch as if it had never stopped.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipeline.errors import ShardError
from pipeline.params import Stream

MEMORY = 4 << 30  # bytes of decoded pictures that a data set may keep
_SHUFFLED = 512  # records held to be shuffled; shards are a random mixture of clips already

_CHANNELS: dict[Stream, int] = {"rgb": 3, "flow": 2}
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
Tensors = dict[str, tf.Tensor]


@dataclass(frozen=True)
class Augmentation:
    """What training draws anew for each window, the same for all of its frames."""

    area: float = 0.5  # smallest crop, as a share of the largest square in a frame
    aspect: float = 4 / 3  # a crop's sides differ by at most this factor
    flip: bool = True  # mirror half of the windows, left to right
    jitter: float = 0.3  # brightness, contrast and saturation change by at most this share


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
    """One random window of each clip in `labels`, an epoch: `epochs` of them, from `epoch` on.

    Batches of x float32 [batch, frames, crop, crop, channels] and y int32 [batch]; all are full,
    the few clips left over sit out an epoch. rgb is 0–255; flow is in pixels a sampled step, its
    mean over each field removed. Ask for all epochs at once: what is decoded is kept among them.
    """
    batch_size = min(batch_size, len(labels))
    steps = len(labels) // batch_size
    records = _records(files, labels, stream, memory)

    def clips_of(number: tf.Tensor) -> tf.data.Dataset:
        order = records.shuffle(
            min(len(labels), _SHUFFLED), seed=_mixed(seed, number), reshuffle_each_iteration=False
        )
        return order.take(steps * batch_size).map(lambda record: record | {"epoch": number})

    def window(record: Tensors) -> tuple[tf.Tensor, tf.Tensor]:
        draws = _draws(seed, record)
        chosen = _window(record, draws["start"], frames, stride_steps)
        return _augment(chosen, draws, stream, crop, augmentation or Augmentation()), record[
            "label"
        ]

    windows = tf.data.Dataset.range(epoch, epoch + epochs).flat_map(clips_of)
    windows = windows.map(window, num_parallel_calls=tf.data.AUTOTUNE)
    batches = windows.batch(batch_size, drop_remainder=True)
    return _finished(batches, steps * epochs)


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
    positions = np.linspace(0, 1, windows) if windows > 1 else np.array([0.5])

    def windows_of(record: Tensors) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        chosen = [_window(record, position, frames, stride_steps) for position in positions]
        x = tf.stack([_centre(each, stream, crop) for each in chosen])
        return x, tf.repeat(record["label"], windows), tf.repeat(record["clip"], windows)

    clips = _records(files, labels, stream, memory)
    all_windows = clips.map(windows_of, num_parallel_calls=tf.data.AUTOTUNE).unbatch()
    return _finished(all_windows.batch(batch_size), -(-len(labels) * windows // batch_size))


def _finished(batches: tf.data.Dataset, count: int) -> tf.data.Dataset:
    return batches.apply(tf.data.experimental.assert_cardinality(count)).prefetch(4)


def _records(
    files: Sequence[Path], labels: Mapping[str, int], stream: Stream, memory: int
) -> tf.data.Dataset:
    """The labelled records; their pictures are JPEGs, or uint8 [N, H, W, C] if all fit."""
    if not labels:
        raise ShardError("no clip to load; the split or the class holds none")
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(
            list(labels), list(labels.values()), value_dtype=tf.int32
        ),
        default_value=-1,
    )

    def parse(example: tf.Tensor) -> Tensors:
        record: Tensors = tf.io.parse_single_example(example, _FEATURES[stream])
        return record | {"label": table.lookup(record["clip"])}

    records = tf.data.TFRecordDataset([str(file) for file in sorted(files)])
    records = records.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    records = records.filter(lambda record: record["label"] >= 0)
    decoded = records.map(
        lambda record: record | {"pictures": _decode(record["pictures"], stream)},
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return decoded.cache() if _nbytes(decoded, len(labels)) <= memory else records


def _nbytes(decoded: tf.data.Dataset, clips: int) -> float:
    """About what `clips` decoded clips take, judged by the first few."""
    sizes = [record["pictures"].nbytes for record in decoded.take(8).as_numpy_iterator()]
    return float(np.mean(sizes)) * clips


def _decode(jpegs: tf.Tensor, stream: Stream) -> tf.Tensor:
    """JPEGs [N] to uint8 [N, H, W, C]."""
    channels = 3 if stream == "rgb" else 1

    def decode(jpeg: tf.Tensor) -> tf.Tensor:
        return tf.io.decode_jpeg(jpeg, channels=channels)

    pictures = tf.map_fn(decode, jpegs, fn_output_signature=tf.uint8)
    return pictures if stream == "rgb" else tf.concat(tf.split(pictures, 2, axis=2), axis=-1)


def _window(record: Tensors, position: tf.Tensor, frames: int, stride_steps: int) -> Tensors:
    """The window that starts at `position` (0: as early, 1: as late as it can) of the record."""
    count = tf.shape(record["pictures"])[0]
    latest = tf.maximum(count - (frames - 1) * stride_steps - 1, 0)
    start = tf.cast(tf.round(position * tf.cast(latest, tf.float32)), tf.int32)
    indices = (start + tf.range(frames) * stride_steps) % count
    return {
        name: tf.gather(record[name], indices) for name in ("pictures", "scale") if name in record
    }


def _mixed(seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """One number from both, another for each pair."""
    return tf.random.stateless_uniform([], [seed, epoch], 0, 1 << 62, tf.int64)


def _draws(seed: int, record: Tensors) -> Tensors:
    """Random numbers in [0, 1) by name, for one window of the record's clip in its epoch."""
    names = (
        "start",
        "area",
        "aspect",
        "top",
        "left",
        "flip",
        "brightness",
        "contrast",
        "saturation",
    )
    clip = tf.strings.to_hash_bucket_fast(record["clip"], (1 << 31) - 1)
    state = tf.random.fold_in([tf.constant(seed, tf.int64), record["epoch"]], clip)
    return dict(
        zip(names, tf.unstack(tf.random.stateless_uniform([len(names)], state)), strict=True)
    )


def _augment(
    chosen: Tensors, draws: Tensors, stream: Stream, crop: int, augmentation: Augmentation
) -> tf.Tensor:
    pictures = _pictures(chosen, stream)
    height, width = _size(pictures)
    area = tf.square(tf.minimum(height, width)) * _between(augmentation.area, 1.0, draws["area"])
    stretch = augmentation.aspect ** _between(-0.5, 0.5, draws["aspect"])
    rows = tf.minimum(tf.sqrt(area) / stretch, height)
    columns = tf.minimum(tf.sqrt(area) * stretch, width)
    top, left = draws["top"] * (height - rows), draws["left"] * (width - columns)
    flip = tf.logical_and(augmentation.flip, draws["flip"] < 0.5)
    x = _cropped(chosen, pictures, (top, left, rows, columns), flip, stream, crop)
    return _recoloured(x, draws, augmentation.jitter) if stream == "rgb" else x


def _centre(chosen: Tensors, stream: Stream, crop: int) -> tf.Tensor:
    pictures = _pictures(chosen, stream)
    height, width = _size(pictures)
    side = tf.minimum(height, width)
    box = (height - side) // 2, (width - side) // 2, side, side
    return _cropped(chosen, pictures, box, tf.constant(False), stream, crop)


def _pictures(chosen: Tensors, stream: Stream) -> tf.Tensor:
    pictures = chosen["pictures"]
    return _decode(pictures, stream) if pictures.dtype == tf.string else pictures


def _size(pictures: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    height, width = tf.unstack(tf.cast(tf.shape(pictures)[1:3], tf.float32))
    return height, width


def _between(low: float, high: float, draw: tf.Tensor) -> tf.Tensor:
    return low + (high - low) * draw


def _cropped(
    chosen: Tensors,
    pictures: tf.Tensor,
    box: tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor],
    flip: tf.Tensor,
    stream: Stream,
    crop: int,
) -> tf.Tensor:
    """The box (top, left, rows, columns) as float32 [T, crop, crop, C], mirrored if asked."""
    top, left, rows, columns = box
    height, width = _size(pictures)
    near, far = left / (width - 1), (left + columns - 1) / (width - 1)
    near, far = tf.where(flip, far, near), tf.where(flip, near, far)
    corners = tf.stack([top / (height - 1), near, (top + rows - 1) / (height - 1), far])
    frames = pictures.shape[0]
    x = tf.image.crop_and_resize(
        pictures, tf.tile(corners[None], [frames, 1]), tf.range(frames), [crop, crop]
    )
    x = tf.ensure_shape(x, [frames, crop, crop, _CHANNELS[stream]])
    if stream == "rgb":
        return x
    zoom = tf.stack([tf.where(flip, -crop / columns, crop / columns), crop / rows])
    # The mean takes the byte that stands for no motion along.
    x -= tf.reduce_mean(x, axis=(1, 2), keepdims=True)
    return x * (chosen["scale"][:, None] * zoom)[:, None, None]


def _recoloured(x: tf.Tensor, draws: Tensors, jitter: float) -> tf.Tensor:
    """Brightness, contrast (about the window's mean) and saturation, as one affine map."""
    names = ("brightness", "contrast", "saturation")
    brightness, contrast, saturation = (
        _between(1 - jitter, 1 + jitter, draws[name]) for name in names
    )
    mix = contrast * (saturation * tf.eye(3) + (1 - saturation) / 3)
    shift = tf.reduce_mean(x) * (brightness - contrast)
    mixed = tf.reshape(tf.reshape(x, [-1, 3]) @ mix, x.shape)
    return tf.clip_by_value(mixed + shift, 0.0, 255.0)
