"""UCF101 from its mirrors: the chosen classes, complete."""

import csv
import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pipeline.dataset.clips import (
    Classes,
    Clip,
    UnreachableError,
    choose_classes,
    official_name,
)
from pipeline.dataset.names import is_video
from pipeline.errors import SourceError
from pipeline.files import DiskFullError, full_disk_explained
from pipeline.sources.archive import (
    RAR_START,
    ZIP_START,
    Archive,
    BrokenArchiveError,
    files_inside,
    open_archive,
    unpack_members,
)
from pipeline.sources.layout import Member, visible_videos
from pipeline.sources.rars import choose_program
from pipeline.sources.remote import Client, MirrorError, Remote, retried
from pipeline.sources.remote_zip import RemoteZip

log = logging.getLogger(__name__)

T = TypeVar("T")

THREADS = 8  # members of a remote zip that are fetched at a time

DEFAULT = (
    "ApplyEyeMakeup",
    "Archery",
    "BasketballDunk",
    "Haircut",
    "HorseRace",
    "PlayingPiano",
    "Rafting",
    "SkyDiving",
    "Surfing",
)


@cache
def official_counts() -> dict[str, int]:
    """How many clips UCF101 has of each of its 101 classes."""
    with Path(__file__).with_name("ucf101_classes.csv").open(encoding="utf-8", newline="") as file:
        return {row["class"]: int(row["clips"]) for row in csv.DictReader(file)}


@dataclass(frozen=True)
class Ucf101Source:
    """The mirrors, tried in turn."""

    mirrors: Sequence[str]
    timeout: float
    classes: Classes = None
    key = "ucf101"

    def listing(self) -> dict[str, object]:
        """The first mirror that answers, with the size and mark of its archive."""
        remote = self._first(Client(self.timeout).look)
        found = {"url": remote.url, "size": remote.size, "mark": remote.mark}
        return {"source": "ucf101", "classes": self._chosen, **found}

    def fetch(self, folder: Path) -> list[Clip]:
        """Download the clips that are not whole in `folder`."""
        chosen = self._chosen
        try:
            return self._first(lambda url: self._fetch(url, chosen, folder))
        except UnreachableError as error:
            if not (clips := _all_there(chosen, folder)):
                raise
            log.warning("%s\nAll the chosen clips are here already.", error)
            return clips

    @property
    def _chosen(self) -> list[str]:
        asked = DEFAULT if self.classes is None else self.classes
        return choose_classes(asked, held=official_counts(), source="ucf101")

    def _first(self, ask: Callable[[str], T]) -> T:
        """What the first mirror gives that can."""
        reasons = []
        for url in self.mirrors:
            try:
                return ask(url)
            except DiskFullError:
                raise
            except SourceError as error:
                log.warning("%s: %s", url, error)
                reasons.append(f"- {url}: {error}")
        raise UnreachableError(
            "no mirror of ucf101 can be used:\n" + "\n".join(reasons) + "\nTry again later, name "
            "others in machine.mirrors, or set dataset.source to the path of a copy"
        )

    def _fetch(self, url: str, chosen: list[str], folder: Path) -> list[Clip]:
        client = Client(self.timeout)
        remote = retried(lambda: client.look(url))
        if remote.start[:2] == ZIP_START and remote.ranges and remote.size:
            with RemoteZip(client, remote) as archive:
                return _unpack(archive, chosen, folder, threads=THREADS, attempt=retried)
        if not remote.start.startswith((ZIP_START, RAR_START)):
            raise MirrorError(f"neither a zip nor a rar: it begins with {remote.start!r}")
        if remote.start == RAR_START:
            choose_program(url)  # Better now than after gigabytes.
        with (
            _whole(client, remote, folder / "archives") as path,
            open_archive(path) as archive,
        ):
            return _unpack(archive, chosen, folder)


@contextmanager
def _whole(client: Client, remote: Remote, folder: Path) -> Iterator[Path]:
    """The downloaded archive; forgotten if it turns out to be broken."""
    path = folder / f"{hashlib.sha256(remote.url.encode()).hexdigest()[:16]}.archive"
    folder.mkdir(parents=True, exist_ok=True)
    with full_disk_explained(folder, remote.size or 0):
        client.download(remote, path)
    try:
        yield path
    except BrokenArchiveError:
        path.unlink()
        raise


def _unpack(archive: Archive, chosen: Sequence[str], folder: Path, **how: Any) -> list[Clip]:
    files = files_inside(archive, name="the archive")
    members = official_members(files)
    counts = Counter(member.class_name for member in members)
    for name in chosen:
        if counts[name] != official_counts()[name]:
            raise MirrorError(
                f"class {name} has {counts[name]} clips there, and {official_counts()[name]} "
                "officially"
            )
    wanted = [member for member in members if member.class_name in chosen]
    return unpack_members(archive, wanted, files, folder, **how)


def _all_there(chosen: Sequence[str], folder: Path) -> list[Clip]:
    """The chosen classes' clips if none is missing; those in `folder` are whole."""
    clips = [clip for name in chosen for clip in _clips(folder / name)]
    return clips if len(clips) == sum(official_counts()[name] for name in chosen) else []


def official_members(files: Iterable[PurePosixPath]) -> list[Member]:
    """UCF101's clips among `files`, sorted; classes as the official index spells them."""
    spelled = {name.casefold(): name for name in official_counts()}
    members = []
    for path in sorted(visible_videos(files, source="the archive")):
        official = official_name(path.name)
        class_name = spelled.get(official.class_name.casefold()) if official else None
        if class_name:
            members.append(Member(path, class_name, path.stem))
    return sorted(members, key=lambda member: (member.class_name, member.name))


def _clips(folder: Path) -> list[Clip]:
    paths = sorted(path for path in folder.glob("*") if is_video(path.name))
    return [Clip(folder.name, path.stem, path, path.stat().st_size) for path in paths]
