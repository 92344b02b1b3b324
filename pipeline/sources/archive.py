"""Clips in a zip or rar file."""

import errno
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TypeAlias

import rarfile

from pipeline.dataset.clips import Classes, Clip, demand_one_file_per_id
from pipeline.dataset.names import path_text
from pipeline.errors import SourceError
from pipeline.files import full_disk_explained, progress_bar, written_aside
from pipeline.sources.layout import Member, chosen_members, is_archive
from pipeline.sources.rars import open_rar
from pipeline.sources.remote import PassingError

CHUNK = 1 << 20
RAR_START, ZIP_START = b"Rar!", b"PK"
LONGEST = 200  # bytes of a file name, which may have 255 with what is written beside it
BOMB = 1 << 30, 100  # bytes, and how many times an archive's own size, which no videos reach

# What zipfile and rarfile raise for a member that is not as the archive says, and for one that
# cannot be read here (RuntimeError: a password is needed, or the compression is not supported).
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, rarfile.BadRarFile)
UNREADABLE = (*DAMAGED, RuntimeError, rarfile.Error)

Archive: TypeAlias = zipfile.ZipFile | rarfile.RarFile
Info: TypeAlias = zipfile.ZipInfo | rarfile.RarInfo


class BrokenArchiveError(SourceError):
    """The archive cannot be unpacked, or is not to be trusted."""


class DamagedMemberError(BrokenArchiveError, PassingError):
    """A member is not what the archive promises; another attempt of a download may help."""


def open_archive(path: Path) -> Archive:
    """The archive at `path`, by its content rather than by its suffix."""
    with path.open("rb") as file:
        start = file.read(len(RAR_START))
    try:
        if start == RAR_START:
            return open_rar(path)
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, rarfile.Error) as error:
        raise BrokenArchiveError(
            f"{path} is not a whole zip or rar file ({error}); get it again"
        ) from error


def files_inside(archive: Archive, *, name: str) -> dict[PurePosixPath, Info]:
    """The files in an archive by path; one with members that point outside or link is refused."""
    infos = {safe_path(info, name): info for info in archive.infolist()}
    return {path: info for path, info in infos.items() if not info.is_dir()}


def safe_path(info: Info, archive: str) -> PurePosixPath:
    """A member's path below the target folder; some programs write backslashes."""
    name = member_name(info)
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or PureWindowsPath(name).drive:
        raise BrokenArchiveError(
            f"{archive} has a member that points outside of the target folder: {name!r}. Nothing "
            "was unpacked; get the archive from where you trust it"
        )
    if _is_link(info):
        raise BrokenArchiveError(
            f"{archive} has a member that is a link instead of a file: {name!r}. Nothing was "
            "unpacked; pack the file itself"
        )
    return path


def member_name(info: Info) -> str:
    """A member's name; macOS writes UTF-8 into zips without saying so."""
    if isinstance(info, rarfile.RarInfo) or info.flag_bits & 0x800:
        return str(info.filename)
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _is_link(info: Info) -> bool:
    if isinstance(info, rarfile.RarInfo):
        return not (info.is_file() or info.is_dir())
    return stat.S_ISLNK(info.external_attr >> 16)


def unpack_members(
    archive: Archive,
    members: Sequence[Member],
    files: Mapping[PurePosixPath, Info],
    folder: Path,
    *,
    threads: int = 1,
    attempt: Callable[[Callable[[], int]], int] = lambda action: action(),
) -> list[Clip]:
    """Unpack each member to folder/CLASS/NAME, whole or not at all; what is whole there stays."""
    clips = [_clip(member, files[member.path].file_size, folder) for member in members]
    demand_one_file_per_id(clips)
    pairs = zip(clips, members, strict=True)
    missing = {c.path: files[m.path] for c, m in pairs if not is_whole(c.path, files[m.path])}
    size = sum(info.file_size for info in missing.values())
    _demand_no_bomb(missing.values(), str(archive.filename))
    folder.mkdir(parents=True, exist_ok=True)
    with (
        full_disk_explained(folder, size),
        progress_bar(desc="unpacking", total=size, unit="B", unit_scale=True) as bar,
        _pool(threads) as pool,
    ):
        if size > shutil.disk_usage(folder).free:
            raise OSError(errno.ENOSPC, "not begun")
        futures = [
            pool.submit(attempt, partial(_unpack, archive, info, path))
            for path, info in missing.items()
        ]
        for future in as_completed(futures):
            bar.update(future.result())
    return clips


