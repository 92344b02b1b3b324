"""Whether a video file is all there, as far as its container tells: demuxers forgive too much.

What counts is whether coded frames are missing. Sizes in headers may lie, an index may be missing,
chunks may be padded or not, and bytes may follow the end: players do not mind, nor does this.
"""

import os
import re
import struct
import zlib
from pathlib import Path
from typing import IO

from pipeline.errors import ClipError

# What video files begin with; FFmpeg takes anything else for a raw stream and decodes noise.
SIGNATURES = {
    "avi": rb"RIFF....AVI ",
    "mp4": rb"....(ftyp|styp|moov|moof|mdat|free|skip|wide|pnot|uuid|sidx)",
    "matroska": rb"\x1aE\xdf\xa3",
    "asf": rb"0&\xb2u",
    "flv": rb"FLV",
    "gif": rb"GIF8",
    "ogg": rb"OggS",
    "mpeg": rb"\x00?\x00\x00\x01|(....)?G.{187,191}G",
    "jpeg": rb"\xff\xd8",
    "ivf": rb"DKIF",
}
NOISE = 4096  # bytes behind the end that are too many, and too random, for a device's remark
TOLERATED = 0.02  # share of the stated frames that may be missing: some writers count too many


def container_kind(file: IO[bytes]) -> str:
    """The kind of container, from its first bytes; a ClipError if it is none that is known."""
    start = file.read(200)
    file.seek(0)
    if not start:
        raise ClipError("the file is empty")
    for kind, signature in SIGNATURES.items():
        if re.match(signature, start, re.DOTALL):
            return kind
    raise ClipError(f"it begins like no video file: {start[:12]!r}")


def validate_container(path: Path) -> None:
    """Refuse, with a ClipError, a file that is not a video or that lacks coded frames."""
    with path.open("rb") as file:
        kind = container_kind(file)
        size = os.fstat(file.fileno()).st_size
        if kind == "avi":
            _AviWalk(file, size).validate_container()
        elif kind == "mp4":
            _demand_whole_mp4(file, size)
        elif kind == "matroska":
            _demand_whole_matroska(file, size)


class _AviWalk:
    """Goes from chunk to chunk, into lists but not into frames; a large file has several RIFFs."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size
        self._end = 0  # of the RIFF that it is in, as stated
        self._streams = 0
        self._video, self._stated, self._found = -1, 0, 0

    def validate_container(self) -> None:
        position = 0
        while position < self._size:
            position = self._step(position)
        missing = self._stated - self._found
        # Some writers count too many; but not where the file ends too early as well.
        allowed = 0 if self._end > self._size else max(1, TOLERATED * self._stated)
        if missing > allowed:
            raise ClipError(
                f"{missing} of its {self._stated} frames are missing: it was cut off, or parts "
                "of it were overwritten"
            )

    def _step(self, position: int) -> int:
        """The position behind the chunk, list head or padding at `position`."""
        name, length, form = self._head(position)
        if name == b"RIFF" and form in (b"AVI ", b"AVIX"):
            return self._enter_riff(position, length, form)
        if name == b"LIST" and _is_name(form):
            return position + 12
        if not _is_name(name) or (position >= self._end and self._ends(position, length)):
            return self._behind_padding(position)
        if position + 8 + length > self._size:
            raise ClipError(f"it is cut off: {self._size} bytes of {position + 8 + length}")
        self._note(name, position)
        return self._behind(position, length)

    def _enter_riff(self, position: int, length: int, form: bytes) -> int:
        if position and form == b"AVI ":
            raise ClipError(
                f"a second film begins at byte {position}, which players do not show; split them"
            )
        self._end = position + 8 + length
        return position + 12

    def _behind(self, position: int, length: int) -> int:
        """Chunks begin at even bytes, but some writers leave out the padding."""
        end = position + 8 + length
        if length % 2 and not self._begins_chunk(end + 1) and self._begins_chunk(end):
            return end
        return end + length % 2

    def _behind_padding(self, position: int) -> int:
        """Where chunks begin again after zeros; a ClipError if anything else stands between."""
        self._file.seek(position)
        rest = self._file.read(1 << 20)
        zeros = len(rest) - len(rest.lstrip(b"\0"))
        if zeros and zeros < len(rest) and self._begins_chunk(position + zeros):
            return position + zeros
        if position >= self._end - 1 or zeros == self._size - position:
            self._demand_remark(position, rest)
            return self._size
        raise ClipError(
            f"its content is damaged at byte {position} of {self._size}, in or behind frame "
            f"{self._found}: no chunk begins there"
        )

    def _demand_remark(self, position: int, rest: bytes) -> None:
        """Some bytes behind the end are a device's remark; much noise could be lost frames."""
        noise = rest[:NOISE]
        if len(noise) == NOISE and len(zlib.compress(noise)) > 0.9 * NOISE:
            raise ClipError(
                f"{self._size - position} bytes of data follow its end at byte {position}: they "
                "may be frames that lost their place"
            )

    def _note(self, name: bytes, position: int) -> None:
        """Count the video's frames, and remember how many its header states."""
        if name == b"strh":
            self._file.seek(position + 8)
            header = self._file.read(36).ljust(36, b"\0")
            if header[:4] == b"vids" and self._video < 0:
                self._video, self._stated = self._streams, struct.unpack("<I", header[32:])[0]
            self._streams += 1
        elif self._video >= 0 and name[:2] == b"%02d" % self._video and name[2:] in _FRAMES:
            self._found += 1

    def _begins_chunk(self, position: int) -> bool:
        name, length, _ = self._head(position)
        return _is_name(name) and (
            name in (b"LIST", b"RIFF") or position + 8 + length <= self._size
        )

    def _ends(self, position: int, length: int) -> bool:
        return position + 8 + length > self._size

    def _head(self, position: int) -> tuple[bytes, int, bytes]:
        self._file.seek(position)
        return struct.unpack("<4sI4s", self._file.read(12).ljust(12, b"\0"))


