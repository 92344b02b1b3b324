"""Rar files, read by whichever program for them the machine has."""

import errno
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.files import full_disk_explained
from pipeline.sources.members import BrokenArchiveError, member_path

# How each program lists an archive, and how it unpacks the members that a file lists. The last
# one does not check the CRC of members that are stored without compression.
PROGRAMS = {
    "unrar": ("unrar lb {archive}", "unrar x -o+ -idq {archive} @{members} {folder}/"),
    "7z": ("7z l -ba -slt {archive}", "7z x -y -spd -bd -o{folder} {archive} @{members}"),
    "7zz": ("7zz l -ba -slt {archive}", "7zz x -y -spd -bd -o{folder} {archive} @{members}"),
    "bsdtar": ("bsdtar -tf {archive}", "bsdtar -xf {archive} -C {folder} -T {members}"),
}

# Some builds of 7z cannot read rar files, so each program has to show it with an empty one.
EMPTY = bytes.fromhex("526172211a0700 cf907300000d00000000000000 c43d7b00400700")


@dataclass(frozen=True)
class RarArchive:
    """A rar file on disk."""

    path: Path

    def names(self) -> list[str]:
        """All members, folders among them."""
        program = demand_program(self.path)
        lines = _run(PROGRAMS[program][0], archive=self.path).splitlines()
        if program.startswith("7z"):
            return [line.removeprefix("Path = ") for line in lines if line.startswith("Path = ")]
        return lines

    def unpack(self, targets: Mapping[str, Path], folder: Path) -> None:
        """Unpack the members that are missing aside, checked by the program; then move them."""
        missing = {name: path for name, path in targets.items() if not path.is_file()}
        if not missing:
            return
        aside = folder / ".unpacking"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        with full_disk_explained(folder, self.path.stat().st_size):
            self._unpack(list(missing), aside)
        for name, target in missing.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            _regular(aside / member_path(name)).replace(target)
        shutil.rmtree(aside)

    def _unpack(self, names: list[str], folder: Path) -> None:
        program = demand_program(self.path)
        members = folder / "members.txt"
        # bsdtar takes the names for patterns.
        lines = [re.sub(r"([*?[\\])", r"\\\1", n) if program == "bsdtar" else n for n in names]
        members.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        _run(PROGRAMS[program][1], archive=self.path, members=members, folder=folder)


def demand_program(archive: str | Path) -> str:
    """The program that reads rar files here; an error that names `archive` if there is none."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.rar"
        empty.write_bytes(EMPTY)
        for program in filter(shutil.which, PROGRAMS):
            with suppress(BrokenArchiveError):
                _run(PROGRAMS[program][0], archive=empty)
                return program
    raise SourceError(
        f"{archive} is a rar file, which no program here can read; install one of "
        f"{', '.join(PROGRAMS)}, or use a zip"
    )


def _run(command: str, **paths: Path) -> str:
    words = [
        word.format_map({k: v.absolute() for k, v in paths.items()}) for word in command.split()
    ]
    result = subprocess.run(
        words, capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C.UTF-8"}
    )
    if result.returncode == 0:
        return result.stdout
    said = (result.stderr.strip() or result.stdout.strip())[-300:]
    if re.search("no space left|disk full|not enough space", said, re.IGNORECASE):
        raise OSError(errno.ENOSPC, said)
    raise BrokenArchiveError(
        f"{words[0]} cannot read {paths['archive']}: {said}; get the archive again, or use a zip"
    )


def _regular(path: Path) -> Path:
    """The path, unless it is something else than the file that its name promised."""
    if path.is_symlink() or not path.is_file():
        raise BrokenArchiveError(
            f"the archive's member {path.name} is not a plain file; leave it out"
        )
    return path
