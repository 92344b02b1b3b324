"""What a clip is: its name, its class, and which files count as one."""

import logging
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from pipeline.errors import SourceError

log = logging.getLogger(__name__)

Classes = Sequence[str] | Literal["all"] | None

# fmt: off
VIDEO_SUFFIXES = {
    ".3gp", ".asf", ".avi", ".divx", ".flv", ".gif", ".m2ts", ".m4v", ".mjpeg", ".mjpg", ".mkv",
    ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv",
}
# fmt: on

_UCF101 = re.compile(r"v_(?P<class_name>\w+)_g(?P<group>\d\d)_c\d\d+", re.IGNORECASE | re.ASCII)


class UnreachableError(SourceError):
    """The source cannot be asked just now; what it listed last may still hold."""


@dataclass(frozen=True)
class Clip:
    """One video file, `size` bytes at `path`; its class is a folder's or an archive's word."""

    class_name: str
    path: Path
    size: int

    @property
    def id(self) -> str:
        """CLASS/NAME, without the suffix."""
        return f"{self.class_name}/{self.path.stem}"


class OfficialName(NamedTuple):
    """What a file name like v_Surfing_g07_c02.avi says."""

    class_name: str
    group: int


def official_name(name: str) -> OfficialName | None:
    """Read a file name as UCF101 writes them, suffix or not; None if it is not one."""
    match = _UCF101.fullmatch(name.partition(".")[0])
    return OfficialName(match["class_name"], int(match["group"])) if match else None


def is_video(name: str) -> bool:
    """Whether a file of this name counts as a clip: not hidden, and of a usual suffix."""
    return not name.startswith(".") and PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES


def choose_classes(asked: Classes, *, held: Collection[str], source: str) -> list[str]:
    """The classes asked for as the source spells them, sorted; case is no difference."""
    if not held:
        raise SourceError(f"{source} holds no clips; put one folder a class there, with videos")
    if asked is None or asked == "all":
        return sorted(held)
    spelled = {name.casefold(): name for name in held}
    unknown = [name for name in asked if name.casefold() not in spelled]
    if unknown or not asked:
        raise SourceError(
            f"dataset.classes asks for {', '.join(unknown) or 'nothing'}, but {source} holds: "
            f"{', '.join(sorted(held))}; correct the list, or write all"
        )
    return sorted({spelled[name.casefold()] for name in asked})


def demand_one_file_an_id(clips: Iterable[Clip]) -> None:
    """Refuse two files that differ in their suffix alone: both would be the same clip."""
    seen: dict[str, Clip] = {}
    for clip in clips:
        twin = seen.setdefault(clip.id, clip)
        if twin is not clip:
            raise SourceError(
                f"{twin.path.name} and {clip.path.name} of class {clip.class_name} are both "
                f"the clip {clip.id}; rename or remove one"
            )
