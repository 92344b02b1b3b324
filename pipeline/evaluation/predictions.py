"""What a model predicted, and how good that is: accuracies and confusion."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Predictions:
    """Class probabilities of windows, or of whole clips after `by_clip`.

    Row i belongs to clip `clips[i]` of group `groups[i]` and of class `labels[i]` (int, [N]);
    `probabilities` is float32 [N, classes].
    """

    classes: tuple[str, ...]
    clips: np.ndarray
    groups: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray

    @property
    def correct(self) -> np.ndarray:
        """Whether the likeliest class is the true one, bool [N]."""
        return np.asarray(self.probabilities.argmax(axis=1) == self.labels)

    @property
    def accuracy(self) -> float:
        """Share of rows whose likeliest class is the true one."""
        return float(self.correct.mean())

    def predicted_class(self, clip: str) -> str:
        """The likeliest class of the first row of `clip`."""
        row = self.clips.tolist().index(clip)
        return self.classes[int(self.probabilities[row].argmax())]

    def by_clip(self) -> "Predictions":
        """One row per clip, in the order of their names: the mean over its windows."""
        clips, first, rows = np.unique(self.clips, return_index=True, return_inverse=True)
        total = np.zeros((len(clips), len(self.classes)), np.float64)
        np.add.at(total, rows, self.probabilities)
        mean = (total / np.bincount(rows)[:, None]).astype(np.float32)
        return Predictions(self.classes, clips, self.groups[first], self.labels[first], mean)


def fuse(one: Predictions, other: Predictions) -> Predictions:
    """Late fusion: the mean of two models' probabilities, window by window (Simonyan 2014).

    Raises ValueError where they do not cover the same windows.
    """
    if one.classes != other.classes or not np.array_equal(one.clips, other.clips):
        raise ValueError("two models can be fused only over the same windows and classes")
    mean = (one.probabilities + other.probabilities) / 2
    return Predictions(one.classes, one.clips, one.groups, one.labels, mean)


def confusion(predictions: Predictions) -> np.ndarray:
    """Counts, int [true class, predicted class]."""
    counts = np.zeros((len(predictions.classes),) * 2, np.int64)
    np.add.at(counts, (predictions.labels, predictions.probabilities.argmax(axis=1)), 1)
    return counts


def class_accuracies(predictions: Predictions) -> dict[str, float]:
    """Share of each class's rows that are correct."""
    counts = confusion(predictions)
    shares = counts.diagonal() / np.maximum(counts.sum(axis=1), 1)
    return dict(zip(predictions.classes, shares.tolist(), strict=True))


def examples(predictions: Predictions) -> dict[str, str]:
    """Class → its first clip, by name."""
    pairs = sorted(zip(predictions.clips.tolist(), predictions.labels.tolist(), strict=True))
    return {predictions.classes[label]: clip for clip, label in reversed(pairs)}


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write to Parquet: clip, group, label, probabilities; the class names as metadata."""
    table = pa.table(
        {
            "clip": pa.array(predictions.clips.tolist(), pa.string()),
            "group": pa.array(predictions.groups.tolist(), pa.string()),
            "label": pa.array(predictions.labels, pa.int32()),
            "probabilities": pa.array(list(predictions.probabilities), pa.list_(pa.float32())),
        }
    ).replace_schema_metadata({"classes": json.dumps(predictions.classes)})
    pq.write_table(table, path)


def read_predictions(path: Path) -> Predictions:
    """Read what `write_predictions` wrote."""
    table = pq.read_table(path)
    return Predictions(
        classes=tuple(json.loads(table.schema.metadata[b"classes"])),
        clips=np.asarray(table["clip"].to_pylist()),
        groups=np.asarray(table["group"].to_pylist()),
        labels=table["label"].to_numpy(),
        probabilities=np.asarray(table["probabilities"].to_pylist(), np.float32),
    )


def most_confused(predictions: Predictions, count: int) -> Sequence[tuple[str, str, int]]:
    """The `count` most frequent mistakes as (true class, predicted class, times)."""
    counts = confusion(predictions)
    np.fill_diagonal(counts, 0)
    order = np.argsort(counts, axis=None)[::-1][:count]
    pairs = [np.unravel_index(place, counts.shape) for place in order]
    names = predictions.classes
    return [(names[i], names[j], int(counts[i, j])) for i, j in pairs if counts[i, j]]