_FRAMES = (b"dc", b"db")


def _is_name(name: bytes) -> bool:
    return bool(re.fullmatch(rb"[\w ]{4}", name))


def _demand_whole_mp4(file: IO[bytes], size: int) -> None:
    """Go from box to box; whether each frame lies within the file, the demuxer's table tells."""
    position, found = 0, set[bytes]()
    while position < size:
        file.seek(position)
        length, name, large = struct.unpack(">I4sQ", file.read(16).ljust(16, b"\0"))
        length = {0: size - position, 1: large}.get(length, length)
        if length < 8 or name not in _BOXES:
            break  # bytes that follow the end
        found.add(name)
        if position + length > size and (name == b"moov" or b"moof" in found):
            raise ClipError(f"it is cut off: {size} bytes of {position + length}")
        position += length
    if b"moov" not in found:
        raise ClipError("it is cut off: the table of its frames (moov) is missing")


_BOXES = {
    *(b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid"),
    *(b"sidx", b"ssix", b"mfra", b"meta", b"udta", b"emsg", b"prft", b"PICT", b"junk", b"pdin"),
}


def _demand_whole_matroska(file: IO[bytes], size: int) -> None:
    """Go from element to element, into the segment and its clusters."""
    position = end = 0
    while position < size:
        file.seek(position)
        name, length, head = _element(file.read(12))
        if name is None:
            if position < end:
                raise ClipError(f"its content is damaged at byte {position} of {size}")
            return  # bytes that follow the end
        if name == _SEGMENT and length is not None:
            end = min(position + head + length, size)
        whole = length is not None and position + head + length <= size
        if name == _SEGMENT or (name == _CLUSTER and (whole or length is None)):
            position += head
        elif length is None or not whole:
            raise ClipError(f"it is cut off: {size} bytes of {position + head + (length or 0)}")
        else:
            position += head + length


_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
# What stands in a segment and in a cluster, beside what may stand anywhere (void, checksum).
_ELEMENTS = {
    *(0x1A45DFA3, _SEGMENT, _CLUSTER, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B),
    *(0x1941A469, 0x1043A770, 0x1254C367, 0xEC, 0xBF, 0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF),
}


def _element(start: bytes) -> tuple[int | None, int | None, int]:
    """Id and length (None: unknown), and the bytes that these take; no id: no element."""
    width = 9 - start[0].bit_length() if start[0] else 9
    name = int.from_bytes(start[:width])
    rest = start[width:]
    if width > 4 or name not in _ELEMENTS or not rest or not rest[0]:
        return None, None, 0
    wide = 9 - rest[0].bit_length()
    length = int.from_bytes(rest[:wide]) & ((1 << 7 * wide) - 1)
    return name, None if length == (1 << 7 * wide) - 1 else length, width + wide
