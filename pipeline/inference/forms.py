"""The forms of one network, run beside each other and judged on the same windows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from pipeline.evaluation.predict import Collected, inference, names_of
from pipeline.files import content_hash
from pipeline.inference.calibration import probabilities
from pipeline.inference.card import Form
from pipeline.inference.convert import FILES
from pipeline.inference.runtime import LiteRT, Onnx, Outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.evaluation.predictions import Predictions

    Windows = NDArray[np.float32]
    Classify = Callable[[Windows], NDArray[np.float32]]  # windows to probabilities

KERAS = "keras"


class Clips(NamedTuple):
    """Means over each clip's windows, the clips' labels, int [N], and their names."""

    outputs: Outputs
    labels: NDArray[np.int32]
    names: NDArray[np.str_]

    def only(self, chosen: NDArray[np.bool_]) -> Clips:
        """The chosen ones."""
        outputs = Outputs(*(each[chosen] for each in self.outputs))
        return Clips(outputs, self.labels[chosen], self.names[chosen])


def one_thread() -> None:
    """Let TensorFlow compute on one thread, as the others do; before it computes."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def open_keras(path: Path) -> Classify:
    """The trained network as its compiled function."""
    infer = inference(keras.saving.load_model(path, compile=False))
    return lambda windows: infer(windows).numpy()


def open_form(folder: Path, form: str) -> Classify:
    """A form of the bundle in `folder`, on one thread."""
    runtime = Onnx(folder / FILES[form]) if form == "onnx" else LiteRT(folder / FILES[form])
    return lambda windows: probabilities(runtime(windows).logits, 1.0)


def predict_forms(
    forms: Mapping[str, Classify],
    windows: Iterable[tuple[tf.Tensor, tf.Tensor, tf.Tensor]],
    *,
    classes: Sequence[str],
    groups: Mapping[str, str],
) -> dict[str, Predictions]:
    """What each form says of each window, in one pass over (x, labels, clips)."""
    answers = {form: Collected() for form in forms}
    with ThreadPoolExecutor() as pool:
        for x, labels, clips in windows:
            batch, names = x.numpy(), names_of(clips)
            found = pool.map(lambda form: forms[form](batch), forms)  # noqa: B023 - used at once
            for form, each in zip(forms, found, strict=True):
                answers[form].add(each, labels.numpy(), names)
    return {
        form: each.predictions(classes=classes, groups=groups) for form, each in answers.items()
    }


def judged(path: Path, predictions: Predictions, trained: Predictions, latency: float) -> Form:
    """The card's entry of a form: its file, and how well it does beside the trained network."""
    videos, reference = predictions.by_clip(), trained.by_clip()
    same = videos.probabilities.argmax(axis=1) == reference.probabilities.argmax(axis=1)
    return Form(
        file=path.name,
        sha256=content_hash(path),
        size_bytes=path.stat().st_size,
        clip_accuracy=predictions.accuracy,
        video_accuracy=videos.accuracy,
        agreement=float(same.mean()),
        max_difference=float(np.abs(predictions.probabilities - trained.probabilities).max()),
        latency_ms=latency,
    )


def clip_means(
    runtime: LiteRT, dataset: Iterable[tuple[tf.Tensor, tf.Tensor, tf.Tensor]], windows: int
) -> Clips:
    """What the network says of each clip of (x, labels, clips), which come `windows` at a time."""
    answers, labels, names = [], [], []
    for x, batch_labels, clips in dataset:
        answers.append(runtime(x.numpy()))
        labels.append(batch_labels.numpy())
        names.extend(names_of(clips))
    whole = [np.concatenate(each) for each in zip(*answers, strict=True)]
    outputs = Outputs(*(each.reshape(-1, windows, each.shape[1]) for each in whole))
    return Clips(outputs.by_clip(), np.concatenate(labels)[::windows], np.array(names)[::windows])
