"""What a clip is: its id, its class, its split where the source has splits of its own."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from pipeline.dataset.names import nfc
from pipeline.errors import SourceError

Classes = Sequence[str] | Literal["all"] | None
Split = Literal["train", "validation", "test"]

_UCF101 = re.compile(r"v_(?P<class_name>\w+)_g(?P<group>\d\d)_c\d\d+", re.IGNORECASE | re.ASCII)


class UnreachableError(SourceError):
    """The source cannot be asked just now; what it listed last may still hold."""


@dataclass(frozen=True)
class Clip:
    """One video file, `size` bytes at `path`; `split` is the source's own, where it has splits."""

    class_name: str
    name: str  # of the file as text, without suffix
    path: Path
    size: int
    split: Split | None = None

    @property
    def id(self) -> str:
        """CLASS/NAME, without the suffix."""
        return f"{self.class_name}/{self.name}"


class OfficialName(NamedTuple):
    """What a file name like v_Surfing_g07_c02.avi says."""

    class_name: str
    group: int


def official_name(name: str) -> OfficialName | None:
    """Read a file name as UCF101 writes them, suffix or not; None if it is not one."""
    match = _UCF101.fullmatch(name.partition(".")[0])
    return OfficialName(match["class_name"], int(match["group"])) if match else None


def choose_classes(asked: Classes, *, held: Collection[str], source: str) -> list[str]:
    """The classes asked for as the source spells them, sorted; in any case and Unicode form."""
    if not held:
        raise SourceError(f"{source} holds no clips; put one folder per class there, with videos")
    spelled = _spellings(held, source)
    if asked is None or asked == "all":
        return sorted(held)
    unknown = [name for name in asked if _folded(name) not in spelled]
    if unknown or not asked:
        raise SourceError(
            f"dataset.classes asks for {', '.join(unknown) or 'nothing'}, but {source} holds: "
            f"{', '.join(sorted(held))}; correct the list, or write all"
        )
    return sorted({spelled[_folded(name)] for name in asked})


def _spellings(held: Iterable[str], source: str) -> dict[str, str]:
    """Each class by its folded name; two that differ in case only would be one class."""
    spellings = defaultdict(list)
    for name in sorted(held):
        spellings[_folded(name)].append(name)
    if twins := [names for names in spellings.values() if len(names) > 1]:
        raise SourceError(
            f"the classes {' and '.join(twins[0])} of {source} differ in upper and lower case "
            "only; rename one of the folders, or merge them"
        )
    return {folded: name for folded, (name,) in spellings.items()}


def _folded(name: str) -> str:
    return nfc(nfc(name).casefold())


def demand_one_file_per_id(clips: Iterable[Clip]) -> None:
    """Refuse two files that are the same clip, but for suffix or Unicode form."""
    seen: dict[str, Clip] = {}
    for clip in clips:
        twin = seen.setdefault(clip.id, clip)
        if twin is not clip:
            raise SourceError(
                f"{twin.path} and {clip.path} are both the clip {clip.id}{_difference(twin, clip)}"
                "; rename or remove one"
            )


def _difference(one: Clip, other: Clip) -> str:
    """What the eye does not see: that the names are composed of different letters."""
    if str(one.path) == str(other.path) or nfc(str(one.path)) != nfc(str(other.path)):
        return ""
    return f" (only their Unicode forms differ: {one.path.name!a}, {other.path.name!a})"
