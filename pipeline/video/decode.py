"""One decoder for everything: frames at the times at which a player shows them."""

from __future__ import annotations

import math
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import IO, TYPE_CHECKING, NamedTuple, TypeAlias, cast

import av
import numpy as np
from av.stream import Discard, Disposition

from pipeline.errors import ClipError
from pipeline.files import is_machine_error
from pipeline.video.colour import Converter, Size
from pipeline.video.colour import Picture as Picture
from pipeline.video.container import container_kind
from pipeline.video.deinterlace import deinterlaced
from pipeline.video.timeline import LOOKAHEAD, Clock, Stamped, present

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    from pipeline.params import Extract

Coded: TypeAlias = "av.Packet[VideoStream]"

SHORTEST = 0.002  # seconds; a shorter duration is the unit of a clock, not the length of a frame
USUAL = Fraction(1, 25)  # seconds from frame to frame where a file says nothing
LEAP = 10  # seconds; in formats whose times may start again, a longer step is such a place
DEEPEST = 17  # frames: as far as any codec reorders
EARLY = 1e-6  # seconds by which rounding may put a frame behind its time
# Of a frame: 8K fits. A broken or hostile header may ask for any amount of memory.
MAX_PIXELS, MAX_SIDE = 36_000_000, 16_384
LIMITS = {"max_pixels": str(MAX_PIXELS)}  # the same for FFmpeg, before it allocates


class TimedFrame(NamedTuple):
    """A decoded frame and the span [start, end) in which it is shown.

    In seconds from the first frame.
    """

    start: float
    end: float
    frame: VideoFrame


@dataclass(frozen=True)
class Sampled:
    """The frames kept of a clip."""

    times: NDArray[np.float32]  # [N] seconds from the clip's start: when each is first shown
    frames: Picture  # [N, height, width, 3], OpenCV's blue, green, red


