"""Zip files on disk."""

import shutil
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.files import bytes_bar, full_disk_explained, written_aside
from pipeline.sources.members import BrokenArchiveError

CHUNK = 1 << 20


@dataclass(frozen=True)
class ZipArchive:
    """A zip file on disk."""

    path: Path

    def names(self) -> list[str]:
        """All files inside."""
        with zipfile.ZipFile(self.path) as file:
            return file_names(file)

    def unpack(self, targets: Mapping[str, Path], folder: Path) -> None:
        """Write each member to its target below `folder`, checked; what is whole there stays."""
        with zipfile.ZipFile(self.path) as file:
            infos = {name: file.getinfo(name) for name in targets}
            size = sum(info.file_size for info in infos.values())
            with full_disk_explained(folder, size), bytes_bar("unpacking", size) as bar:
                for name, target in targets.items():
                    if not is_whole(target, infos[name]):
                        self._unpack(file, infos[name], target)
                    bar.update(infos[name].file_size)

    def _unpack(self, file: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
        try:
            with written_aside(target) as aside, file.open(info) as member, aside.open("wb") as out:
                shutil.copyfileobj(member, out, CHUNK)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            # RuntimeError: a password is needed, or the compression is not supported.
            raise BrokenArchiveError(
                f"{self.path}: its member {info.filename} cannot be unpacked ({error}); "
                "get the archive again"
            ) from error


def file_names(file: zipfile.ZipFile) -> list[str]:
    """The members that are no folders."""
    return [info.filename for info in file.infolist() if not info.is_dir()]


def is_whole(path: Path, info: zipfile.ZipInfo) -> bool:
    """Whether the file is there with the member's size and CRC."""
    if not path.is_file() or path.stat().st_size != info.file_size:
        return False
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc == info.CRC
