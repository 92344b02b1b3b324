"""The table of groups: which clips come from one recording."""

import csv
import difflib
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.dataset.names import VIDEO_SUFFIXES, nfc
from pipeline.errors import SourceError


class Row(NamedTuple):
    """One row of the table, and the line that it ends in."""

    clip: str
    group: str
    line: int


def read_groups(path: Path, clips: Collection[str]) -> dict[str, str]:
    """The group of each clip that a CSV file with columns clip and group names.

    Clips are ids as the catalogue has them (CLASS/NAME), with a video's suffix or without. A
    SourceError names the row that is incomplete, matches none of `clips`, or contradicts another.
    """
    found: dict[str, Row] = {}
    for row in _rows(path):
        clip = _matching(row, path, clips)
        first = found.setdefault(clip, row)
        if first.group != row.group:
            raise SourceError(
                f"dataset.groups: lines {first.line} and {row.line} of {path} contradict each "
                f"other: {clip} is of group {first.group} and of group {row.group}; remove one"
            )
    return {clip: row.group for clip, row in found.items()}


def _matching(row: Row, path: Path, clips: Collection[str]) -> str:
    suffix = PurePosixPath(row.clip).suffix
    stem = row.clip.removesuffix(suffix) if suffix.lower() in VIDEO_SUFFIXES else row.clip
    for clip in (row.clip, stem):
        if clip in clips:
            return clip
    near = difflib.get_close_matches(row.clip, clips, n=1)
    raise SourceError(
        f"dataset.groups: line {row.line} of {path} names {row.clip}, which is not a clip of the "
        f"chosen classes{f' (did you mean {near[0]}?)' if near else ''}; correct or remove the row"
    )


def _rows(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"clip", "group"} <= set(rows.fieldnames or ()):
                raise SourceError(f"dataset.groups: {path} must have the columns clip and group")
            for row in rows:
                yield _row(row["clip"] or "", row["group"] or "", path, rows.line_num)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"dataset.groups: {path} cannot be read as CSV: {error}") from error


def _row(clip: str, group: str, path: Path, line: int) -> Row:
    row = Row(nfc(clip.strip()), nfc(group.strip()), line)
    class_name, _, name = row.clip.rpartition("/")
    if not (class_name and name and row.group):
        raise SourceError(
            f"dataset.groups: line {line} of {path} must name a clip as CLASS/NAME and its group"
        )
    return row
