"""The comparison of contenders: what their seeds came to, and who beats whom."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pipeline.evaluation.contenders import Pair, Summary
from pipeline.report.html import Section, paragraph, table

LEVEL = 0.05  # a difference that chance brings less often is called one
_HEAD = ("network", "seeds", "mean video accuracy", "95 % interval", "lowest", "highest")


def write_json(path: Path, summaries: Sequence[Summary], pairs: Sequence[Pair]) -> None:
    """Write both as one document."""
    document = {
        "contenders": [asdict(each) for each in summaries],
        "paired": [asdict(each) for each in pairs],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def markdown(summaries: Sequence[Summary]) -> str:
    """Seeds taken together, best first; empty where nobody has more than one."""
    if not _has_seeds(summaries):
        return ""
    lines = [_HEAD, ["---"] * len(_HEAD), *map(_cells, _ranked(summaries))]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def section(summaries: Sequence[Summary], pairs: Sequence[Pair]) -> Section | None:
    """Seeds, where somebody has more than one, and the matrix of differences; None for one row."""
    if not pairs:
        return None
    names = [each.name for each in _ranked(summaries)]
    blocks = [paragraph(_verdict(pairs)), _matrix(names, pairs)]
    if _has_seeds(summaries):
        blocks += [paragraph(_SEEDS), table(_HEAD, map(_cells, _ranked(summaries)))]
    return Section("Who beats whom", tuple(blocks))


_SEEDS = (
    "Trainings that differ in nothing but the seed, taken together. Lowest and highest are single "
    "seeds; the interval draws whole test groups anew, for the mean of the seeds."
)


def _has_seeds(summaries: Sequence[Summary]) -> bool:
    return any(len(each.seeds) > 1 for each in summaries)


def _ranked(summaries: Sequence[Summary]) -> list[Summary]:
    return sorted(summaries, key=lambda each: each.mean, reverse=True)


def _cells(summary: Summary) -> tuple[str, ...]:
    low, high = summary.ci95
    seeds = ", ".join(map(str, summary.seeds))
    shares = (f"{share:.1%}" for share in (summary.lowest, summary.highest))
    return summary.name, seeds, f"{summary.mean:.1%}", f"{low:.1%} – {high:.1%}", *shares


def _verdict(pairs: Sequence[Pair]) -> str:
    found = [_ahead(pair) for pair in pairs if pair.p < LEVEL]
    beyond = (
        f"Beyond chance (p < {LEVEL}): {'; '.join(found)}."
        if found
        else (f"No difference is beyond chance: none has p < {LEVEL}.")
    )
    return (
        f"{beyond} In each cell, by how many points the row is ahead of the column, and p of a "
        f"paired test: how often chance brings as large a lead of either, where both swap places "
        f"in whole test groups. Of the {len(pairs)} pairs, one in twenty would fall below {LEVEL} "
        "were all equally good."
    )


def _ahead(pair: Pair) -> str:
    first, second = (pair.one, pair.other) if pair.difference > 0 else (pair.other, pair.one)
    return f"{first} over {second} ({100 * abs(pair.difference):.1f} points, p {pair.p:.3f})"


def _matrix(names: Sequence[str], pairs: Sequence[Pair]) -> str:
    leads = {(pair.one, pair.other): (pair.difference, pair.p) for pair in pairs}
    leads |= {(pair.other, pair.one): (-pair.difference, pair.p) for pair in pairs}
    rows = [(one, *(_lead(leads.get((one, other))) for other in names)) for one in names]
    return table(("ahead of", *names), rows)


def _lead(found: tuple[float, float] | None) -> str:
    return f"{100 * found[0] + 0.0:+.1f} (p {found[1]:.3f})" if found else "–"
