"""Check the reference work's claims: `python -m benchmarks.claims` writes docs/claims.md.

Accuracies and costs are read from accuracy.json. Sequential networks process frames one by one
(CNN + LSTM); joint networks convolve space and time together.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from pipeline.evaluation.candidates import Pair
from pipeline.models import ARCHITECTURES, SCRATCH
from pipeline.report.candidates import LEVEL
from pipeline.report.comparison import Row
from pipeline.report.markdown import table

PAGE = Path(__file__).parents[1] / "docs/claims.md"
ACCURACY = Path(__file__).with_name("accuracy.json")
KINDS = {name: each.kind for name, each in ARCHITECTURES.items()}

MARGIN = 0.03  # of accuracy: gains that differ by less are a handful of clips
ALIKE = 0.03  # of a cost: trainings that the same minutes end differ by less


@dataclass(frozen=True)
class Claim:
    """A claim, whether the measurements support it (None: they do not decide), and the evidence."""

    text: str
    holds: bool | None
    evidence: str

    @property
    def verdict(self) -> str:
        """In words: supported, not supported or undecided."""
        return {True: "supported", False: "not supported", None: "undecided"}[self.holds]


def main() -> None:
    """Write docs/claims.md."""
    PAGE.write_text(page(json.loads(ACCURACY.read_text(encoding="utf-8"))), encoding="utf-8")


def page(accuracy: dict[str, Any]) -> str:
    """The page in Markdown: the networks, then each claim with its verdict."""
    rows = [Row(**row) for row in accuracy["rows"]]
    pairs = [Pair(**pair) for pair in accuracy["paired"]]
    networks, by_frames = networks_of(rows), by_length(accuracy["candidates"])
    found = claims(rows, pairs, by_frames)
    return _PAGE.format(
        level=LEVEL,
        clips=accuracy["test_clips"],
        groups=accuracy["test_groups"],
        classes=accuracy["classes"],
        networks=table(_HEAD, [_cells(n, seeds, by_frames[n]) for n, seeds in networks.items()]),
        claims=table(
            ("claim", "verdict", "measured"), [(c.text, c.verdict, c.evidence) for c in found]
        ),
    )


def claims(
    rows: Sequence[Row], pairs: Sequence[Pair], lengths: dict[str, dict[int, float]]
) -> list[Claim]:
    """Check each claim; `lengths` is video accuracy by architecture and frames per window."""
    facts = _Facts(networks_of(rows), pairs, lengths)
    return [
        facts.most_accurate("vgg_lstm", "VGG+LSTM is the most accurate (90 %)"),
        facts.extreme("vgg_lstm", "parameters", "VGG+LSTM has the most parameters (5.5 M)", max),
        facts.more_accurate(
            "vgg_lstm", "resnet_lstm", "ResNet+LSTM (77 %) is less accurate than VGG+LSTM"
        ),
        facts.slower_to_train("resnet_lstm", "vgg_lstm", "ResNet+LSTM trains four times as long"),
        facts.extreme("r2plus1d", "parameters", "(2+1)D has the fewest parameters (0.44 M)", min),
        facts.fails("csn", "CSN fails (18 %): limited data and training complexity"),
        facts.extreme("csn", "train_seconds", "CSN takes longest to train (3 h)", max),
        facts.kinds("parameters", "Sequential models are the simpler ones", 1e-6, "M parameters"),
        facts.kinds("latency_ms", "Joint models are faster", 1, "ms per window", joint=True),
        facts.forgets("Sequential models forget: longer windows help them less"),
    ]


_PAGE = """# Claims of the reference work

Written by `python -m benchmarks.claims` from [accuracy.json](../benchmarks/accuracy.json).

The reference work compared four networks of these names on nine classes of UCF101, on a split that
it does not state. Here they are evaluated on {clips} test clips of {groups} groups in {classes}
classes. Values are means over trainings, on rgb, trained from scratch. A difference in accuracy
counts if the paired test over groups gives p < {level}. Training times are of one machine.
Sequential networks process frames one by one (CNN + LSTM); joint networks convolve space and time
together. Accuracies at 16 and 32 frames are of the weights trained at 8.

{networks}
{claims}"""


def networks_of(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The trainings of each architecture, on rgb and from scratch."""
    chosen = [row for row in rows if row.stream == "rgb" and row.backbone == SCRATCH]
    return {
        name: seeds for name in KINDS if (seeds := [r for r in chosen if r.architecture == name])
    }


def by_length(candidates: Sequence[dict[str, Any]]) -> dict[str, dict[int, float]]:
    """Video accuracy by architecture and frames per window, of the candidates on rgb."""
    return {
        each["name"].removesuffix(" (rgb)"): {
            int(frames): share for frames, share in each["by_frames"].items()
        }
        for each in candidates
        if "by_frames" in each
    }


def _mean(seeds: Sequence[Row], field: str) -> float:
    return float(mean(getattr(row, field) for row in seeds))


_HEAD = ("network", "kind", "video accuracy by frames", "parameters", "size", "training")
_HEAD += ("GFLOPs", "latency")