def _clip(member: Member, size: int, folder: Path) -> Clip:
    """Where a member is unpacked to; a name that no file system takes is shortened."""
    stem, encoded = member.name, member.name.encode()
    if len(encoded) > LONGEST:
        start = encoded[:LONGEST].decode(errors="ignore")
        stem = f"{start}~{sha256(encoded).hexdigest()[:8]}"
    path = folder / member.class_name / f"{stem}{member.path.suffix}"
    return Clip(member.class_name, member.name, path, size, member.split)


def is_whole(path: Path, info: Info) -> bool:
    """Whether the file is there with the member's size and CRC (of which some rars have none)."""
    if not path.is_file() or path.stat().st_size != info.file_size:
        return False
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            crc = zlib.crc32(chunk, crc)
    return info.CRC in (None, crc)


def _demand_no_bomb(infos: Collection[Info], archive: str) -> None:
    size = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    least, ratio = BOMB
    if size > least and size > ratio * packed:
        raise BrokenArchiveError(
            f"{archive} would unpack {packed / 1e6:,.1f} MB to {size / 1e6:,.0f} MB, as no videos "
            "do; get the archive from where you trust it"
        )


def _demand_no_overlap(infos: Iterable[Info], path: Path) -> None:
    """Members that share their bytes unpack to far more than the archive holds."""
    packed, size = sum(info.compress_size for info in infos), path.stat().st_size
    if packed > size:
        raise BrokenArchiveError(
            f"{path} has members of {packed} bytes in {size}: they overlap, as no packer writes "
            "them; get the archive from where you trust it"
        )


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Some threads; what they have not begun is dropped at the first error."""
    pool = ThreadPoolExecutor(threads)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _unpack(archive: Archive, info: Info, target: Path) -> int:
    try:
        with written_aside(target) as aside, archive.open(info) as member, aside.open("wb") as out:
            shutil.copyfileobj(member, out, CHUNK)
    except UNREADABLE as error:
        kind = DamagedMemberError if isinstance(error, DAMAGED) else BrokenArchiveError
        raise kind(
            f"{archive.filename}: its member {info.filename} cannot be unpacked ({error}); "
            "get the archive again, or pack the clips as a plain zip"
        ) from error
    return int(info.file_size)


@dataclass(frozen=True)
class ArchiveSource:
    """A zip or rar file of videos."""

    path: Path
    classes: Classes = None

    @property
    def key(self) -> str:
        """Another one for each state of the file."""
        return "-".join(map(str, (path_text(self.path.name), *self._mark)))

    def listing(self) -> dict[str, object]:
        """The file with its size and time of change."""
        return {"source": path_text(self.path), "mark": self._mark}

    def fetch(self, folder: Path) -> list[Clip]:
        """Unpack the chosen classes."""
        with open_archive(self.path) as archive:
            files = files_inside(archive, name=str(self.path))
            _demand_no_overlap(files.values(), self.path)
            self._demand_no_archives(files)
            members = chosen_members(files, classes=self.classes, source=str(self.path))
            return unpack_members(archive, members, files, folder)

    def _demand_no_archives(self, files: Iterable[PurePosixPath]) -> None:
        if packed := [path for path in files if is_archive(path)]:
            raise SourceError(
                f"{self.path} holds archives inside ({', '.join(map(str, packed[:5]))}), which are "
                "not read; unpack all of them into a folder, and give that"
            )

    @property
    def _mark(self) -> tuple[int, int]:
        status = self.path.stat()
        return status.st_size, status.st_mtime_ns
