"""What several models got wrong: the clips that most of them misclassify, the pairs they mix up."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.predictions import Predictions, confusion


@dataclass(frozen=True)
class MisclassifiedClip:
    """A clip that some models got wrong, and the class that each predicted."""

    clip: str
    class_name: str
    predicted: Mapping[str, str]  # model → class


@dataclass(frozen=True)
class ClosePair:
    """Two classes, and the share of their clips that are taken for the other one."""

    one: str
    other: str
    confused: float


def most_misclassified(models: Mapping[str, Predictions], count: int) -> list[MisclassifiedClip]:
    """The `count` clips that most models get wrong, one of a group; then the least likely to all.

    `models` are predictions of the same clips, one row per clip, by the model's name.
    """
    first = next(iter(models.values()))
    wrong = np.sum([~each.correct for each in models.values()], axis=0)
    likely = np.mean([_of_truth(each) for each in models.values()], axis=0)
    chosen: dict[str, int] = {}
    for place in np.lexsort((likely, -wrong)):
        if wrong[place]:
            chosen.setdefault(str(first.groups[place]), int(place))
    return [_misclassified(models, place) for place in list(chosen.values())[:count]]


def confused_pairs(models: Mapping[str, Predictions], count: int) -> Sequence[tuple[str, str, int]]:
    """The `count` pairs of classes most often confused, in either direction, by all models."""
    found: Counter[tuple[str, str]] = Counter()
    for each in models.values():
        predicted = each.probabilities.argmax(axis=1)
        for label, guess in zip(each.labels[~each.correct], predicted[~each.correct], strict=True):
            one, other = sorted((each.classes[label], each.classes[guess]))
            found[one, other] += 1
    return [(*pair, times) for pair, times in found.most_common(count)]


def close_pairs(videos: Predictions, count: int) -> list[ClosePair]:
    """The `count` pairs of classes that are confused most, in either direction."""
    counts = confusion(videos)
    clips = counts.sum(axis=1)
    shares = (counts + counts.T) / np.maximum(clips[:, None] + clips, 1)
    pairs = list(zip(*np.triu_indices_from(shares, k=1), strict=True))
    ranked = sorted(pairs, key=lambda pair: -shares[pair])[:count]
    names = videos.classes
    return [
        ClosePair(names[one], names[other], float(shares[one, other]))
        for one, other in ranked
        if shares[one, other]
    ]


def _of_truth(videos: Predictions) -> np.ndarray:
    """The probability of the true class, float32 [clips]."""
    return np.asarray(videos.probabilities[np.arange(len(videos.labels)), videos.labels])


def _misclassified(models: Mapping[str, Predictions], place: int) -> MisclassifiedClip:
    first = next(iter(models.values()))
    predicted = {
        name: each.classes[each.probabilities[place].argmax()]
        for name, each in models.items()
        if not each.correct[place]
    }
    return MisclassifiedClip(str(first.clips[place]), first.classes[first.labels[place]], predicted)
