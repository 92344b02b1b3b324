"""Write a video anew with its pictures changed: H.264 in MP4, sound and times as they were."""

import sys
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from heapq import heappop, heappush, merge
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
from av.container import InputContainer, OutputContainer

from pipeline.errors import ClipError
from pipeline.video.container import demand_whole
from pipeline.video.decode import Picture

# As many pictures as it is given, one by one, all of one size.
Change = Callable[[Iterator[Picture]], Iterator[Picture]]
Encoded: TypeAlias = "av.Packet[av.VideoStream] | av.Packet[av.AudioStream]"

COPIED_SOUND = {"aac", "mp3", "ac3"}  # what players expect in an MP4; the rest becomes AAC
QUALITY = {"crf": "18"}
AHEAD = 4  # frames by which a time may come too early
GAP = 0.1  # seconds without sound that are no rounding of times


def rewrite(
    source: Path, target: Path, change: Change, *, comment: str = "", seconds: float | None = None
) -> None:
    """Write the video `source` to `target` with `change` applied to its pictures.

    Frames keep their times, so that rate, length and sound stay as they are; `seconds` ends it
    earlier. Memory does not grow with the length. Raises ClipError if `source` cannot be decoded.
    """
    demand_whole(source)
    try:
        with (
            av.open(source) as film,
            av.open(source) as sound,
            av.open(target, "w", format="mp4") as output,
        ):
            output.metadata["comment"] = comment
            pictures = _changed(film, output, change, seconds)
            for packet in merge(pictures, _sound(sound, output, seconds), key=_decoding_time):
                output.mux(packet)
    except av.error.FFmpegError as error:
        raise ClipError(f"FFmpeg cannot convert it: {error.strerror}") from error


def read_comment(path: Path) -> str:
    """The comment that `rewrite` left in a video; empty if there is none, or no video."""
    try:
        with av.open(path) as film:
            return film.metadata.get("comment", "")
    except (av.error.FFmpegError, OSError):
        return ""


def _changed(
    film: InputContainer, output: OutputContainer, change: Change, seconds: float | None
) -> Iterator[Encoded]:
    """The encoded pictures; the stream is added to `output` at once."""
    if not film.streams.video:
        raise ClipError("it holds no pictures")
    frames: deque[av.VideoFrame] = deque()
    pictures = change(_decoded(film, frames, seconds))
    first = next(pictures, None)
    if first is None:
        raise ClipError("it holds no frame that can be decoded")
    source = film.streams.video[0]
    stream = output.add_stream("libx264", source.average_rate, options=QUALITY)
    stream.height, stream.width = first.shape[:2]
    # Chroma at half the size needs even sides.
    stream.pix_fmt = "yuv444p" if stream.height % 2 or stream.width % 2 else "yuv420p"
    stream.codec_context.time_base = _unit(source)
    stream.codec_context.sample_aspect_ratio = source.sample_aspect_ratio or Fraction(1)
    offset = _offset(film, source)

    def packets() -> Iterator[Encoded]:
        for picture in chain([first], pictures):
            before = frames.popleft()
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = (before.pts or 0) - offset, _unit(source)
            frame.duration = before.duration
            yield from stream.encode(frame)
        yield from stream.encode()

    return packets()


def _decoded(
    film: InputContainer, frames: deque[av.VideoFrame], seconds: float | None
) -> Iterator[Picture]:
    """The pictures (blue, green, red); the frames that they come from are left in `frames`."""
    start = None
    for frame in in_time(film.decode(video=0)):
        time = frame.time or 0
        start = time if start is None else start
        if seconds is not None and time - start >= seconds:
            return
        frames.append(frame)
        yield np.ascontiguousarray(frame.to_ndarray(format="bgr24"))


def in_time(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """The frames in their order, their times in order too.

    An AVI stores none: those that FFmpeg finds for reordered frames run back and forth by a few.
    """
    waiting: deque[av.VideoFrame] = deque()
    times: list[int] = []
    last = -sys.maxsize

    def first() -> av.VideoFrame:
        nonlocal last
        frame, last = waiting.popleft(), max(heappop(times), last + 1)
        frame.pts = last
        return frame

    for frame in frames:
        if frame.pts is None:
            raise ClipError("a frame has no time")
        waiting.append(frame)
        heappush(times, frame.pts)
        if len(times) > AHEAD:
            yield first()
    while waiting:
        yield first()


def _sound(
    film: InputContainer, output: OutputContainer, seconds: float | None
) -> Iterator[Encoded]:
    """The packets of the first sound track, if there is one; its stream is added at once."""
    if not film.streams.audio:
        return iter(())
    source = film.streams.audio[0]
    end = None if seconds is None else seconds + (film.start_time or 0) / av.time_base
    if source.codec_context.codec.canonical_name in COPIED_SOUND:
        return _copied(film, source, output.add_stream_from_template(source), end)
    # By number: a file may not say how its channels are laid out.
    layout = "mono" if source.channels == 1 else "stereo"
    stream = output.add_stream("aac", source.rate, layout=layout)
    return _encoded(film, source, stream, end)


def _copied(
    film: InputContainer, source: av.AudioStream, stream: av.AudioStream, end: float | None
) -> Iterator[Encoded]:
    offset = _offset(film, source)
    for packet in film.demux(source):
        if packet.pts is None or packet.dts is None:  # the mark of the end
            continue
        if end is not None and packet.dts * _unit(source) >= end:
            return
        packet.pts, packet.dts, packet.stream = packet.pts - offset, packet.dts - offset, stream
        yield packet


def _encoded(
    film: InputContainer, source: av.AudioStream, stream: av.AudioStream, end: float | None
) -> Iterator[Encoded]:
    start, place = (film.start_time or 0) / av.time_base, 0
    for frame in film.decode(source):
        time = frame.time or 0
        if end is not None and time >= end:
            break
        # Sample by sample: some files' times are too coarse for packets not to overlap. Gaps count.
        due = round((time - start) * source.rate)
        place = due if due - place > source.rate * GAP else place
        frame.pts, frame.time_base = place, Fraction(1, source.rate)
        place += frame.samples
        yield from stream.encode(frame)
    yield from stream.encode()


def _offset(film: InputContainer, stream: av.VideoStream | av.AudioStream) -> int:
    """Where the film starts, in the stream's units of time: some do not start at 0."""
    return round((film.start_time or 0) / av.time_base / _unit(stream))


def _unit(stream: av.VideoStream | av.AudioStream) -> Fraction:
    """Seconds that one step of the stream's times takes."""
    return stream.time_base or Fraction(1, av.time_base)


def _decoding_time(packet: Encoded) -> float:
    return float((packet.dts or 0) * (packet.time_base or 0))
