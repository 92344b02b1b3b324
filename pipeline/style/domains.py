"""The pictures that a style network learns from, and those held out to evaluate it."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from pipeline.dataset.names import is_video, visible_files
from pipeline.errors import ClipError, StyleError
from pipeline.shards.parquet import read_parquet
from pipeline.style.brush import brush_strokes
from pipeline.style.images import PICTURE_SUFFIXES, TRAINING_SIDE, read_picture, shrink
from pipeline.video.decode import Picture, open_video
from pipeline.video.flow import decode_jpeg

log = logging.getLogger(__name__)

FRAMES_PER_CLIP = 4  # evenly spread from its start to its end
INTERVAL = 1.0  # seconds between the frames taken from a video in a folder
MAX_PICTURES = 512  # of a domain's training or held-out part
HELD_OUT = 5  # one file in five of a folder is held out


@dataclass(frozen=True)
class Domain:
    """Pictures (blue, green, red) of any sizes, for training and held out."""

    training: list[Picture]
    held_out: list[Picture]


def clip_frames(shards: Sequence[Path], clips: Mapping[str, bool]) -> Domain:
    """Frames of `clips` in Parquet shards; a clip maps to whether it is held out."""
    domain = Domain([], [])
    for path in shards:
        for record in read_parquet(path):
            if record.clip in clips:
                part = domain.held_out if clips[record.clip] else domain.training
                spread = np.linspace(0, len(record.frames) - 1, FRAMES_PER_CLIP).round().astype(int)
                part += [decode_jpeg(record.frames[index]) for index in sorted(set(spread))]
    # With few clips, one part may be empty.
    training, held_out = domain.training or domain.held_out, domain.held_out or domain.training
    return Domain(_subsample(training), _subsample(held_out))


def folder_pictures(folder: Path) -> Domain:
    """The pictures, and frames of the videos, in a folder; a single file is both parts.

    Files of a folder that cannot be read are left out, with a warning.
    """
    if folder.is_file():
        pictures = list(_pictures_of(folder))
        return Domain(pictures, pictures)
    files = [path for path in visible_files(folder) if _is_usable(path)]
    read = [pictures for path in files if (pictures := _readable_pictures(path))]
    if not read:
        raise StyleError(f"{folder} holds no pictures and no videos that can be read")
    last = min(HELD_OUT, len(read)) - 1
    training: list[Picture] = []
    held_out: list[Picture] = []
    for number, pictures in enumerate(read):
        part = held_out if number % HELD_OUT == last else training
        part += pictures
    return Domain(_subsample(training or held_out), _subsample(held_out))


def with_brush_strokes(domain: Domain, *, limit: int) -> Domain:
    """At most `limit` pictures of each part, redrawn with brush strokes."""
    parts = (_subsample(part, limit) for part in (domain.training, domain.held_out))
    return Domain(*([brush_strokes(each, seed=n) for n, each in enumerate(part)] for part in parts))


def halves_by_group(clips: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """Two halves of the clips (mapped to their groups) that share no group, by a stable hash."""
    first = {clip for clip, group in clips.items() if crc32(group.encode()) % 2}
    return first, clips.keys() - first


def _is_usable(path: Path) -> bool:
    return is_video(path.name) or path.suffix.lower() in PICTURE_SUFFIXES


def _readable_pictures(path: Path) -> list[Picture]:
    try:
        return list(_pictures_of(path))
    except StyleError as error:
        log.warning("left out: %s", error)
        return []


def _pictures_of(path: Path) -> Iterator[Picture]:
    if not is_video(path.name):
        yield shrink(read_picture(path), TRAINING_SIDE)
        return
    try:
        with open_video(path) as video:
            due = 0.0
            for shown in video.frames():
                if shown.start >= due:
                    due += INTERVAL
                    yield shrink(video.picture(shown.frame), TRAINING_SIDE)
    except ClipError as error:
        raise StyleError(f"{path} cannot be read as a video: {error}") from error


def _subsample(pictures: list[Picture], limit: int = MAX_PICTURES) -> list[Picture]:
    """At most `limit` of them, evenly spread."""
    if len(pictures) <= limit:
        return pictures
    return [pictures[index] for index in np.linspace(0, len(pictures) - 1, limit).astype(int)]
