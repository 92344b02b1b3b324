"""Frames of a video as training and evaluation see them: sampled, scaled, coded, with flow."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain, count, pairwise
from queue import Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import cv2
import numpy as np

from pipeline.inference.windows import Frame
from pipeline.video.container import validate_container
from pipeline.video.decode import open_video, sampled
from pipeline.video.flow import byte_planes, decode_jpeg, encode_field, encode_jpeg, flow_fields
from pipeline.video.probe import intact_frames

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from pipeline.inference.card import Sampling
    from pipeline.inference.windows import Step
    from pipeline.params import Stream
    from pipeline.video.decode import Picture

AHEAD = 64  # steps that are decoded before they are asked for

Item = TypeVar("Item")


def video_steps(path: Path, sampling: Sampling, streams: Collection[Stream]) -> Iterator[Step]:
    """All sampled steps of a video, with a frame of each stream; memory does not grow with it.

    Raises a ClipError where the file is not a video, or is damaged.
    """
    validate_container(path)
    with open_video(path) as video:
        times = (number / sampling.fps for number in count())
        size = {"width": sampling.width, "height": sampling.height}
        found = sampled(video, intact_frames(video), times, **size)
        yield from picture_steps((picture for _, picture in found), sampling, streams)


def picture_steps(
    pictures: Iterable[Picture], sampling: Sampling, streams: Collection[Stream]
) -> Iterator[Step]:
    """A step for each sampled picture (blue, green, red; of the sampling's size), in order."""
    quality = sampling.jpeg_quality
    flow: Frame | None = None
    for now, after in pairwise(chain(pictures, [None])):
        step: dict[Stream, Frame] = {}
        if "rgb" in streams and now is not None:
            step["rgb"] = _rgb(now, quality)
        if "flow" in streams and now is not None:
            flow = _flow(now, after, quality) if after is not None or flow is None else flow
            step["flow"] = flow
        yield step


def _rgb(picture: Picture, quality: int) -> Frame:
    coded = encode_jpeg(picture, quality=quality)
    return Frame(cv2.cvtColor(decode_jpeg(coded), cv2.COLOR_BGR2RGB))


def _flow(now: Picture, after: Picture | None, quality: int) -> Frame:
    """Flow to the next picture; a picture that stands alone does not move."""
    pair = [now] if after is None else [now, after]
    jpeg, scale = encode_field(flow_fields(np.stack(pair))[0], quality=quality)
    return Frame(byte_planes(jpeg), scale)


# What a thread hands over: an item, in a tuple of its own; an exception; or None at the end.
_Handed: TypeAlias = "tuple[Item] | BaseException | None"


@contextmanager
def ahead(items: Iterable[Item], limit: int = AHEAD) -> Iterator[Iterator[Item]]:
    """The items, made by a thread of their own, at most `limit` before they are asked for."""
    ready: Queue[_Handed[Item]] = Queue(limit)
    stopped = Event()
    thread = Thread(target=_make, args=(items, ready, stopped), daemon=True)
    thread.start()
    try:
        yield _taken(ready)
    finally:
        stopped.set()
        thread.join()


def _taken(ready: Queue[_Handed[Item]]) -> Iterator[Item]:
    while (handed := ready.get()) is not None:
        if isinstance(handed, BaseException):
            raise handed
        yield handed[0]


def _make(items: Iterable[Item], ready: Queue[_Handed[Item]], stopped: Event) -> None:
    """Hand over the items, then what ended them."""
    try:
        for item in items:
            if not _hand(ready, (item,), stopped):
                return
        _hand(ready, None, stopped)
    except BaseException as error:  # noqa: BLE001 - raised where the items are taken
        _hand(ready, error, stopped)


def _hand(ready: Queue[_Handed[Item]], handed: _Handed[Item], stopped: Event) -> bool:
    """Whether there was room before the items were no longer wanted."""
    while not stopped.is_set():
        try:
            ready.put(handed, timeout=0.1)
        except Full:
            continue
        return True
    return False
