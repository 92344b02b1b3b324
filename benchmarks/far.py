"""Strangers of other kinds: videos, still pictures, noise and plain colours, as sampled steps."""

from __future__ import annotations

from itertools import islice, repeat
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from pipeline.errors import ClipError
from pipeline.inference.frames import picture_steps, video_steps
from pipeline.sources.sample.drawing import scene_of
from pipeline.sources.sample.sample import sample_clips

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pipeline.inference.card import Sampling
    from pipeline.inference.windows import Step

FRAMES = 24  # of a still picture, of noise and of a plain colour: three seconds
STILLS = 40  # of each folder of pictures
DRAWN = 36  # clips of the sample data set
NOISE = 20
PLAIN = {"black": 0, "grey": 128, "white": 255}

Picture = np.ndarray


class Stranger(NamedTuple):
    """A video that shows none of the classes."""

    kind: str
    name: str
    steps: list[Step]


def strangers(shared: Path, sampling: Sampling) -> Iterator[Stranger]:
    """All of them; `shared` is the folder of real data beside the repository."""
    for path in sorted((shared / "odd_media").iterdir()):
        try:
            yield Stranger("videos", path.name, list(video_steps(path, sampling, ("rgb",))))
        except ClipError:
            continue  # damaged: it is refused before any network sees it
    for kind, pictures in _pictures(shared):
        for name, frames in pictures:
            scaled = (cv2.resize(frame, (sampling.width, sampling.height)) for frame in frames)
            yield Stranger(kind, name, list(picture_steps(scaled, sampling, ("rgb",))))


def _pictures(shared: Path) -> Iterator[tuple[str, Iterable[tuple[str, Iterable[Picture]]]]]:
    """Each kind, with names and frames."""
    for folder in ("photos", "paintings", "monet/photos", "monet/paintings"):
        yield "stills", _stills(shared / "styles" / folder)
    yield "drawn", _drawn()
    yield "noise", _noise()
    yield "plain", ((name, repeat(_plain(value), FRAMES)) for name, value in PLAIN.items())


def _stills(folder: Path) -> Iterator[tuple[str, Iterable[Picture]]]:
    for path in islice(sorted(folder.glob("*.jpg")), STILLS):
        yield f"{folder.name}/{path.name}", repeat(cv2.imread(str(path)), FRAMES)


def _drawn() -> Iterator[tuple[str, Iterable[Picture]]]:
    """Clips of the sample data set, about every eighth frame of a second."""
    clips = sample_clips()
    for clip in clips[:: len(clips) // DRAWN]:
        scene = scene_of(clip)
        yield clip, (scene.frame(index) for index in range(0, len(scene), 3))


def _noise() -> Iterator[tuple[str, Iterable[Picture]]]:
    """Pixels, or coarse patches, at random; half of them still."""
    for seed in range(NOISE):
        rng = np.random.default_rng(seed)
        side = (96, 24, 8)[seed % 3]
        count = 1 if seed % 2 else FRAMES
        drawn = [rng.integers(0, 256, (side, side, 3), np.uint8) for _ in range(count)]
        yield f"noise {seed}", (drawn[index % count] for index in range(FRAMES))


def _plain(value: int) -> Picture:
    return np.full((96, 128, 3), value, np.uint8)
