"""The report's part on the models: the comparison, how they learned, what they confuse."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.report import curves, forms, time_use
from pipeline.report.comparison import Row, measured
from pipeline.report.curves import Epochs
from pipeline.report.figures import png
from pipeline.report.html import Section, template


@dataclass(frozen=True)
class ModelDetails:
    """A trained model: its epochs, its confusion matrix (a picture), its commonest mistakes."""

    name: str
    epochs: Epochs
    confusion: Path
    mistakes: Sequence[tuple[str, str, int]]  # true class, predicted class, times


def lead(rows: Sequence[Row]) -> str:
    """The most accurate model in one sentence."""
    best = _ranked(rows)[0]
    low, high = best.video_accuracy_ci95
    return (
        f"{best.name} classifies {best.video_accuracy:.1%} of {best.test_clips} test clips "
        f"in {best.classes} classes correctly (95% interval {low:.1%} to {high:.1%})."
    )


def sections(
    rows: Sequence[Row],
    picture: bytes,
    models: Sequence[ModelDetails],
    tested: Section | None = None,
) -> list[Section]:
    """The sections on the models; `picture` is the comparison's figure.

    `tested` has the differences between candidates.
    """
    part = template("models_part.html")
    learned = curves.figure({model.name: model.epochs for model in models})
    ranked = map(_cells, _ranked(rows))
    found = [
        Section("Comparison", part.comparison(_doubt(rows), ranked, picture, _costs(rows))),
        tested,
        forms.section(rows),
        Section("Training", part.training(_overfitted(models), png(learned, dpi=130))),
        time_use.section(rows),
        Section("Confusion", part.confusion(models)),
    ]
    return [each for each in found if each]


def _doubt(rows: Sequence[Row]) -> str:
    """Which other models may be the best, given the intervals."""
    best, *others = _ranked(rows)
    near = [row.name for row in others if row.video_accuracy_ci95[1] >= best.video_accuracy]
    if near:
        verdict = (
            f"The intervals of {_listed(near)} reach up to the best one's accuracy: "
            f"with {best.test_groups} test groups, that much may be chance."
        )
    else:
        verdict = "No other model's interval reaches up to the best one's accuracy."
    return (
        f"{verdict} Intervals take test groups as the independent units, for clips of a group "
        f"are near-duplicates. Guessing would reach {1 / best.classes:.0%}."
    )


def _cells(row: Row) -> tuple[str, ...]:
    interval = "{:.1%} – {:.1%}".format(*row.video_accuracy_ci95)
    return row.name, f"{row.video_accuracy:.1%}", interval, *measured(row)


def _costs(rows: Sequence[Row]) -> str:
    single = [row for row in rows if "+" not in row.stream]

    def least(cost: Callable[[Row], float]) -> Row:
        return min(single, key=cost)

    small, quick = least(lambda row: row.parameters), least(lambda row: row.train_seconds)
    fast = least(lambda row: row.latency_ms)
    return (
        f"{small.name} is the smallest ({small.parameters / 1e6:.2f} M parameters), "
        f"{quick.name} trained in the least time ({quick.train_seconds / 60:.1f} min), "
        f"{fast.name} is the fastest ({fast.latency_ms:.0f} ms per window). GFLOPs are for "
        f"one window forward. Measured on {small.hardware}, {small.threads} threads, "
        f"{small.precision}; split {small.split}."
    )


def _overfitted(models: Sequence[ModelDetails]) -> list[str] | None:
    """Who fits its training clips much better than those it has not seen; None: not known."""
    validated = [each for each in models if "val_loss" in each.epochs[0]]
    if not validated:
        return None
    last = {each.name: each.epochs[-1] for each in validated}
    return [
        f"{name} ({row['accuracy']:.0%} against {row['val_accuracy']:.0%})"
        for name, row in last.items()
        if row["accuracy"] - row["val_accuracy"] > 0.1
    ]


def _ranked(rows: Sequence[Row]) -> list[Row]:
    """Best first; where videos tell no difference, windows do."""
    return sorted(rows, key=lambda row: (row.video_accuracy, row.clip_accuracy), reverse=True)


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
