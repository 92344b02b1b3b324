"""The names inside an archive: which are clips, of which class, and which are not to be trusted."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from pipeline.dataset.clips import is_video, official_name
from pipeline.errors import SourceError


class BrokenArchiveError(SourceError):
    """The archive cannot be unpacked, or is not to be trusted."""


def member_path(name: str) -> PurePosixPath:
    """A member's name as a path; some programs write backslashes."""
    return PurePosixPath(name.replace("\\", "/"))


def videos_inside(names: Iterable[str], *, archive: str) -> dict[str, PurePosixPath]:
    """The members that are videos, with their paths; any member that points outside is refused."""
    paths = {name: _inside(name, archive) for name in names}
    return {name: path for name, path in paths.items() if is_video(path.name)}


def _inside(name: str, archive: str) -> PurePosixPath:
    path = member_path(name)
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", name):
        raise BrokenArchiveError(
            f"{archive} has a member that points outside of the target folder: {name!r}. Nothing "
            "was unpacked; get the archive from where you trust it"
        )
    return path


def members_by_class(names: Iterable[str], *, archive: str) -> dict[str, list[str]]:
    """The videos of each class: by their folder, or by UCF101's names where one folder has all."""
    videos = videos_inside(names, archive=archive)
    flat = len({path.parent for path in videos.values()}) == 1
    members: dict[str, list[str]] = {}
    for name, path in videos.items():
        official = official_name(path.name) if flat else None
        class_name = official.class_name if official else path.parent.name
        if class_name:
            members.setdefault(class_name, []).append(name)
    return members
