"""What a classifier says of videos, written as JSON lines, as CSV, or as a table for people.

The documents' schema is in docs/classify.md.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.inference.classifier import Answer, Judgement

COLUMNS = ("input", "model", "part", "start", "end", "class", "probability", "error")
NONE = "none of these"
_DIGITS = 6  # of numbers
_NAMED = 3  # classes that people are told


class Writer(Protocol):
    """Writes what became of each video, as soon as it is known."""

    def write(self, name: str, model: str, outcome: Answer | str) -> None:
        """An answer, or the reason why there is none."""


def open_writer(kind: str, stream: TextIO, names: Sequence[str], *, coverage: str | None) -> Writer:
    """A writer of `kind` (table, json or csv) for the videos of these names.

    Tables and JSON tell the prediction set of the stated `coverage`, too.
    """
    if kind == "json":
        return _JsonLines(stream, coverage)
    return _Csv(stream) if kind == "csv" else _Table(stream, names, coverage)


def answer_document(answer: Answer, *, coverage: str | None = None) -> dict[str, Any]:
    """The answer as JSON takes it; with the prediction set of a stated coverage."""
    windows = [
        {**_span(each.start, each.end), **_document(each.judgement, answer.classes)}
        for each in answer.windows
    ]
    return {
        "seconds": round(answer.seconds, _DIGITS),
        **_document(answer.whole, answer.classes),
        **({} if coverage is None else {"set": list(answer.sets[coverage])}),
        "windows": windows,
    }


def ranked(judgement: Judgement, classes: Sequence[str]) -> list[tuple[str, float]]:
    """The classes with their probabilities, the likeliest first."""
    pairs = zip(classes, judgement.probabilities.tolist(), strict=True)
    return sorted(pairs, key=lambda pair: -pair[1])


class _JsonLines:
    def __init__(self, stream: TextIO, coverage: str | None) -> None:
        self._stream, self._coverage = stream, coverage

    def write(self, name: str, model: str, outcome: Answer | str) -> None:
        if isinstance(outcome, str):
            rest: dict[str, Any] = {"error": outcome}
        else:
            rest = answer_document(outcome, coverage=self._coverage)
        document = {"input": name, "model": model, **rest}
        self._stream.write(json.dumps(document, ensure_ascii=False) + "\n")
        self._stream.flush()


class _Csv:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rows = csv.writer(stream, lineterminator="\n")
        self._rows.writerow(COLUMNS)

    def write(self, name: str, model: str, outcome: Answer | str) -> None:
        if isinstance(outcome, str):
            self._rows.writerow([name, model, "video", "", "", "", "", outcome])
        else:
            self._rows.writerows([name, model, *row, ""] for row in _parts(outcome))
        self._stream.flush()


class _Table:
    """A line for each video; of a single one, its windows, too."""

    def __init__(self, stream: TextIO, names: Sequence[str], coverage: str | None) -> None:
        self._stream, self._coverage = stream, coverage
        self._width, self._alone = max(map(len, names), default=0), len(names) == 1
        self._line("video", "seconds", "shows")

    def write(self, name: str, model: str, outcome: Answer | str) -> None:
        if isinstance(outcome, str):
            self._line(name, "–", f"failed: {outcome}")
            return
        self._line(name, f"{outcome.seconds:.1f}", self._shown(outcome))
        for each in outcome.windows if self._alone else ():
            self._line(
                "", f"{each.start:.1f}–{each.end:.1f}", _text(each.judgement, outcome.classes)
            )

    def _shown(self, answer: Answer) -> str:
        text = _text(answer.whole, answer.classes)
        if self._coverage is None:
            return text
        return f"{text}; with {float(self._coverage):.0%}: {', '.join(answer.sets[self._coverage])}"

    def _line(self, name: str, seconds: str, shown: str) -> None:
        self._stream.write(f"{name:{self._width}}  {seconds:>13}  {shown}\n")
        self._stream.flush()


def _parts(answer: Answer) -> Iterator[tuple[object, ...]]:
    """The whole video, then each window: part, start, end, class and its probability."""
    yield "video", 0.0, *_verdict_cells(answer, answer.seconds, answer.whole)
    for each in answer.windows:
        start = round(each.start, _DIGITS)
        yield "window", start, *_verdict_cells(answer, each.end, each.judgement)


def _verdict_cells(answer: Answer, end: float, judgement: Judgement) -> tuple[object, ...]:
    name, probability = ranked(judgement, answer.classes)[0]
    shown = NONE if judgement.is_stranger else name
    return round(end, _DIGITS), shown, round(probability, _DIGITS)


def _document(judgement: Judgement, classes: Sequence[str]) -> dict[str, Any]:
    likely = ranked(judgement, classes)
    return {
        "class": None if judgement.is_stranger else likely[0][0],
        "probabilities": {name: round(probability, _DIGITS) for name, probability in likely},
        "strangeness": round(judgement.strangeness, _DIGITS),
    }


def _span(start: float, end: float) -> dict[str, float]:
    return {"start": round(start, _DIGITS), "end": round(end, _DIGITS)}


def _text(judgement: Judgement, classes: Sequence[str]) -> str:
    """The likeliest classes and their probabilities; or that it is none of them."""
    named = [f"{name} {100 * share:.0f} %" for name, share in ranked(judgement, classes)[:_NAMED]]
    return f"{NONE} (nearest: {named[0]})" if judgement.is_stranger else ", ".join(named)
