"""Which split a clip belongs to: a matter of its group's name alone, so no group is ever in two."""

import csv
import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pipeline.dataset.clips import official_name
from pipeline.errors import SourceError

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

GROUPS = range(1, 26)
TESTED = 7

_OFFICIAL_GROUP = re.compile(r"(?P<class_name>.+)/g(?P<number>\d\d)")


@dataclass(frozen=True)
class Splitter:
    """Assigns groups to splits.

    Official split k tests on groups 7(k-1)+1 to 7k and trains on the others of 1 to 25; the share
    `validation` of those is kept to validate on, chosen for each class by a hash over all of them,
    so that nothing moves when clips come or go. Other groups are split by the hash of their name:
    the share `test`, then of the rest the share `validation`.
    """

    official: int
    validation: float
    test: float

    def split_of(self, group: str) -> Split:
        """The split of a group, "CLASS/g07" for an official one."""
        match = _OFFICIAL_GROUP.fullmatch(group)
        if match and int(match["number"]) in GROUPS:
            return self._official(match["class_name"], int(match["number"]))
        return self._hashed(group)

    def _official(self, class_name: str, number: int) -> Split:
        tested = GROUPS[TESTED * (self.official - 1) : TESTED * self.official]
        if number in tested:
            return "test"
        training = [group for group in _ranked(class_name.casefold()) if group not in tested]
        kept = training[: round(self.validation * len(training))]
        return "validation" if number in kept else "train"

    def _hashed(self, group: str) -> Split:
        fraction = stable_fraction(group)
        if fraction < self.test:
            return "test"
        return "validation" if fraction < self.test + self.validation * (1 - self.test) else "train"


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


def read_groups(path: Path) -> dict[str, str]:
    """The group of each clip in a CSV file with columns clip (CLASS/NAME, suffix or not), group."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"clip", "group"} <= set(rows.fieldnames or ()):
                raise SourceError(f"dataset.groups: {path} must have the columns clip and group")
            return dict(_group_row(row, path, rows.line_num) for row in rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"dataset.groups: {path} cannot be read as CSV: {error}") from error


def _group_row(row: Mapping[str, str | None], path: Path, line: int) -> tuple[str, str]:
    clip, group = (row["clip"] or "").strip(), (row["group"] or "").strip()
    class_name, _, name = clip.rpartition("/")
    if not (class_name and name and group):
        raise SourceError(
            f"dataset.groups: line {line} of {path} must name a clip as CLASS/NAME and its group"
        )
    return f"{class_name}/{Path(name).stem}", group


def demand_clips_in_each_split(
    clips: Iterable[tuple[str, Split]], splits: Iterable[Split] = SPLITS
) -> None:
    """Refuse a class that lacks clips in one of `splits`; `clips` are pairs of class and split."""
    pairs = set(clips)
    for class_name in sorted({class_name for class_name, _ in pairs}):
        for split in splits:
            if (class_name, split) not in pairs:
                raise SourceError(
                    f"class {class_name} has no usable clip in the {split} split; add clips of "
                    "other groups, leave the class out of dataset.classes, or change the shares "
                    "dataset.test and dataset.validation"
                )