def _cells(name: str, seeds: Sequence[Row], lengths: dict[int, float]) -> tuple[str, ...]:
    return (
        name,
        KINDS[name],
        ", ".join(f"{frames}: {share:.1%}" for frames, share in lengths.items()),
        f"{_mean(seeds, 'parameters') / 1e6:.2f} M",
        f"{_mean(seeds, 'size_bytes') / 1e6:.1f} MB",
        f"{_mean(seeds, 'train_seconds') / 60:.1f} min",
        f"{_mean(seeds, 'gflops'):.2f}",
        f"{_mean(seeds, 'latency_ms'):.0f} ms",
    )


_UNITS: dict[str, Callable[[float], str]] = {
    "parameters": lambda value: f"{value / 1e6:.2f} M",
    "train_seconds": lambda value: f"{value / 60:.1f} min",
}


class _Facts:
    """The measurements that the claims are checked against."""

    def __init__(
        self,
        nets: dict[str, list[Row]],
        pairs: Sequence[Pair],
        lengths: dict[str, dict[int, float]],
    ) -> None:
        self.nets, self.lengths = nets, lengths
        self.accuracy = {name: _mean(seeds, "video_accuracy") for name, seeds in nets.items()}
        self._leads = {(pair.one, pair.other): (pair.difference, pair.p) for pair in pairs}

    def most_accurate(self, name: str, text: str) -> Claim:
        """Against the best of the others."""
        return self.more_accurate(name, self._best_but(name), text)

    def more_accurate(self, name: str, other: str, text: str) -> Claim:
        """Undecided unless the paired test is significant."""
        difference, p = self._lead(name, other)
        shares = f"{self.accuracy[name]:.1%} against {self.accuracy[other]:.1%} of {other}"
        holds = difference > 0 if p < LEVEL else None
        return Claim(text, holds, f"{name} {shares} (p {p:.3f})")

    def extreme(self, name: str, field: str, text: str, which: Callable[..., float]) -> Claim:
        """The most or the least of something; undecided where another has as much."""
        values = {each: _mean(seeds, field) for each, seeds in self.nets.items()}
        rival = which(value for each, value in values.items() if each != name)
        ahead = which(values[name], rival) == values[name]
        holds = ahead if abs(values[name] - rival) > ALIKE * rival else None
        shown = ", ".join(f"{each} {_UNITS[field](value)}" for each, value in values.items())
        return Claim(text, holds, shown)

    def slower_to_train(self, name: str, other: str, text: str) -> Claim:
        """Supported if it takes at least twice as long, halfway to the claim."""
        one, two = (_mean(self.nets[each], "train_seconds") / 60 for each in (name, other))
        return Claim(text, one >= 2 * two, f"{name} {one:.1f} min, {other} {two:.1f} min")

    def fails(self, name: str, text: str) -> Claim:
        """Supported if its accuracy is less than half that of the best."""
        best = self._best_but(name)
        share, other = self.accuracy[name], self.accuracy[best]
        _, p = self._lead(name, best)
        evidence = f"{name} {share:.1%}, the best of the others {other:.1%} (p {p:.3f})"
        return Claim(text, share < other / 2, evidence)

    def kinds(
        self, field: str, text: str, scale: float, unit: str, *, joint: bool = False
    ) -> Claim:
        """Which kind has the lower mean: sequential, or joint if so claimed."""
        sequential, together = (self._by_kind(kind, field) for kind in ("sequential", "joint"))
        holds = together < sequential if joint else sequential < together
        evidence = f"{sequential * scale:.3g} against {together * scale:.3g} {unit} (joint)"
        return Claim(text, holds, f"sequential {evidence}")

    def forgets(self, text: str) -> Claim:
        """Supported if the longest windows raise sequential networks' accuracy less."""
        gains = {kind: self._gain(kind) for kind in ("sequential", "joint")}
        shortest, longest = (pick(self.lengths["vgg_lstm"]) for pick in (min, max))
        evidence = (
            f"from {shortest} to {longest} frames, sequential {100 * gains['sequential']:+.1f} "
            f"points, joint {100 * gains['joint']:+.1f}"
        )
        behind = gains["joint"] - gains["sequential"]
        return Claim(text, behind > 0 if abs(behind) > MARGIN else None, evidence)

    def _gain(self, kind: str) -> float:
        measured = [each for name, each in self.lengths.items() if KINDS.get(name) == kind]
        return mean(each[max(each)] - each[min(each)] for each in measured)

    def _by_kind(self, kind: str, field: str) -> float:
        return mean(_mean(seeds, field) for name, seeds in self.nets.items() if KINDS[name] == kind)

    def _best_but(self, name: str) -> str:
        return max(self.accuracy.keys() - {name}, key=lambda each: (self.accuracy[each], each))

    def _lead(self, name: str, other: str) -> tuple[float, float]:
        one, two = f"{name} (rgb)", f"{other} (rgb)"
        if (one, two) in self._leads:
            return self._leads[one, two]
        difference, p = self._leads[two, one]
        return -difference, p


if __name__ == "__main__":
    main()
