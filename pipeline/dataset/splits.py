"""Which split a clip belongs to: a matter of its group, so that no group is ever in two splits.

A group's own split follows from its name alone, by the official lists or by a stable hash. Only
where a class would lack a split is the group moved that is nearest to it: new clips move old ones
only until a class has groups of its own in each split.
"""

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from pipeline.dataset.clips import Split, official_name
from pipeline.errors import SourceError

SPLITS: tuple[Split, ...] = ("train", "validation", "test")

GROUPS = range(1, 26)
TESTED = 7

_OFFICIAL_GROUP = re.compile(r"(?P<class_name>.+)/g(?P<number>\d\d)")


class GroupedClip(NamedTuple):
    """What decides a clip's split; `source_split` is what the source's own folders say, if any."""

    clip: str
    class_name: str
    group: str
    source_split: Split | None = None
    kept: bool = True  # False: quarantined, so that it fills no split


@dataclass(frozen=True)
class Range:
    """A group's place in [0, 1), and the parts of it that mean a split, as (split, end) pairs."""

    place: float
    ends: tuple[tuple[Split, float], ...]

    @property
    def split(self) -> Split:
        """The split whose part the place lies in."""
        return next(split for split, end in self.ends if self.place < end)

    def distance(self, split: Split) -> float:
        """How far the place lies from the part of `split`; infinite where the group may not go."""
        start = 0.0
        for name, end in self.ends:
            if name == split:
                return max(start - self.place, self.place - end, 0.0)
            start = end
        return math.inf


@dataclass(frozen=True)
class Splitter:
    """Assigns groups to splits.

    Official split k tests on groups 7(k-1)+1 to 7k and trains on the others of 1 to 25; the share
    `validation` of those is kept to validate on, chosen for each class by a hash over all of them.
    Other groups are split by the hash of their name: the share `test`, then of the rest the share
    `validation`.
    """

    official: int
    validation: float
    test: float

    @property
    def needed(self) -> tuple[Split, ...]:
        """The splits that each class must have clips in."""
        return tuple(split for split in SPLITS if split != "validation" or self.validation)

    def split_of(self, group: str) -> Split:
        """The split of a group on its own, "CLASS/g07" for an official one."""
        return self._range(group, None, frozenset()).split

    def assign(self, clips: Collection[GroupedClip]) -> dict[str, Split]:
        """The split of each group; a SourceError names all classes that cannot be in each."""
        given = _source_splits(clips)
        held = frozenset(given.values())
        ranges = {
            group: self._range(group, given.get(group), held) for group in {c.group for c in clips}
        }
        classes: dict[str, set[str]] = defaultdict(set)
        for clip in clips:
            classes[clip.class_name] |= {clip.group} if clip.kept else set()
        splits = {group: span.split for group, span in ranges.items()}
        self._fill_empty(splits, ranges, classes)
        _demand_each_split(splits, classes, self.needed)
        return splits

    def _fill_empty(
        self,
        splits: dict[str, Split],
        ranges: Mapping[str, Range],
        classes: Mapping[str, Collection[str]],
    ) -> None:
        """Move the nearest group into each split that a class lacks, if no class then lacks one."""
        for class_name in sorted(classes):
            for split in self.needed:
                if split in {splits[group] for group in classes[class_name]}:
                    continue
                spare = [
                    group
                    for group in classes[class_name]
                    if ranges[group].distance(split) < math.inf
                    and not _is_last(group, splits, classes)
                ]
                if spare:
                    nearest = min(spare, key=lambda g: (ranges[g].distance(split), g))
                    splits[nearest] = split

    def _range(self, group: str, given: Split | None, held: Collection[Split]) -> Range:
        if given and given != "train":
            return Range(0.0, ((given, 1.0),))
        if given:  # what the source has no folder for is taken from its training part
            return Range(stable_fraction(group), self._ends({*SPLITS} - {*held} | {"train"}))
        match = _OFFICIAL_GROUP.fullmatch(group)
        if match and int(match["number"]) in GROUPS:
            return self._official(match["class_name"], int(match["number"]))
        return Range(stable_fraction(group), self._ends({*SPLITS}))

    def _ends(self, allowed: Collection[Split]) -> tuple[tuple[Split, float], ...]:
        """The parts of [0, 1): test, then validation of the rest, then train."""
        test = self.test if "test" in allowed else 0.0
        validation = self.validation * (1 - test) if "validation" in allowed else 0.0
        ends: tuple[tuple[Split, float], ...] = (
            ("test", test),
            ("validation", test + validation),
            ("train", 1.0),
        )
        return tuple(pair for pair in ends if pair[0] in allowed)

    def _official(self, class_name: str, number: int) -> Range:
        tested = GROUPS[TESTED * (self.official - 1) : TESTED * self.official]
        if number in tested:
            return Range(0.0, (("test", 1.0),))
        training = [group for group in _ranked(class_name.casefold()) if group not in tested]
        kept = round(self.validation * len(training))
        place = training.index(number) / len(training)
        return Range(place, (("validation", kept / len(training)), ("train", 1.0)))


