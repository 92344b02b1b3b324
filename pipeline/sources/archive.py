"""Clips in a zip or rar file."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.dataset.clips import Classes, Clip, choose_classes, demand_one_file_an_id
from pipeline.sources.members import BrokenArchiveError, member_path, members_by_class
from pipeline.sources.rars import RarArchive
from pipeline.sources.zips import ZipArchive

RAR_START, ZIP_START = b"Rar!", b"PK"


class Archive(Protocol):
    """Named members, wherever the archive lies."""

    def names(self) -> list[str]:
        """All members."""

    def unpack(self, targets: Mapping[str, Path], folder: Path) -> None:
        """Write each member to its target below `folder`, whole or not at all; keep whole ones."""


def open_archive(path: Path) -> Archive:
    """The archive at `path`, by its content rather than by its suffix."""
    with path.open("rb") as file:
        start = file.read(len(RAR_START))
    if start == RAR_START:
        return RarArchive(path)
    if zipfile.is_zipfile(path):
        return ZipArchive(path)
    raise BrokenArchiveError(f"{path} is not a whole zip or rar file; get it again")


def unpack_classes(
    archive: Archive, members: Mapping[str, Sequence[str]], folder: Path
) -> list[Clip]:
    """Unpack the members of each class to folder/CLASS/NAME."""
    targets = {
        name: folder / class_name / member_path(name).name
        for class_name, names in members.items()
        for name in names
    }
    demand_one_file_an_id(Clip(path.parent.name, path, size=0) for path in targets.values())
    archive.unpack(targets, folder)
    paths = sorted(targets.values())
    return [Clip(path.parent.name, path, path.stat().st_size) for path in paths]


@dataclass(frozen=True)
class ArchiveSource:
    """A zip or rar file with one folder a class."""

    path: Path
    classes: Classes = None

    @property
    def key(self) -> str:
        """Another one for each state of the file."""
        return "-".join(map(str, (self.path.name, *self._mark)))

    def listing(self) -> dict[str, object]:
        """The file with its size and time of change."""
        return {"source": str(self.path), "mark": self._mark}

    def fetch(self, folder: Path) -> list[Clip]:
        """Unpack the chosen classes."""
        archive = open_archive(self.path)
        members = members_by_class(archive.names(), archive=str(self.path))
        chosen = choose_classes(self.classes, held=members, source=str(self.path))
        return unpack_classes(archive, {name: members[name] for name in chosen}, folder)

    @property
    def _mark(self) -> tuple[int, int]:
        status = self.path.stat()
        return status.st_size, status.st_mtime_ns
