"""Classify videos by a bundle's network, or by two whose probabilities are averaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from zipfile import BadZipFile

import numpy as np

from pipeline.errors import BundleError, ClipError
from pipeline.files import content_hash
from pipeline.inference.calibration import prediction_set, probabilities
from pipeline.inference.card import read_card
from pipeline.inference.runtime import LiteRT, Outputs
from pipeline.inference.strangers import ARRAYS, stranger_score
from pipeline.inference.windows import Coverage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.inference.card import Card, Sampling
    from pipeline.inference.windows import Step, Window
    from pipeline.params import Stream

FORM = "float32"  # as exact as the trained network


class Judgement(NamedTuple):
    """What a part of a video shows."""

    probabilities: NDArray[np.float32]  # [classes], calibrated
    strangeness: float  # the score less its threshold

    @property
    def is_stranger(self) -> bool:
        """Whether it is none of the classes."""
        return self.strangeness > 0


class JudgedWindow(NamedTuple):
    """A window's span in seconds, and what it shows."""

    start: float
    end: float
    judgement: Judgement


@dataclass(frozen=True)
class Answer:
    """What a video shows: as a whole, and window by window."""

    classes: tuple[str, ...]
    seconds: float  # as long as there are sampled frames
    whole: Judgement
    windows: tuple[JudgedWindow, ...]
    sets: Mapping[str, tuple[str, ...]]  # stated coverage → the classes that it takes


class Network:
    """A bundle's network. Only its card, a .npz without pickles and a .tflite are ever read."""

    def __init__(self, folder: Path, *, form: str = FORM, threads: int = 1) -> None:
        """Raises a BundleError where the bundle is not whole, or not what its card describes."""
        self.card = read_card(folder)
        self._run = LiteRT(_checked_file(folder, self.card, form), threads=threads)
        self._strangers = _arrays(folder / ARRAYS)

    def outputs(self, window: Window) -> Outputs:
        """Logits [1, classes] and features [1, D] of a window."""
        outputs = self._run(window.pixels(self.card.window)[None])
        if outputs.logits.shape != (1, len(self.card.classes)):
            raise BundleError(
                f"the network of {self.card.name} answers with {outputs.logits.shape[1]} classes, "
                f"its card with {len(self.card.classes)}; export the model again"
            )
        return outputs

    def judgement(self, outputs: Outputs) -> Judgement:
        """What one row of outputs means."""
        chances = probabilities(outputs.logits[0], self.card.calibration.temperature)
        score = stranger_score(self.card.rejection, self._strangers, outputs)
        return Judgement(chances, float(score[0]) - self.card.rejection.threshold)

    def members(self, outputs: Outputs, coverage: str) -> NDArray[np.bool_]:
        """Which classes are in the set of this stated coverage, [classes]."""
        threshold = self.card.calibration.conformal[coverage]
        return prediction_set(self.judgement(outputs).probabilities, threshold)


