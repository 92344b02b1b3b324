"""Whether a video file is whole, as far as its container tells: decoders forgive too much."""

import os
import re
import struct
from pathlib import Path
from typing import IO

from pipeline.errors import ClipError

# What video files begin with; FFmpeg takes anything else for a raw stream and decodes noise.
SIGNATURES = {
    "avi": rb"RIFF....AVI ",
    "mp4": rb"....(ftyp|moov|mdat|free|skip|wide|pnot)",
    "matroska": rb"\x1aE\xdf\xa3",
    "asf": rb"0&\xb2u",
    "flv": rb"FLV",
    "gif": rb"GIF8",
    "ogg": rb"OggS",
    "mpeg": rb"\x00\x00\x01|(....)?G.{187,191}G",
    "jpeg": rb"\xff\xd8",
}


def demand_whole(path: Path) -> None:
    """Refuse, with a ClipError, a file that is no video or that lacks a part."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            raise ClipError("the file is empty")
        start = file.read(200)
        kind = next((k for k, s in SIGNATURES.items() if re.match(s, start, re.DOTALL)), None)
        if kind is None:
            raise ClipError(f"it begins like no video file: {start[:12]!r}")
        if kind == "avi":
            _walk_avi(file, size)
        if kind == "mp4":
            _walk_mp4(file, size)


def _walk_avi(file: IO[bytes], size: int) -> None:
    """Go from chunk to chunk, into lists but not into frames; a large file has several parts."""
    position = end = 0
    while position < size:
        file.seek(position)
        name, length, form = struct.unpack("<4sI4s", file.read(12).ljust(12, b"\0"))
        if position == end:
            if (name, form) != (b"RIFF", b"AVIX" if end else b"AVI "):
                raise ClipError(f"something else follows its end at byte {end}")
            end += 8 + length
        elif not re.fullmatch(rb"[\w ]{4}", name) or position + 8 + length > end:
            raise ClipError(f"its content is damaged: no chunk begins at byte {position}")
        position += 12 if name in (b"RIFF", b"LIST") else 8 + length + length % 2
    if end > size:
        raise ClipError(f"it is cut off: {size} bytes of {end}")


def _walk_mp4(file: IO[bytes], size: int) -> None:
    """Go from box to box."""
    position = 0
    while position < size:
        file.seek(position)
        length, _, large = struct.unpack(">I4sQ", file.read(16).ljust(16, b"\0"))
        if length == 1:
            position += max(large, 16)
        else:
            position += max(length or size - position, 8)
    if position > size:
        raise ClipError(f"it is cut off: {size} bytes of {position}")
