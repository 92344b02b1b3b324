"""Presentation times: one continuous timeline from whatever times a file states."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappush, heappushpop
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")

LOOKAHEAD = 4  # frames by which a stated time may come too early
RECENT = 64  # stated times that are remembered, to recognize a timeline that starts again


class Stamped(NamedTuple, Generic[Item]):
    """A frame with what its file states, in units of the stream's time base."""

    item: Item
    time: int | None
    duration: int = 0  # 0: not stated


class Shown(NamedTuple, Generic[Item]):
    """A frame and the span [start, end) in which a player shows it, from 0 at the first frame."""

    item: Item
    start: int
    end: int


@dataclass(frozen=True)
class Clock:
    """What else is known of a stream's times, in the same units."""

    step: int  # the usual distance between frames; at least 1
    lookahead: int = LOOKAHEAD
    leap: int | None = None  # a longer step forward is a timeline that starts again


class _Timed(NamedTuple, Generic[Item]):
    item: Item
    time: int
    duration: int


def present(frames: Iterable[Stamped[Item]], clock: Clock) -> Iterator[Shown[Item]]:
    """The frames in the decoder's order, which is right, with times that never decrease.

    Times that run back and forth within `lookahead` frames are sorted. Times that start again
    (joined streams) continue where the last frame ended. A frame that bears the same time as the
    next one is never shown: its span is empty.
    """
    timed = _sorted_times(_continued(frames, clock), clock.lookahead)
    held = next(timed, None)
    if held is None:
        return
    origin, step = held.time, clock.step
    for following in timed:
        yield Shown(held.item, held.time - origin, following.time - origin)
        step = following.time - held.time or step
        held = following
    end = held.time + (held.duration or step)
    yield Shown(held.item, held.time - origin, end - origin)


def _continued(frames: Iterable[Stamped[Item]], clock: Clock) -> Iterator[_Timed[Item]]:
    """Times behind a new start are moved to where the last frame ended; missing ones are filled."""
    shift, latest, end = 0, None, 0
    recent: deque[int] = deque(maxlen=RECENT)
    for each in frames:
        time = end if each.time is None else each.time + shift
        if latest is not None and _starts_again(time, latest, recent, clock):
            shift += end - time
            time = end
            recent.clear()
        recent.append(time)
        if latest is None or time >= latest:
            latest, end = time, time + (each.duration or clock.step)
        yield _Timed(each.item, time, each.duration)


def _starts_again(time: int, latest: int, recent: deque[int], clock: Clock) -> bool:
    if time < latest:
        return time in recent or latest - time > clock.lookahead * clock.step
    return clock.leap is not None and time - latest > clock.leap


def _sorted_times(frames: Iterator[_Timed[Item]], lookahead: int) -> Iterator[_Timed[Item]]:
    """The frames in their order; their times sorted within `lookahead` frames."""
    waiting: deque[_Timed[Item]] = deque()
    times: list[int] = []
    last = None

    def first(time: int) -> _Timed[Item]:
        nonlocal last
        last = time if last is None else max(time, last)
        frame = waiting.popleft()
        return frame if frame.time == last else frame._replace(time=last)

    for frame in frames:
        waiting.append(frame)
        if len(waiting) > lookahead:
            yield first(heappushpop(times, frame.time))
        else:
            heappush(times, frame.time)
    for time in sorted(times):
        yield first(time)