class Video:
    """An open video; `frames` goes through it once."""

    def __init__(self, container: InputContainer) -> None:
        """Choose the stream that a player shows; a ClipError says that there is none."""
        self.losses: list[str] = []
        self.format = container.format.name
        self.stream = _shown_stream(container)
        self.unit = self.stream.time_base or Fraction(1, av.time_base)
        self._container = container
        self._decoder = _decoder(self.stream)
        self._converter = Converter(self.stream.sample_aspect_ratio)
        self._size: Size | None = None
        self._packet_duration = 0
        self._shortest = SHORTEST / self.unit
        self._doubtful: tuple[int, int] | None = None  # number and time of a packet with a gap

    def frames(self) -> Iterator[TimedFrame]:
        """All frames in order; what cannot be decoded is passed over and noted in `losses`."""
        unit = self.unit
        frames = deinterlaced(self._decoded(), unit)
        for shown in present(map(self._stated, frames), self._clock()):
            start, end = shown.start * unit.numerator, shown.end * unit.numerator
            yield TimedFrame(start / unit.denominator, end / unit.denominator, shown.item)

    @property
    def lead(self) -> float:
        """Seconds from the beginning of everything in the file, sound say, to the first frame."""
        start, origin = self.stream.start_time, self._container.start_time
        if start is None or origin is None:
            return 0.0
        return max(0.0, float(start * self.unit) - origin / av.time_base)

    def size(self, frame: VideoFrame) -> Size:
        """Width and height of all of this video's pictures: those of the first frame seen."""
        if self._size is None:
            self._size = self._converter.size(frame)
            _demand_bounded(*self._size)
        return self._size

    def picture(self, frame: VideoFrame, size: Size | None = None) -> Picture:
        """The frame upright, in square pixels and sRGB, scaled to `size` or the video's own."""
        try:
            return self._converter.picture(frame, size or self.size(frame))
        except (av.error.FFmpegError, ValueError) as error:
            raise ClipError(
                f"its colours are not supported ({frame.format.name}, matrix {frame.colorspace}, "
                f"transfer {frame.color_trc}); convert it to yuv420p"
            ) from error

    def _decoded(self) -> Iterator[VideoFrame]:
        """The frames as the decoder gives them; `pts` is what the container states, or None."""
        for number, packet in enumerate(self._packets()):
            if packet.size:
                yield from self._decode(packet, number)
        self._settle_doubt()
        with suppress(av.error.InvalidDataError):
            yield from map(self._stamped, self._decoder.decode(None))

    def _packets(self) -> Iterator[Coded]:
        packets = self._container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.BlockingIOError:  # so much that is no packet that it asks to go on
                packets = self._container.demux(self.stream)
                continue
            except av.error.FFmpegError as error:
                _demand_blame(error)
                self.losses.append(f"nothing can be read behind a damaged place: {error.strerror}")
                return
            if packet is None:
                return
            yield packet

    def _decode(self, packet: Coded, number: int) -> Iterator[VideoFrame]:
        if self.format == "avi":  # it states when packets are decoded, not when they are shown
            packet.opaque = (packet.dts,)
        self._packet_duration = packet.duration or 0
        if packet.is_corrupt or self._doubtful:
            self._note_missing(packet, number)
        try:
            yield from map(self._stamped, self._decoder.decode(packet))
        except av.error.PatchWelcomeError as error:
            raise ClipError(
                f"not supported: the decoder for {self._decoder.name} lacks a feature that it uses"
            ) from error
        except av.error.FFmpegError as error:
            _demand_blame(error)
            self.losses.append(f"the coded frame {number} cannot be decoded: {error.strerror}")

    def _note_missing(self, packet: Coded, number: int) -> None:
        """Note packets that are not all there.

        In a transport stream that is a gap in a counter, and where two streams were joined there
        is one as well: then the times start again within a few packets.
        """
        if self._doubtful and packet.dts is not None:
            suspect, dts = self._doubtful
            if not 0 <= (packet.dts - dts) * self.unit <= LEAP:
                self._doubtful = None
            elif number > suspect + LOOKAHEAD:
                self._settle_doubt()
        if packet.is_corrupt and self.format == "mpegts":
            self._doubtful = self._doubtful or (number, packet.dts or 0)
        elif packet.is_corrupt:
            self.losses.append(f"the coded frame {number} is cut off")

    def _settle_doubt(self) -> None:
        if self._doubtful:
            self.losses.append(f"parts of the coded frame {self._doubtful[0]} are missing")
            self._doubtful = None

    def _stamped(self, frame: VideoFrame) -> VideoFrame:
        if self.format == "avi":
            (frame.pts,) = cast("tuple[int]", frame.opaque)
        # That of a reordered frame may be the distance to the frame that was coded next. The last
        # packet's is how long the last frame is shown.
        frame.duration = min(frame.duration, self._packet_duration) or self._packet_duration
        return frame

    def _stated(self, frame: VideoFrame) -> Stamped[VideoFrame]:
        duration = frame.duration
        return Stamped(frame, frame.pts, duration if duration >= self._shortest else 0)

    def _clock(self) -> Clock:
        unit = self.unit
        rate = self.stream.average_rate or self.stream.guessed_rate
        step = 1 / rate if rate and 1 / rate >= SHORTEST else USUAL
        untimed = self.format == "avi"
        return Clock(
            step=max(1, round(step / unit)),
            lookahead=DEEPEST if untimed and self._decoder.reorder_depth else LOOKAHEAD,
            leap=round(LEAP / unit) if self.format in _RESTARTING else None,
        )


@contextmanager
def open_video(path: Path) -> Iterator[Video]:
    """Open the video at `path`; a ClipError says why it cannot be."""
    # As a file, not by name: names are bytes, and may look like a protocol (`rec:1.mp4`).
    with open_file(path) as file:
        container_kind(file)
        with blaming_the_file("it cannot be opened as a video"):
            container = av.open(file, "r", metadata_errors="replace", options=LIMITS)
        with container:
            yield Video(container)


@contextmanager
def open_file(path: Path) -> Iterator[IO[bytes]]:
    """The file at `path`, to read; a ClipError if it cannot be."""
    try:
        file = path.open("rb")
    except OSError as error:
        _demand_blame(error)
        raise ClipError(f"it cannot be opened ({error.strerror}); restore the file") from error
    with file:
        yield file


