"""Files on servers that answer in part, slowly, or not at all."""

import io
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import requests

from pipeline.errors import SourceError
from pipeline.files import progress_bar, write_text

if TYPE_CHECKING:
    from tqdm import tqdm

log = logging.getLogger(__name__)

PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds before each further try
CHUNK = 1 << 16
LOOK = 4  # bytes that tell a zip from a rar

T = TypeVar("T")


class MirrorError(SourceError):
    """A server cannot give the file; another one may."""


class PassingError(MirrorError):
    """Something that may be gone at the next try."""


def retried(action: Callable[[], T]) -> T:
    """What `action` gives, tried again after what passes."""
    for pause in PAUSES:
        try:
            return action()
        except PassingError as error:
            log.info("%s; trying again in %g s", error, pause)
            time.sleep(pause)
    return action()


@dataclass(frozen=True)
class Remote:
    """A file on a server, as the server first described it."""

    url: str
    size: int | None  # bytes, where the server tells
    mark: str  # ETag or Last-Modified: another one means another content
    ranges: bool  # whether the server answers requests for a part
    start: bytes  # the first bytes


@dataclass(frozen=True)
class Client:
    """Asks servers; gives a connection up after `timeout` seconds without a byte."""

    timeout: float
    session: requests.Session = field(default_factory=requests.Session)

    def look(self, url: str) -> Remote:
        """Ask for the first bytes, which tells all that is to be known. One try."""
        with self._get(url, {"Range": f"bytes=0-{LOOK - 1}"}) as answer:
            headers = answer.headers
            ranges = answer.status_code == requests.codes.partial_content
            size = headers.get("Content-Range", "").rpartition("/")[2] if ranges else None
            size = size or headers.get("Content-Length", "")
            return Remote(
                url=url,
                size=int(size) if size.isdecimal() else None,
                mark=headers.get("ETag") or headers.get("Last-Modified", ""),
                ranges=ranges,
                start=next(answer.iter_content(LOOK), b""),
            )

    def read(self, remote: Remote, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`. One try."""
        with self._get(remote.url, {"Range": f"bytes={start}-{end - 1}"}) as answer:
            if answer.headers.get("Content-Range") != f"bytes {start}-{end - 1}/{remote.size}":
                raise MirrorError("the server changed the file, or stopped answering ranges")
            content = b"".join(answer.iter_content(CHUNK))
        if len(content) != end - start:
            raise PassingError(f"cut off after {len(content)} of {end - start} bytes")
        return content

    def download(self, remote: Remote, path: Path) -> None:
        """The whole file; goes on where an earlier download of the same content broke off."""
        part, note = path.with_suffix(".part"), path.with_suffix(".json")
        identity = json.dumps([remote.url, remote.size, remote.mark])
        if not (note.is_file() and note.read_text(encoding="utf-8") == identity):
            path.unlink(missing_ok=True)
            part.unlink(missing_ok=True)
            write_text(note, identity)
        if not path.is_file():
            with progress_bar(
                desc="downloading", total=remote.size, unit="B", unit_scale=True
            ) as bar:
                self._complete(remote, part, bar)
            part.replace(path)

    def fetch(self, url: str, path: Path, *, limit: int) -> None:
        """A whole file of at most `limit` bytes. One try."""
        with self._get(url, {}) as answer, path.open("wb") as file:
            stated = answer.headers.get("Content-Length", "")
            for chunk in answer.iter_content(CHUNK):
                if max(file.tell() + len(chunk), int(stated or 0)) > limit:
                    raise MirrorError(f"it is larger than {limit / 1e9:g} GB; download it first")
                file.write(chunk)
            if stated and file.tell() != int(stated):
                raise PassingError(f"cut off after {file.tell()} of {stated} bytes")

    def _complete(self, remote: Remote, part: Path, bar: "tqdm[Any]") -> None:
        """Add to `part` until it is whole; only tries that gain nothing count."""
        most = tries = 0
        while True:
            try:
                return self._append(remote, part, bar)
            except PassingError as error:
                gained, most = _size(part) > most, max(most, _size(part))
                tries = 0 if gained else tries + 1
                if tries > len(PAUSES):
                    raise
                log.info("%s; trying again", error)
                time.sleep(PAUSES[max(0, tries - 1)])

    def _append(self, remote: Remote, part: Path, bar: "tqdm[Any]") -> None:
        """One request for what `part` lacks; a server that sends all from the start may do so."""
        bar.n = _size(part)
        if remote.size is not None and bar.n == remote.size:
            return
        with self._get(remote.url, _rest(remote, bar.n) if bar.n else {}) as answer:
            resumed = answer.headers.get("Content-Range", "").startswith(f"bytes {bar.n}-")
            bar.n = bar.n if resumed else 0
            with part.open("ab" if resumed else "wb") as file:
                for chunk in answer.iter_content(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
        if remote.size is not None and bar.n != remote.size:
            raise PassingError(f"cut off after {bar.n} of {remote.size} bytes")

    @contextmanager
    def _get(self, url: str, headers: Mapping[str, str]) -> Iterator[requests.Response]:
        plain = {"Accept-Encoding": "identity", **headers}
        try:
            with self.session.get(url, headers=plain, stream=True, timeout=self.timeout) as answer:
                _demand_success(answer)
                yield answer
        except requests.RequestException as error:
            raise self._explained(error) from error

    def _explained(self, error: requests.RequestException) -> MirrorError:
        text = str(error)
        if isinstance(error, ValueError):
            return MirrorError(f"not an address to download from: {text}")
        if isinstance(error, requests.Timeout) or "timed out" in text:
            return PassingError(f"stalled: no byte for {self.timeout:g} s")
        if isinstance(error, requests.exceptions.ChunkedEncodingError):
            return PassingError(f"cut off: {text[:200]}")
        return PassingError(f"the connection failed: {text.rpartition('Caused by ')[2][:200]}")


def _demand_success(answer: requests.Response) -> None:
    if answer.ok:
        return
    text = f"the server answers {answer.status_code} {answer.reason}"
    passing = answer.status_code >= 500 or answer.status_code in (408, 429)
    raise PassingError(text) if passing else MirrorError(text)


def _rest(remote: Remote, start: int) -> dict[str, str]:
    """Headers that ask for the rest, and for all of it if it is another content by now."""
    headers = {"Range": f"bytes={start}-"}
    # A weak mark is not allowed there: it promises no equal bytes.
    return headers | ({"If-Range": remote.mark} if remote.mark[:2] not in ("", "W/") else {})


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


class RemoteFile(io.RawIOBase):
    """A seekable file of `size` bytes, of which `read` gives those from a start up to an end."""

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self._read, self._size, self._position = read, size, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As for any file."""
        self._position = offset + {0: 0, 1: self._position, 2: self._size}[whence]
        return self._position

    def readinto(self, buffer: Any) -> int:
        """One request for as much as the buffer takes."""
        start, end = self._position, min(self._position + len(buffer), self._size)
        if start >= end:
            return 0
        buffer[: end - start] = self._read(start, end)
        self._position = end
        return end - start
