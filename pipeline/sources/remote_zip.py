"""A zip on a server that answers ranges: only the members that are wanted travel."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from pipeline.files import bytes_bar, full_disk_explained, written_aside
from pipeline.sources.remote import Client, MirrorError, PassingError, Remote, RemoteFile, retried
from pipeline.sources.zips import is_whole

THREADS = 8
BUFFER = 1 << 20

# Of a member's own header, only how long its name and extra field are is needed.
HEADER = struct.Struct("<4s22xHH")


@dataclass(frozen=True)
class Member:
    """A member of the central directory, and where the bytes between it and the next one lie."""

    info: zipfile.ZipInfo
    start: int
    end: int


@dataclass(frozen=True)
class RemoteZip:
    """A zip file on a server."""

    client: Client
    remote: Remote

    def names(self) -> list[str]:
        """All files inside."""
        return [name for name, member in self._members.items() if not member.info.is_dir()]

    def unpack(self, targets: Mapping[str, Path], folder: Path) -> None:
        """Fetch the members that are not there, a few at a time, each checked by size and CRC."""
        members = {path: self._members[name] for name, path in targets.items()}
        missing = {p: member for p, member in members.items() if not is_whole(p, member.info)}
        size = sum(member.info.file_size for member in missing.values())
        with (
            full_disk_explained(folder, size),
            bytes_bar("downloading", size) as bar,
            _threads() as pool,
        ):
            fetched = [pool.submit(self._fetch, member, p) for p, member in missing.items()]
            for future in as_completed(fetched):
                bar.update(future.result())

    @cached_property
    def _members(self) -> dict[str, Member]:
        file = RemoteFile(self.client, self.remote, self.remote.size or 0)
        try:
            with zipfile.ZipFile(io.BufferedReader(file, BUFFER)) as directory:
                infos = sorted(directory.infolist(), key=lambda info: info.header_offset)
                starts = [*(info.header_offset for info in infos), directory.start_dir]
        except zipfile.BadZipFile as error:
            raise MirrorError(f"not a whole zip file: {error}") from error
        return {
            info.filename: Member(info, start, end)
            for info, (start, end) in zip(infos, pairwise(starts), strict=True)
        }

    def _fetch(self, member: Member, target: Path) -> int:
        content = retried(
            lambda: content_of(self.client.read(self.remote, member.start, member.end), member.info)
        )
        with written_aside(target) as aside:
            aside.write_bytes(content)
        return len(content)


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Some threads; what they have not begun is dropped at the first error."""
    pool = ThreadPoolExecutor(THREADS)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def content_of(stored: bytes, info: zipfile.ZipInfo) -> bytes:
    """The content of a member from its bytes in the zip, which begin with its own header."""
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise MirrorError(f"its member {info.filename} is encrypted or compressed unusually")
    try:
        _, name_size, extra_size = HEADER.unpack_from(stored)
        start = HEADER.size + name_size + extra_size
        content = stored[start : start + info.compress_size]
        if info.compress_type == zipfile.ZIP_DEFLATED:
            content = zlib.decompress(content, -zlib.MAX_WBITS, info.file_size)
    except (struct.error, zlib.error) as error:
        raise PassingError(f"its member {info.filename} is broken: {error}") from error
    if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
        raise PassingError(f"its member {info.filename} arrived with a wrong size or CRC")
    return content