def sample_times(duration: float, *, rate: float, limit: int) -> NDArray[np.float64]:
    """The times 0, 1/`rate`, … before `duration`; of more than `limit`, the middle ones."""
    count = max(1, math.ceil((duration - EARLY) * rate))
    start = max(0, (count - limit) // 2)
    return np.arange(start, start + min(count, limit)) / rate


def sample_clip(path: Path, *, duration: float, settings: Extract) -> Sampled:
    """Decode the clip of `duration` seconds at `path` and keep what `settings` asks for.

    Each kept frame is the one that a player shows at its time; only these are converted, and
    none beside them is held. A frame repeats where the clip has fewer a second than are asked
    for. Raises ClipError if the clip does not open or ends before its last sampled frame.
    """
    due = sample_times(duration, rate=settings.fps, limit=settings.max_frames).tolist()
    with open_video(path) as video:
        found = list(
            sampled(video, video.frames(), due, width=settings.width, height=settings.height)
        )
    if len(found) == len(due):
        times, pictures = zip(*found, strict=True)
        return Sampled(np.asarray(times, np.float32), np.stack(pictures))
    raise ClipError(
        f"decoding stops before the frame at {due[len(found)]:g} s of the {duration:g} s that the "
        "catalogue states; restore the file, or run the stage subset again"
    )


def sampled(
    video: Video,
    frames: Iterable[TimedFrame],
    times: Iterable[float],
    *,
    width: int,
    height: int,
) -> Iterator[tuple[float, Picture]]:
    """For each of `times`, in order: when its frame is first shown, and the frame at that size.

    Ends with the times or with the frames, whichever is first; frames between are not converted.
    """
    due = iter(times)
    time = next(due, None)
    for shown in frames:
        picture = None
        while time is not None and time < shown.end - EARLY:
            if picture is None:
                picture = _covering(video, shown.frame, width, height)
            yield shown.start, picture
            time = next(due, None)
        if time is None:
            return


def first_frames(path: Path, count: int) -> list[Picture]:
    """The first `count` frames of a clip, or all if it has fewer, at their own size."""
    with open_video(path) as video:
        return [video.picture(shown.frame) for shown in islice(video.frames(), count)]


def _covering(video: Video, frame: VideoFrame, width: int, height: int) -> Picture:
    """The frame scaled to cover `width` × `height`; what hangs over is cut away."""
    own_width, own_height = video.size(frame)
    scale = max(width / own_width, height / own_height)
    size = max(width, round(own_width * scale)), max(height, round(own_height * scale))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    # A copy: a view would keep all that hangs over in memory.
    return video.picture(frame, size)[top : top + height, left : left + width].copy()


def _demand_bounded(width: int, height: int) -> None:
    if max(width, height) > MAX_SIDE or not 0 < width * height <= MAX_PIXELS:
        size = f"{width}×{height}" if width else "of unknown size, or too large"
        raise ClipError(
            f"its frames are {size}; each side may have at most {MAX_SIDE} pixels, and "
            f"the whole at most {MAX_PIXELS}; scale it down"
        )


def _shown_stream(container: InputContainer) -> VideoStream:
    """The first stream of moving pictures; a cover picture is none."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise ClipError("it holds no video, only sound, pictures or data")
    for other in container.streams:
        if other is not streams[0]:
            other.discard = Discard.all
    return streams[0]


def _decoder(stream: VideoStream) -> VideoCodecContext:
    """One thread: other cores have workers of their own, and the frames come in one order."""
    decoder = stream.codec_context
    if decoder is None:
        raise ClipError("not supported: no decoder for the codec of its video")
    _demand_bounded(decoder.width, decoder.height)
    library = _ALPHA_DECODERS.get(decoder.name)
    if library and stream.metadata.get("alpha_mode") == "1":
        decoder = cast("VideoCodecContext", av.CodecContext.create(library, "r"))
        decoder.extradata = stream.codec_context.extradata
    decoder.options = LIMITS
    decoder.thread_count = 1
    decoder.copy_opaque = True
    return decoder


# FFmpeg's own decoders of these leave out what is transparent.
_ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
# These formats' times start again where recordings were joined.
_RESTARTING = {"mpegts", "mpeg", "mpegvideo"}


@contextmanager
def blaming_the_file(what: str) -> Iterator[None]:
    """FFmpeg's errors as ClipErrors that begin with `what`, but for those of the machine."""
    try:
        yield
    except av.error.FFmpegError as error:
        _demand_blame(error)
        raise ClipError(f"{what}: {error.strerror}") from error


def _demand_blame(error: av.error.FFmpegError | OSError) -> None:
    """Raise an OSError if the machine is to blame (a full disk, say), and not the file."""
    if is_machine_error(error):
        raise OSError(error.errno, error.strerror) from error
