"""The report's part on sequential against joint models, and on what an earlier work said of them.

Sequential networks look at frames one by one and remember (CNN + LSTM); joint ones convolve space
and time together. The claims are those of the work that inspired this project; whether they are
borne out is computed from the rows, anew for every data set.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

from pipeline.evaluation.candidates import Pair
from pipeline.models import ARCHITECTURES, SCRATCH
from pipeline.report.candidates import LEVEL
from pipeline.report.comparison import Row
from pipeline.report.html import Section, paragraph, table

KINDS = {name: each.kind for name, each in ARCHITECTURES.items()}

TELLING = 0.03  # of the clips: gains that differ by less are a handful of clips


@dataclass(frozen=True)
class Claim:
    """What was said, whether these measurements bear it out (None: they cannot tell), and why."""

    text: str
    holds: bool | None
    evidence: str

    @property
    def verdict(self) -> str:
        """In words."""
        return {True: "borne out", False: "not borne out", None: "undecided"}[self.holds]


def sections(rows: Sequence[Row], pairs: Sequence[Pair]) -> list[Section]:
    """The trade-offs and the claims; nothing unless all four networks are there, on rgb."""
    nets = _networks(rows)
    if set(nets) != set(KINDS):
        return []
    verdicts = [(each.text, each.verdict, each.evidence) for each in claims(rows, pairs)]
    return [
        Section(
            "Sequential or joint",
            (
                paragraph(_INTRODUCTION),
                table(_head(nets), [_cells(name, seeds) for name, seeds in nets.items()]),
                paragraph(_CLAIMED),
                table(("claim", "here", "measured"), verdicts, kind="words"),
            ),
        )
    ]


def claims(rows: Sequence[Row], pairs: Sequence[Pair]) -> list[Claim]:
    """Each claim of the earlier work, held against these rows."""
    facts = _Facts(_networks(rows), pairs)
    return [
        facts.most_accurate("vgg_lstm", "VGG+LSTM is the most accurate (90 %)"),
        facts.extreme("vgg_lstm", "parameters", "VGG+LSTM needs most parameters (5.5 M)", max),
        facts.more_accurate("vgg_lstm", "resnet_lstm", "ResNet+LSTM (77 %) is behind VGG+LSTM"),
        facts.slower_to_train("resnet_lstm", "vgg_lstm", "ResNet+LSTM trains four times as long"),
        facts.extreme("r2plus1d", "parameters", "(2+1)D needs fewest parameters (0.44 M)", min),
        facts.fails("csn", "CSN fails (18 %): limited data and training complexity"),
        facts.extreme("csn", "train_seconds", "CSN takes longest to train (3 h)", max),
        facts.kinds("parameters", "Sequential models are the simpler ones", 1e-6, "M parameters"),
        facts.kinds("latency_ms", "Joint models answer sooner", 1, "ms a window", joint=True),
        facts.forgets("Sequential models forget: longer windows serve them less"),
    ]


_INTRODUCTION = (
    "Sequential networks look at frames one by one and remember (CNN + LSTM); joint ones convolve "
    "space and time together. All take windows of any length, for both end in a mean over time. "
    "Means over seeds, rgb, from scratch; accuracies are of videos, and those at other lengths are "
    "of the same weights, without training."
)
_CLAIMED = (
    "What the work that inspired this project said of four networks by these names, on nine "
    "classes of UCF101 and an unknown split, and what these clips say. A difference in accuracy "
    f"counts where the paired test over groups gives p < {LEVEL}; times are of one machine, and "
    "end with early stopping."
)


def _networks(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The seeds of each architecture, on rgb and from scratch."""
    chosen = [row for row in rows if row.stream == "rgb" and row.backbone == SCRATCH]
    return {
        name: seeds for name in KINDS if (seeds := [r for r in chosen if r.architecture == name])
    }


def _lengths(seeds: Sequence[Row]) -> dict[int, float]:
    """Video accuracy by frames in a window, those of training among them."""
    measured = [row.lengths or {} for row in seeds]
    shared = set.intersection(*(set(each) for each in measured))
    others = {int(n): mean(each[n]["video_accuracy"] for each in measured) for n in shared}
    own = {} if seeds[0].frames is None else {seeds[0].frames: _mean(seeds, "video_accuracy")}
    return dict(sorted((others | own).items()))