def _is_last(
    group: str, splits: Mapping[str, Split], classes: Mapping[str, Collection[str]]
) -> bool:
    """Whether a class of the group has no other group in its split."""
    return any(
        group in groups and not any(splits[g] == splits[group] for g in groups if g != group)
        for groups in classes.values()
    )


def _source_splits(clips: Iterable[GroupedClip]) -> dict[str, Split]:
    """The split of each group that the source's folders give; one that is in two is refused."""
    found: dict[str, GroupedClip] = {}
    for clip in clips:
        if clip.source_split is None:
            continue
        first = found.setdefault(clip.group, clip)
        if first.source_split != clip.source_split:
            raise SourceError(
                f"group {clip.group} is in two splits of the source: {first.clip} in "
                f"{first.source_split}, {clip.clip} in {clip.source_split}. Its clips are near-"
                "duplicates: move them into one split, or give the clips without such folders"
            )
    return {group: clip.source_split for group, clip in found.items() if clip.source_split}


def _demand_each_split(
    splits: Mapping[str, Split], classes: Mapping[str, Collection[str]], needed: Collection[Split]
) -> None:
    """Refuse classes that lack a split, all in one message."""
    lines = []
    for name, groups in sorted(classes.items()):
        found = {splits[group] for group in groups}
        if lacking := [split for split in needed if split not in found]:
            lines.append(
                f"- class {name} has no usable clip in the {' and '.join(lacking)} split: it has "
                f"{len(groups)} groups with usable clips and needs {len(needed)}"
                + (", but official or given splits hold them" if len(groups) >= len(needed) else "")
            )
    if lines:
        raise SourceError(
            "\n".join(["each class needs clips in each split:", *lines])
            + "\nAdd clips of other groups, or leave these classes out of dataset.classes"
        )


@cache
def _ranked(class_name: str) -> list[int]:
    """All official groups in the order in which a class takes them to validate on."""
    return sorted(GROUPS, key=lambda group: stable_fraction(f"{class_name}/g{group:02}"))


def stable_fraction(text: str) -> float:
    """A number in [0, 1) that depends on `text` alone, on every machine and in every run."""
    digest = hashlib.sha256(text.encode()).digest()
    # 53 bits are what a float holds: one more, and the largest would round up to 1.
    return math.ldexp(int.from_bytes(digest[:8], "big") >> 11, -53)


def group_of(clip: str, table: Mapping[str, str]) -> str:
    """The group of the clip "CLASS/NAME": by UCF101's name, else by the table, else its own."""
    class_name, _, name = clip.rpartition("/")
    official = official_name(name)
    if official and official.group in GROUPS and _same(official.class_name, class_name):
        return f"{class_name}/g{official.group:02}"
    return table.get(clip, clip)


def _same(one: str, other: str) -> bool:
    """The official index says HandstandPushups where the files say HandStandPushups."""
    return one.casefold() == other.casefold()
