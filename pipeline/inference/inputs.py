"""What is to be classified: files, folders and addresses."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pipeline.dataset.names import find_path, is_video, path_text, visible_files
from pipeline.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LARGEST = 8 << 30  # bytes that are downloaded of one address
_SCHEMES = ("http://", "https://")


@dataclass(frozen=True)
class Input:
    """One video: a file, or an address."""

    name: str  # as people read it
    path: Path  # of the file; of an address, the name of what is downloaded
    place: Path  # the same, relative to the folder that was asked for
    url: str | None = None


def find_inputs(arguments: Sequence[str], *, apart_from: Path | None = None) -> list[Input]:
    """The videos that the arguments mean, in their order; folders at any depth, sorted.

    Hidden files are left out, and those below `apart_from`. Whether a file can be read shows when
    it is.
    """
    return [each for argument in arguments for each in _found(argument, apart_from)]


def _found(argument: str, apart_from: Path | None) -> list[Input]:
    if argument.startswith(_SCHEMES):
        name = Path(PurePosixPath(unquote(urlsplit(argument).path)).name or "video")
        return [Input(argument, name, name, argument)]
    path = find_path(Path(argument))
    if not path.is_dir():
        return [Input(path_text(path), path, Path(path.name))]
    files = [
        each
        for each in visible_files(path)
        if is_video(each.name) and not (apart_from and each.is_relative_to(apart_from))
    ]
    found = [Input(path_text(file), file, file.relative_to(path)) for file in files]
    return found or [Input(path_text(path), path, Path(path.name))]  # fails when it is read


@contextmanager
def local_file(video: Input, *, scratch: Path, timeout: float) -> Iterator[Path]:
    """Its file: an address is downloaded to a folder below `scratch` for as long as it is needed.

    Raises a SourceError where the server sends nothing for `timeout` seconds, or too much.
    """
    if video.url is None:
        if not video.path.is_file():
            holds = "the folder holds no videos" if video.path.is_dir() else "there is no such file"
            raise SourceError(f"{holds}; name a video, a folder of videos or an address")
        yield video.path
        return
    # Here, since files need no network.
    from pipeline.sources.remote import Client

    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        path = Path(folder) / "video"
        Client(timeout).fetch(video.url, path, limit=LARGEST)
        yield path
