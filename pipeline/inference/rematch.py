"""A former model and a new one asked the same: the classes both know, on the new test clips."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.errors import BundleError
from pipeline.evaluation.predictions import Predictions
from pipeline.files import progress_bar
from pipeline.inference.classifier import Classifier, classify_video

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


class Pair(NamedTuple):
    """Predictions of both for the same clips and classes, one row per clip."""

    challenger: Predictions
    champion: Predictions


def rematch(
    videos: Predictions, bundle: Path, paths: Mapping[str, Path], unfair: Collection[str]
) -> Pair:
    """Let a champion's bundle classify the clips that a challenger was tested on.

    `videos` are the challenger's predictions, one row per clip; `paths` the clips' files. Clips in
    `unfair`, which the champion was trained on, are left out, and so are the clips of classes that
    it does not know. Raises a BundleError where nothing is left to compare.
    """
    classifier = Classifier.load([bundle])
    shared = [name for name in videos.classes if name in classifier.classes]
    if len(shared) < 2:
        raise BundleError(
            f"it knows {', '.join(classifier.classes)}, of which fewer than two are among the "
            f"classes now: {', '.join(videos.classes)}"
        )
    names = np.asarray(videos.classes)[videos.labels]
    fair = np.isin(names, shared) & ~np.isin(videos.clips, list(unfair))
    if not fair.any():
        raise BundleError(
            "it was trained on the clips that are tested on now, or on others of their groups"
        )
    challenger = _restricted(_rows(videos, fair), shared)
    answered = _classified(classifier, challenger, paths)
    return Pair(challenger, answered)


def _rows(videos: Predictions, chosen: NDArray[np.bool_]) -> Predictions:
    return Predictions(
        videos.classes,
        videos.clips[chosen],
        videos.groups[chosen],
        videos.labels[chosen],
        videos.probabilities[chosen],
    )


def _restricted(videos: Predictions, classes: Sequence[str]) -> Predictions:
    """Predictions of clips of these classes, as if there were no others."""
    places = [videos.classes.index(name) for name in classes]
    labels = np.asarray([places.index(label) for label in videos.labels])
    return replace(
        videos,
        classes=tuple(classes),
        labels=labels,
        probabilities=videos.probabilities[:, places],
    )


def _classified(
    classifier: Classifier, videos: Predictions, paths: Mapping[str, Path]
) -> Predictions:
    """What the classifier says of the same clips, of these classes."""
    places = [classifier.classes.index(name) for name in videos.classes]
    rows = [
        classify_video(classifier, paths[clip]).whole.probabilities[places]
        for clip in progress_bar(videos.clips.tolist(), desc="the champion again", unit="clip")
    ]
    return replace(videos, probabilities=np.stack(rows))
