"""The report's part on how much models use time."""

from collections.abc import Sequence

from pipeline.report.comparison import Row
from pipeline.report.html import Section, template


def section(rows: Sequence[Row]) -> Section | None:
    """Accuracies as windows are, still and shuffled; None where no row has controls."""
    controlled = [row for row in rows if row.ordered_accuracy is not None]
    if not controlled:
        return None
    ordered = sorted(controlled, key=lost_to_stillness, reverse=True)
    body = template("time_use.html").use_of_time(_verdict(ordered), map(_cells, ordered))
    return Section("Use of time", body)


def lost_to_stillness(row: Row) -> float:
    """Share of clips that are correct as they are and no longer if nothing moves."""
    return (row.ordered_accuracy or 0.0) - (row.still_accuracy or 0.0)


def lost_to_shuffling(row: Row) -> float:
    """Share of clips that are correct as they are and no longer if frames are shuffled."""
    return (row.ordered_accuracy or 0.0) - (row.shuffled_accuracy or 0.0)


def _verdict(rows: Sequence[Row]) -> str:
    most, least = rows[0], rows[-1]
    if len(rows) == 1:
        return f"{most.name} loses {_points(lost_to_stillness(most))} where nothing moves."
    return (
        f"{most.name} uses time most: it loses {_points(lost_to_stillness(most))} where nothing "
        f"moves; {least.name} least, {_points(lost_to_stillness(least))}. Out of order, "
        f"{_most_shuffled(rows)}."
    )


def _most_shuffled(rows: Sequence[Row]) -> str:
    row = max(rows, key=lost_to_shuffling)
    return f"{row.name} loses most, {_points(lost_to_shuffling(row))}"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def _cells(row: Row) -> tuple[str, ...]:
    shares = (row.ordered_accuracy, row.still_accuracy, row.shuffled_accuracy)
    ordered, still, shuffled = (f"{share or 0:.1%}" for share in shares)
    still_lost, shuffled_lost = lost_to_stillness(row), lost_to_shuffling(row)
    return row.name, ordered, still, f"{still_lost:.1%}", shuffled, f"{shuffled_lost:.1%}"
