"""Write a video with its pictures changed: H.264 in MP4, with the sound and times of the source."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from heapq import merge
from itertools import chain
from math import ceil
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation

from pipeline.errors import ClipError
from pipeline.video.colour import Picture
from pipeline.video.container import validate_container
from pipeline.video.decode import LIMITS, TimedFrame, Video, blaming_the_file, open_video

log = logging.getLogger(__name__)

# As many pictures as it is given, one by one, all of one size.
Change = Callable[[Iterator[Picture]], Iterator[Picture]]
Draw = Callable[[Picture, float], Picture]  # on a picture, shown from that second on
Encoded: TypeAlias = "av.Packet[av.VideoStream] | av.Packet[av.AudioStream]"

COPIED_SOUND = {"aac", "mp3", "ac3"}  # what players expect in an MP4; the rest becomes AAC
QUALITY = {"crf": "18"}
GAP = 0.1  # seconds without sound that are no rounding of times
FINE = 10_000  # units per second: times at least so fine keep frames of one time apart
TAG = 1  # BT.709, of FFmpeg's numbers for matrices


def rewrite(
    source: Path, target: Path, change: Change, *, comment: str = "", seconds: float | None = None
) -> None:
    """Write the video `source` to `target` with `change` applied to its pictures.

    They are upright, in square pixels and sRGB; the file is tagged as BT.709 and without rotation.
    Frames keep their times, so that rate, length and sound stay as they are; `seconds` ends it
    earlier. Memory does not grow with the length. Raises ClipError if `source` cannot be decoded,
    OSError if `target` cannot be written, for instance onto a full disk.
    """

    def changed(film: Video, frames: deque[TimedFrame]) -> Iterator[Picture]:
        return change(_pictures(film, frames, seconds))

    _write(source, target, changed, comment=comment, seconds=seconds)


def annotate(source: Path, target: Path, draw: Draw) -> None:
    """Write the video `source` to `target` with something drawn on each picture, as `rewrite`."""

    def drawn(film: Video, frames: deque[TimedFrame]) -> Iterator[Picture]:
        for picture in _pictures(film, frames, None):
            yield draw(picture, frames[-1].start)

    _write(source, target, drawn)


def _write(
    source: Path,
    target: Path,
    pictures_of: Callable[[Video, deque[TimedFrame]], Iterator[Picture]],
    *,
    comment: str = "",
    seconds: float | None = None,
) -> None:
    """Write what `pictures_of` makes of a film; it leaves each picture's frame in the deque."""
    validate_container(source)
    with (
        open_video(source) as film,
        source.open("rb") as sound_file,
        target.open("wb") as written,
        blaming_the_file("it cannot be converted"),
        av.open(sound_file, "r", metadata_errors="replace", options=LIMITS) as sound,
        av.open(written, "w", format="mp4") as output,
    ):
        output.metadata["comment"] = comment
        frames: deque[TimedFrame] = deque()
        pictures = _encoded_pictures(film, output, pictures_of(film, frames), frames)
        for packet in merge(pictures, _sound(sound, output, seconds), key=_decoding_time):
            output.mux(packet)


def read_comment(path: Path) -> str:
    """The comment that `rewrite` left in a video; empty if there is none, or no video."""
    try:
        with path.open("rb") as file, av.open(file, "r", metadata_errors="replace") as film:
            return film.metadata.get("comment", "")
    except (av.error.FFmpegError, OSError):
        return ""


def _encoded_pictures(
    film: Video, output: OutputContainer, pictures: Iterator[Picture], frames: deque[TimedFrame]
) -> Iterator[Encoded]:
    """The encoded pictures, at the times of `frames`; the stream is added to `output` at once."""
    first = next(pictures, None)
    if first is None:
        raise ClipError("it holds no frame that can be decoded")
    stream = output.add_stream("libx264", film.stream.average_rate or 25, options=QUALITY)
    stream.height, stream.width = first.shape[:2]
    # Chroma at half the size needs even sides.
    stream.pix_fmt = "yuv444p" if stream.height % 2 or stream.width % 2 else "yuv420p"
    unit = film.unit / ceil(film.unit * FINE)
    encoder = stream.codec_context
    encoder.time_base = unit
    encoder.sample_aspect_ratio = Fraction(1)
    encoder.colorspace = encoder.color_primaries = encoder.color_trc = TAG
    encoder.color_range = ColorRange.MPEG

    def packets() -> Iterator[Encoded]:
        last = -1
        for picture in chain([first], pictures):
            shown = frames.popleft()
            frame = _coloured(picture, str(stream.pix_fmt))
            last = max(last + 1, round((film.lead + shown.start) / unit))
            frame.pts, frame.time_base = last, unit
            frame.duration = round((shown.end - shown.start) / unit)
            yield from stream.encode(frame)
        yield from stream.encode()

    return packets()


def _coloured(picture: Picture, layout: str) -> av.VideoFrame:
    """The picture in the colours that the file is tagged with."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24").reformat(
        format=layout,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
        threads=1,
    )
    frame.color_primaries, frame.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    return frame


def _pictures(film: Video, frames: deque[TimedFrame], seconds: float | None) -> Iterator[Picture]:
    """The pictures (blue, green, red); the frames that they come from are left in `frames`."""
    for shown in film.frames():
        if seconds is not None and shown.start >= seconds:
            return
        frames.append(shown)
        yield film.picture(shown.frame)


def _sound(
    film: InputContainer, output: OutputContainer, seconds: float | None
) -> Iterator[Encoded]:
    """The packets of the first sound track, if there is one; its stream is added at once."""
    if not film.streams.audio:
        return iter(())
    source = film.streams.audio[0]
    if source.codec_context is None:
        log.warning("its sound is left out: there is no decoder for it")
        return iter(())
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
    shift, due = -_offset(film, source), None
    for packet in film.demux(source):
        if packet.pts is None or packet.dts is None:  # the mark of the end
            continue
        if end is not None and packet.dts * _unit(source) >= end:
            return
        if due is not None and packet.dts + shift < due - (packet.duration or 0):
            shift = due - packet.dts  # its times start again, where recordings were joined
        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
        due = packet.dts + (packet.duration or 1)
        yield packet


def _encoded(
    film: InputContainer, source: av.AudioStream, stream: av.AudioStream, end: float | None
) -> Iterator[Encoded]:
    start, place = (film.start_time or 0) / av.time_base, 0
    for frame in _sound_frames(film, source):
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


def _sound_frames(film: InputContainer, source: av.AudioStream) -> Iterator[av.AudioFrame]:
    """What of the sound can be decoded."""
    for packet in film.demux(source):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue
        yield from frames


def _offset(film: InputContainer, stream: av.AudioStream) -> int:
    """Where the film starts, in the stream's units of time: some do not start at 0."""
    return round((film.start_time or 0) / av.time_base / _unit(stream))


def _unit(stream: av.AudioStream) -> Fraction:
    """Seconds that one step of the stream's times takes."""
    return stream.time_base or Fraction(1, av.time_base)


def _decoding_time(packet: Encoded) -> float:
    return float((packet.dts or 0) * (packet.time_base or 0))
