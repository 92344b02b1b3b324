"""The comparison of candidates: accuracy over seeds, and paired tests."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pipeline.evaluation.candidates import Pair, Summary
from pipeline.report.html import Section, template
from pipeline.report.markdown import table

LEVEL = 0.05  # of significance
_HEAD = ("network", "seeds", "mean video accuracy", "95% interval", "lowest", "highest")


def write_json(path: Path, summaries: Sequence[Summary], pairs: Sequence[Pair]) -> None:
    """Write both as one document."""
    document = {
        "candidates": [asdict(each) for each in summaries],
        "paired": [asdict(each) for each in pairs],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def markdown(summaries: Sequence[Summary]) -> str:
    """A table of candidates, best first; empty where none has more than one seed."""
    if not _has_seeds(summaries):
        return ""
    return "\n" + table(_HEAD, map(_cells, _ranked(summaries)))


def section(summaries: Sequence[Summary], pairs: Sequence[Pair]) -> Section | None:
    """The matrix of differences, and the seeds if any candidate has several; None for one row."""
    if not pairs:
        return None
    names = [each.name for each in _ranked(summaries)]
    seeds = [_HEAD, *map(_cells, _ranked(summaries))] if _has_seeds(summaries) else []
    body = template("candidates.html").differences(
        significant=[_ahead(pair) for pair in pairs if pair.p < LEVEL],
        level=LEVEL,
        pairs=len(pairs),
        matrix=[("difference to", *names), *_matrix(names, pairs)],
        seeds=seeds,
    )
    return Section("Differences between candidates", body)


def _has_seeds(summaries: Sequence[Summary]) -> bool:
    return any(len(each.seeds) > 1 for each in summaries)


def _ranked(summaries: Sequence[Summary]) -> list[Summary]:
    return sorted(summaries, key=lambda each: each.mean, reverse=True)


def _cells(summary: Summary) -> tuple[str, ...]:
    low, high = summary.ci95
    seeds = ", ".join(map(str, summary.seeds))
    shares = (f"{share:.1%}" for share in (summary.lowest, summary.highest))
    return summary.name, seeds, f"{summary.mean:.1%}", f"{low:.1%} – {high:.1%}", *shares


def _ahead(pair: Pair) -> str:
    first, second = (pair.one, pair.other) if pair.difference > 0 else (pair.other, pair.one)
    return f"{first} over {second} ({100 * abs(pair.difference):.1f} points, p {pair.p:.3f})"


def _matrix(names: Sequence[str], pairs: Sequence[Pair]) -> list[tuple[str, ...]]:
    leads = {(pair.one, pair.other): (pair.difference, pair.p) for pair in pairs}
    leads |= {(pair.other, pair.one): (-pair.difference, pair.p) for pair in pairs}
    return [(one, *(_lead(leads.get((one, other))) for other in names)) for one in names]


def _lead(found: tuple[float, float] | None) -> str:
    return f"{100 * found[0] + 0.0:+.1f} (p {found[1]:.3f})" if found else "–"
