"""How much a model uses time: what it says once the frames of a window tell less of it.

Two controls, each on the same one window of every clip as the answer that it is compared with:
`still` shows the middle frame in the place of all, so that nothing moves; `shuffled` shows all
frames in another order. A model that uses single frames only loses nothing under either. Models
never trained on such windows: a loss shows what a model relies on, not what is necessary.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from pipeline.evaluation.predict import Collected, Inference, names_of
from pipeline.evaluation.predictions import Predictions

ORDERED = "ordered"


def still(frames: int, clip: str) -> np.ndarray:
    """The middle frame, at every place."""
    return np.full(frames, frames // 2)


def shuffled(frames: int, clip: str) -> np.ndarray:
    """All frames in an order drawn for the clip: the same at every call, for every model."""
    return np.random.default_rng(zlib.crc32(clip.encode())).permutation(frames)


CONTROLS: dict[str, Callable[[int, str], np.ndarray]] = {"still": still, "shuffled": shuffled}


def predict_with_controls(
    infer: Inference,
    windows: tf.data.Dataset,
    *,
    place: int,
    classes: Sequence[str],
    groups: Mapping[str, str],
) -> tuple[Predictions, dict[str, Predictions]]:
    """What `predict` gives, and in the same pass the answers to window `place` of each clip.

    These by name: as it is (`ordered`), and under each of `CONTROLS`. One window a clip, since a
    control of them all would cost as much as the evaluation.
    """
    everything = Collected()
    one = {name: Collected() for name in (ORDERED, *CONTROLS)}
    seen: Counter[str] = Counter()
    for x, labels, names in windows:
        clips, probabilities = names_of(names), infer(x).numpy()
        everything.add(probabilities, labels.numpy(), clips)
        rows = _rows_at(place, clips, seen)
        if not rows:
            continue
        chosen, known = [clips[row] for row in rows], labels.numpy()[rows]
        one[ORDERED].add(probabilities[rows], known, chosen)
        for name, order in CONTROLS.items():
            shown = in_order(tf.gather(x, rows), [order(x.shape[1], clip) for clip in chosen])
            one[name].add(infer(shown).numpy(), known, chosen)
    return everything.predictions(classes=classes, groups=groups), {
        name: answers.predictions(classes=classes, groups=groups) for name, answers in one.items()
    }


def in_order(x: tf.Tensor, orders: Sequence[np.ndarray]) -> tf.Tensor:
    """Windows [B, T, H, W, C], each with its frames at the places that its order names."""
    return tf.gather(x, np.stack(orders), axis=1, batch_dims=1)


def _rows_at(place: int, clips: Sequence[str], seen: Counter[str]) -> list[int]:
    """The rows of a batch that are window number `place` of their clip; `seen` is updated."""
    rows = []
    for row, clip in enumerate(clips):
        if seen[clip] == place:
            rows.append(row)
        seen[clip] += 1
    return rows