class Classifier:
    """One network, or several of the same classes and windows (rgb and flow, say).

    Late fusion, as in evaluation: the mean of their probabilities. None of the classes is what all
    of them reject; a prediction set is the union of theirs, which covers no less.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        """Raises a BundleError where they cannot be averaged."""
        self.networks = tuple(networks)
        first, *others = (network.card for network in networks)
        for other in others:
            _demand_alike(first, other)
        self.classes = first.classes
        self.name = "+".join(network.card.name for network in networks)
        self.sampling: Sampling = first.sampling
        self.streams: frozenset[Stream] = frozenset(each.card.window.stream for each in networks)
        self.coverage = Coverage.of(first)

    @classmethod
    def load(cls, folders: Sequence[Path], *, form: str = FORM, threads: int = 1) -> Classifier:
        """The classifier of these bundles."""
        return cls([Network(folder, form=form, threads=threads) for folder in folders])

    def answer(self, steps: Iterable[Step]) -> Answer:
        """What the video of these steps shows; a ClipError if there are none."""
        counted = _Counted(steps)
        spans, outputs = [], []
        for window in self.coverage.cut(counted):
            spans.append((window.start, window.end))
            outputs.append([network.outputs(window) for network in self.networks])
        if not spans:
            raise ClipError("none of its frames is shown for any time")
        by_network = [_stacked(each) for each in zip(*outputs, strict=True)]
        means = [Outputs(*(part[None] for part in each)).by_clip() for each in by_network]
        windows = [
            JudgedWindow(start, end, self.judgement([self._around(i, each) for each in by_network]))
            for i, (start, end) in enumerate(spans)
        ]
        seconds = counted.seen / self.sampling.fps
        return Answer(
            self.classes, seconds, self.judgement(means), tuple(windows), self._sets(means)
        )

    def _around(self, window: int, outputs: Outputs) -> Outputs:
        """A window's own logits, and the mean features of as many windows around it as a clip has.

        The threshold of strangers was fitted on such means; a single window's features vary more.
        """
        width = self.coverage.windows
        start = min(max(window - width // 2, 0), max(len(outputs.logits) - width, 0))
        features = outputs.features[start : start + width].mean(axis=0, keepdims=True)
        return Outputs(outputs.logits[window : window + 1], features)

    def judgement(self, outputs: Sequence[Outputs]) -> Judgement:
        """What one row of each network's outputs means together."""
        judged = [net.judgement(each) for net, each in zip(self.networks, outputs, strict=True)]
        mean = np.mean([each.probabilities for each in judged], axis=0)
        return Judgement(np.asarray(mean, np.float32), min(each.strangeness for each in judged))

    @property
    def coverages(self) -> list[str]:
        """The coverages that prediction sets are there for, as cards state them."""
        stated = [network.card.calibration.conformal.keys() for network in self.networks]
        return sorted(set.intersection(*map(set, stated)))

    def _sets(self, outputs: Sequence[Outputs]) -> dict[str, tuple[str, ...]]:
        members = {coverage: self._members(outputs, coverage) for coverage in self.coverages}
        names = np.asarray(self.classes)
        return {coverage: tuple(names[taken].tolist()) for coverage, taken in members.items()}

    def _members(self, outputs: Sequence[Outputs], coverage: str) -> NDArray[np.bool_]:
        """Which classes are in any network's set, [classes]."""
        sets = [
            net.members(each, coverage) for net, each in zip(self.networks, outputs, strict=True)
        ]
        return np.asarray(np.logical_or.reduce(sets))


def classify_video(classifier: Classifier, path: Path) -> Answer:
    """What a video file shows; a ClipError if it is not one, or is damaged."""
    # Here, since frames that are there already need neither PyAV nor OpenCV.
    from pipeline.inference.frames import ahead, video_steps

    with ahead(video_steps(path, classifier.sampling, classifier.streams)) as steps:
        return classifier.answer(steps)


def _stacked(outputs: Sequence[Outputs]) -> Outputs:
    """One network's outputs of all windows, a row each."""
    return Outputs(*map(np.concatenate, zip(*outputs, strict=True)))


class _Counted:
    """Steps, counted as they are taken."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._steps = steps
        self.seen = 0

    def __iter__(self) -> Iterator[Step]:
        for step in self._steps:
            self.seen += 1
            yield step


def _checked_file(folder: Path, card: Card, form: str) -> Path:
    """The file of a form, if it is the one that the card describes."""
    if form not in card.forms:
        raise BundleError(f"{folder} has no form {form!r}; it has {', '.join(card.forms)}")
    path = folder / card.forms[form].file
    try:
        found = content_hash(path)
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read ({error.strerror}); copy the bundle again"
        ) from error
    if found != card.forms[form].sha256:
        raise BundleError(
            f"{path} is not the file that its card describes: its SHA-256 is {found[:12]}…, not "
            f"{card.forms[form].sha256[:12]}…; copy the bundle again, or export it again"
        )
    return path


def _arrays(path: Path) -> dict[str, NDArray[np.float32]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, TypeError, BadZipFile) as error:
        raise BundleError(f"{path} cannot be read: {error}; copy the bundle again") from error


def _demand_alike(one: Card, other: Card) -> None:
    """Refuse two networks that do not judge the same windows by the same classes."""
    for what, first, second in (
        ("classes", one.classes, other.classes),
        ("sampling", one.sampling, other.sampling),
        ("windows", _times(one), _times(other)),
    ):
        if first != second:
            raise BundleError(
                f"{one.name} and {other.name} cannot be averaged: their {what} differ, {first} and "
                f"{second}; name models of one training"
            )


def _times(card: Card) -> tuple[int, float, float, int]:
    spec = card.window
    return spec.frames, spec.stride, spec.fps, card.windows
