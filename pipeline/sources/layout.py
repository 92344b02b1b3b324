"""Which files of a data set are clips, of which class and split, by their paths alone.

A folder and an archive are read alike: one folder per class; or clips with UCF101's names in one
folder; either of them in halves (train/, val/, test/); any of them inside other folders.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from pipeline.dataset.clips import Classes, Split, choose_classes, official_name
from pipeline.dataset.names import is_hidden, is_video, name_text, path_text
from pipeline.errors import SourceError

log = logging.getLogger(__name__)

HALVES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
ARCHIVE_SUFFIXES = {".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"}

Folders = tuple[str, ...]


@dataclass(frozen=True)
class Member:
    """A clip in a listing: its path there, and what the path says."""

    path: PurePosixPath
    class_name: str
    name: str  # of the clip, without suffix
    split: Split | None = None


def chosen_members(
    paths: Iterable[PurePosixPath], *, classes: Classes, source: str
) -> list[Member]:
    """The clips of the chosen classes; `paths` are all files of the data set `source`."""
    members = arrange(paths, source=source)
    held = {member.class_name for member in members}
    chosen = choose_classes(classes, held=held, source=source)
    return [member for member in members if member.class_name in chosen]


def arrange(paths: Iterable[PurePosixPath], *, source: str) -> list[Member]:
    """The clips among `paths`, sorted; a SourceError if the folders can be read in two ways."""
    videos = _without_loose(visible_videos(paths, source=source), source)
    depth = _depth_of_halves([video.parent.parts for video in videos])
    splits = {video: _half(video, depth) for video in videos}
    rests = {video: _without(video.parent.parts, depth) for video in videos}
    names = _class_names(rests, source)
    members = [
        Member(video, name, name_text(video.stem), splits[video]) for video, name in names.items()
    ]
    _log_halves(members, source)
    return _told_apart(sorted(members, key=lambda member: member.path))


def visible_videos(paths: Iterable[PurePosixPath], *, source: str) -> list[PurePosixPath]:
    """The videos among `paths` that no system hides; the log names the other files."""
    visible = [path for path in paths if not any(map(is_hidden, path.parts))]
    videos = [path for path in visible if is_video(path.name)]
    others = set(visible) - set(videos)
    packed = [path for path in others if is_archive(path)]
    if packed and not videos:
        raise SourceError(f"{source} holds only archives ({_some(packed)}); unpack them first")
    if packed:
        log.warning("%s: archives inside are not read: %s", source, _some(packed))
    if others:
        log.info("%s: %d files are not videos by name: %s", source, len(others), _some(others))
    return videos


def is_archive(path: PurePosixPath) -> bool:
    """Whether the name is that of an archive."""
    return path.suffix.lower() in ARCHIVE_SUFFIXES


def _without_loose(videos: Sequence[PurePosixPath], source: str) -> list[PurePosixPath]:
    """Leave out videos beside the folder that holds all others: they have no class."""
    left = list(videos)
    while loose := _loose(left):
        log.warning("%s: videos outside of class folders are left out: %s", source, _some(loose))
        left = [video for video in left if video not in loose]
    return left


def _loose(videos: Sequence[PurePosixPath]) -> set[PurePosixPath]:
    base = _common(video.parent.parts for video in videos)
    loose = {video for video in videos if video.parent.parts == base}
    named = any(official_name(video.name) for video in loose)
    return set() if named or len(loose) == len(videos) else loose


def _depth_of_halves(folders: Collection[Folders]) -> int | None:
    """At which depth all folders are halves, of at least two splits."""
    for depth in range(min(map(len, folders), default=0)):
        splits = [HALVES.get(parts[depth].casefold()) for parts in folders]
        if None not in splits and len(set(splits)) > 1:
            return depth
    return None


def _half(video: PurePosixPath, depth: int | None) -> Split | None:
    return None if depth is None else HALVES[video.parts[depth].casefold()]


def _without(parts: Folders, depth: int | None) -> Folders:
    return parts if depth is None else parts[:depth] + parts[depth + 1 :]


def _class_names(folders: Mapping[PurePosixPath, Folders], source: str) -> dict[PurePosixPath, str]:
    """The class of each video: its folder, or its UCF101 name where one folder has them all."""
    base = _common(folders.values())
    rests = {video: parts[len(base) :] for video, parts in folders.items()}
    if not any(rests.values()):
        return _classes_in_one_folder(list(rests), base[-1] if base else "", source)
    if odd := [video for video, rest in rests.items() if len(rest) != 1]:
        even = next((video for video, rest in rests.items() if len(rest) == 1), odd[-1])
        raise SourceError(
            f"{source} holds clips at {_some([odd[0], even])}: it is not clear which folder is the "
            "class; put one folder per class, all at one level, with the clips right inside (or "
            "train/, val/ and test/ with such folders in each)"
        )
    return {video: name_text(rest[0]) for video, rest in rests.items()}


def _classes_in_one_folder(
    videos: Sequence[PurePosixPath], folder: str, source: str
) -> dict[PurePosixPath, str]:
    names = {video: official_name(video.name) for video in videos}
    official = {video: name.class_name for video, name in names.items() if name}
    if not official:
        return {video: name_text(folder) for video in videos if folder}
    if others := [video for video in videos if video not in official]:
        log.warning("%s: clips without UCF101's names are left out: %s", source, _some(others))
    return official


def _common(folders: Iterable[Folders]) -> Folders:
    """The folders that all have above them."""
    levels = zip(*folders, strict=False)
    common: list[str] = []
    for level in levels:
        if len(set(level)) > 1:
            break
        common.append(level[0])
    return tuple(common)


def _log_halves(members: Sequence[Member], source: str) -> None:
    counts = Counter(member.split for member in members if member.split)
    if counts:
        shares = ", ".join(f"{number} {split}" for split, number in sorted(counts.items()))
        log.info("%s comes in halves, which are kept as the splits: %s", source, shares)


def _told_apart(members: Sequence[Member]) -> list[Member]:
    """Clips of one name in two halves (train/Run/001, test/Run/001) get their half's name too."""
    halves = defaultdict(set)
    for member in members:
        halves[member.class_name, member.name].add(member.split)
    return [
        replace(member, name=f"{member.split}-{member.name}")
        if len(halves[member.class_name, member.name]) > 1 and not official_name(member.name)
        else member
        for member in members
    ]


def _some(paths: Collection[PurePosixPath], most: int = 5) -> str:
    shown = [path_text(str(path)) for path in sorted(paths)[:most]]
    return ", ".join(shown) + (", …" if len(paths) > most else "")
