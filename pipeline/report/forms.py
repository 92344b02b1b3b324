"""The report's part on the forms of each model: what they cost, and what they keep."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.report.comparison import Row
from pipeline.report.html import Section, template
from pipeline.report.markdown import table

_HEAD = (
    *("model", "form", "size", "video accuracy", "clip accuracy"),
    *("agreement", "difference", "latency"),
)


def markdown(rows: Sequence[Row]) -> str:
    """A table with one row per form of each model."""
    return table(_HEAD, _cells(rows))


def section(rows: Sequence[Row]) -> Section | None:
    """The same table, after what int8 changes; None where no model was exported."""
    exported = [row for row in rows if row.forms]
    if not exported:
        return None
    body = template("forms.html").forms(_verdict(exported), _HEAD, _cells(exported))
    return Section("Forms for inference", body)


def _cells(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        for name, form in row.forms.items():
            yield row.name, name, *_measured(form)


def _measured(form: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"{form['size_bytes'] / 1e6:.2f} MB",
        f"{form['video_accuracy']:.1%}",
        f"{form['clip_accuracy']:.1%}",
        f"{form['agreement']:.1%}",
        f"{form['max_difference']:.1g}",
        f"{form['latency_ms']:.1f} ms",
    )


def _verdict(rows: Sequence[Row]) -> str:
    """What the integers of int8 cost at most, and what they save at least."""
    lost = max(_against("keras", row, "video_accuracy") for row in rows)
    smaller = max(_ratio("float32", row, "size_bytes") for row in rows)
    faster = max(_ratio("keras", row, "latency_ms") for row in rows)
    return (
        f"int8 loses {100 * max(lost, 0):.1f} points of video accuracy at most; it has at most "
        f"{smaller:.0%} of the size of float32 and takes at most {faster:.0%} of Keras' time."
    )


def _against(form: str, row: Row, name: str) -> float:
    return float(row.forms[form][name] - row.forms["int8"][name])


def _ratio(form: str, row: Row, name: str) -> float:
    return float(row.forms["int8"][name] / row.forms[form][name])
