"""The pictures of one kind that a network learns from, and those kept to judge it by."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import av
import numpy as np

from pipeline.dataset.names import is_video, visible_files
from pipeline.errors import StyleError
from pipeline.shards.parquet import read_parquet
from pipeline.style.images import LARGEST, PICTURES, read_picture, shrink
from pipeline.style.strokes import painted
from pipeline.video.decode import Picture
from pipeline.video.flow import decode_jpeg

FRAMES = 4  # taken of a clip, from its start to its end
EVERY = 1.0  # seconds between those taken of a video in a folder
LIMIT = 512  # pictures held
HELD_OUT = 5  # one file of so many in a folder is kept to judge by


@dataclass(frozen=True)
class Domain:
    """Pictures (blue, green, red) of any sizes: to learn from, and held out."""

    training: list[Picture]
    held_out: list[Picture]


def clip_frames(shards: Sequence[Path], clips: Mapping[str, bool]) -> Domain:
    """Frames of `clips` in Parquet shards; a clip maps to whether it is held out."""
    domain = Domain([], [])
    for path in shards:
        for record in read_parquet(path):
            if record.clip in clips:
                side = domain.held_out if clips[record.clip] else domain.training
                chosen = np.linspace(0, len(record.frames) - 1, FRAMES).round().astype(int)
                side += [decode_jpeg(record.frames[index]) for index in sorted(set(chosen))]
    # Few clips may all have fallen to one side.
    training, held_out = domain.training or domain.held_out, domain.held_out or domain.training
    return Domain(_thinned(training), _thinned(held_out))


def folder_pictures(folder: Path) -> Domain:
    """The pictures, and frames of the videos, in a folder; a single file is all of its domain."""
    if folder.is_file():
        pictures = list(_pictures_of(folder))
        return Domain(pictures, pictures)
    files = [path for path in visible_files(folder) if _is_meant(path)]
    if not files:
        raise StyleError(f"{folder} holds no pictures and no videos")
    held_out = files[HELD_OUT - 1 :: HELD_OUT] or files[-1:]
    training = [path for path in files if path not in held_out] or files
    return Domain(*(_thinned(_all_of(paths)) for paths in (training, held_out)))


def brushed(domain: Domain, *, limit: int) -> Domain:
    """At most `limit` pictures of each part, redrawn with brush strokes."""
    parts = (_thinned(part, limit) for part in (domain.training, domain.held_out))
    return Domain(*([painted(each, seed=n) for n, each in enumerate(part)] for part in parts))


def in_two(clips: Mapping[str, str]) -> tuple[set[str], set[str]]:
    """Clips (mapped to their groups) in two parts that share no group, by a stable hash."""
    first = {clip for clip, group in clips.items() if crc32(group.encode()) % 2}
    return first, clips.keys() - first


def _is_meant(path: Path) -> bool:
    return is_video(path.name) or path.suffix.lower() in PICTURES


def _all_of(paths: Sequence[Path]) -> list[Picture]:
    return [picture for path in paths for picture in _pictures_of(path)]


def _pictures_of(path: Path) -> Iterator[Picture]:
    if not is_video(path.name):
        yield shrink(read_picture(path), LARGEST)
        return
    try:
        with av.open(path) as film:
            due = 0.0
            for frame in film.decode(video=0):
                if (frame.time or 0.0) >= due:
                    due += EVERY
                    yield shrink(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8), LARGEST)
    except (av.error.FFmpegError, IndexError) as error:
        raise StyleError(f"{path} cannot be read as a video: {error}") from error


def _thinned(pictures: list[Picture], limit: int = LIMIT) -> list[Picture]:
    """At most `limit` of them, evenly spread."""
    if len(pictures) <= limit:
        return pictures
    return [pictures[index] for index in np.linspace(0, len(pictures) - 1, limit).astype(int)]
