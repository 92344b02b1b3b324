r"""File names: bytes on disk, text everywhere else; and which files count.

Text is NFC. What cannot be printed (bytes that are not UTF-8, control characters) and the backslash
itself are escaped as `\xff`, so that each name on disk has one text and every text can be stored.
"""

import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

# fmt: off
VIDEO_SUFFIXES = {
    ".3gp", ".asf", ".avi", ".divx", ".flv", ".gif", ".m2ts", ".m4v", ".mjpeg", ".mjpg", ".mkv",
    ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv",
}
# fmt: on

# What macOS, Windows and Synology add to a folder, besides names that begin with a dot.
_SYSTEM_NAMES = {
    "$recycle.bin",
    "@eadir",
    "__macosx",
    "desktop.ini",
    "ehthumbs.db",
    "icon\r",
    "system volume information",
    "thumbs.db",
}

# Python reads a byte that is not UTF-8 as U+DC80 to U+DCFF (surrogateescape).
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\\\\\udc80-\udcff]")


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is the system's: hidden, or an index of its own."""
    return name.startswith(".") or name.casefold() in _SYSTEM_NAMES


def is_video(name: str) -> bool:
    """Whether a file of this name counts as a clip: not hidden, and with a video's suffix."""
    return not is_hidden(name) and PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES


def visible_files(folder: Path) -> list[Path]:
    """The files at any depth below `folder`, sorted, links followed, hidden ones left out."""
    return sorted(_walk(folder, above=frozenset())) if folder.is_dir() else []


def _walk(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    above |= {os.path.realpath(folder)}  # a link to a folder above would never end
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_hidden(entry.name):
                continue
            path = folder / entry.name
            if entry.is_file():
                yield path
            elif entry.is_dir() and os.path.realpath(path) not in above:
                yield from _walk(path, above)


def nfc(text: str) -> str:
    """`text` with composed letters: macOS writes decomposed ones."""
    return unicodedata.normalize("NFC", text)


def name_text(name: str) -> str:
    """A name on disk as text."""
    return nfc(path_text(name))


def path_text(path: Path | str) -> str:
    """A path on disk as text that `path_on_disk` turns back, whatever the names' Unicode form."""
    return _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", str(path))


def path_on_disk(text: str) -> Path:
    """The path that `path_text` wrote."""
    return Path(re.sub(r"\\x([0-9a-f]{2})", lambda found: _unescaped(int(found[1], 16)), text))


def _unescaped(byte: int) -> str:
    return bytes([byte]).decode("utf-8", "surrogateescape")


def find_path(path: Path) -> Path:
    """`path`, or what stands there with its names in another Unicode form."""
    if path == path.parent or path.exists():
        return path
    parent = find_path(path.parent)
    with suppress(OSError):
        alike = [each for each in parent.iterdir() if name_text(each.name) == nfc(path.name)]
        return min(alike, default=path)
    return path