def _mean(seeds: Sequence[Row], field: str) -> float:
    return float(mean(getattr(row, field) for row in seeds))


def _head(nets: dict[str, list[Row]]) -> tuple[str, ...]:
    lengths = [f"{frames} frames" for frames in _lengths(nets["vgg_lstm"])]
    cost = ("parameters", "size", "training", "GFLOPs", "latency")
    return ("network", "kind", "temporal range", *(lengths or ["accuracy"]), *cost)


def _cells(name: str, seeds: Sequence[Row]) -> tuple[str, ...]:
    accuracies = _lengths(seeds).values() or [_mean(seeds, "video_accuracy")]
    frames, stride = seeds[0].frames, seeds[0].stride
    return (
        name,
        KINDS[name],
        f"{frames * stride:g} s" if frames and stride else "–",
        *(f"{share:.1%}" for share in accuracies),
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
    """What the claims are held against."""

    def __init__(self, nets: dict[str, list[Row]], pairs: Sequence[Pair]) -> None:
        self.nets = nets
        self.accuracy = {name: _mean(seeds, "video_accuracy") for name, seeds in nets.items()}
        self._leads = {(pair.one, pair.other): (pair.difference, pair.p) for pair in pairs}

    def most_accurate(self, name: str, text: str) -> Claim:
        """Against the best of the others."""
        return self.more_accurate(name, self._best_but(name), text)

    def more_accurate(self, name: str, other: str, text: str) -> Claim:
        """Told from chance by the paired test."""
        difference, p = self._lead(name, other)
        shares = f"{self.accuracy[name]:.1%} against {self.accuracy[other]:.1%} of {other}"
        holds = difference > 0 if p < LEVEL else None
        return Claim(text, holds, f"{name} {shares} (p {p:.3f})")

    def extreme(self, name: str, field: str, text: str, which: Callable[..., float]) -> Claim:
        """The most or the least of something."""
        values = {each: _mean(seeds, field) for each, seeds in self.nets.items()}
        holds = values[name] == which(values.values())
        shown = ", ".join(f"{each} {_UNITS[field](value)}" for each, value in values.items())
        return Claim(text, holds, shown)

    def slower_to_train(self, name: str, other: str, text: str) -> Claim:
        """Borne out only if it takes at least twice as long, halfway to what was said."""
        one, two = (_mean(self.nets[each], "train_seconds") / 60 for each in (name, other))
        return Claim(text, one >= 2 * two, f"{name} {one:.1f} min, {other} {two:.1f} min")

    def fails(self, name: str, text: str) -> Claim:
        """Fails: right less than half as often as the best."""
        best = self._best_but(name)
        share, other = self.accuracy[name], self.accuracy[best]
        _, p = self._lead(name, best)
        evidence = f"{name} {share:.1%}, the best of the others {other:.1%} (p {p:.3f})"
        return Claim(text, share < other / 2, evidence)

    def kinds(
        self, field: str, text: str, scale: float, unit: str, *, joint: bool = False
    ) -> Claim:
        """Which kind needs less of something: sequential, or joint if so claimed."""
        sequential, together = (self._by_kind(kind, field) for kind in ("sequential", "joint"))
        holds = together < sequential if joint else sequential < together
        evidence = f"{sequential * scale:.3g} against {together * scale:.3g} {unit} (joint)"
        return Claim(text, holds, f"sequential {evidence}")

    def forgets(self, text: str) -> Claim:
        """Whether sequential networks gain less, or lose more, from the longest windows."""
        lengths = [_lengths(seeds) for seeds in self.nets.values()]
        if min(map(len, lengths)) < 2:
            return Claim(text, None, "judged at one length only; see evaluate.lengths")
        gains = {kind: self._gain(kind) for kind in ("sequential", "joint")}
        own = self.nets["vgg_lstm"][0].frames
        evidence = (
            f"from {own} to {max(lengths[0])} frames, sequential {100 * gains['sequential']:+.1f} "
            f"points, joint {100 * gains['joint']:+.1f}"
        )
        behind = gains["joint"] - gains["sequential"]
        return Claim(text, behind > 0 if abs(behind) > TELLING else None, evidence)

    def _gain(self, kind: str) -> float:
        gains = []
        for name, seeds in self.nets.items():
            if KINDS[name] == kind:
                lengths = _lengths(seeds)
                gains.append(lengths[max(lengths)] - self.accuracy[name])
        return mean(gains)

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
