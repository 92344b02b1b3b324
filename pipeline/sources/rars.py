"""Rar files, by rarfile and whichever program for them the machine has."""

import subprocess
import tempfile
from pathlib import Path
from shutil import which

import rarfile

from pipeline.errors import SourceError

# rarfile's names of the programs, and how each lists an archive: rarfile takes the first that
# starts, but some builds of 7z cannot read rar files, so each has to show it with an empty one.
PROGRAMS = {
    "unrar": ("unrar", "lb"),
    "unar": ("lsar",),
    "sevenzip": ("7z", "l"),
    "sevenzip2": ("7zz", "l"),
    "bsdtar": ("bsdtar", "-tf"),
}
# rarfile hands the program a copy with one member where that is at most so large, else the member's
# name, which bsdtar takes for a pattern and in the locale's encoding.
rarfile.HACK_SIZE_LIMIT = 1 << 40

EMPTY = bytes.fromhex("526172211a0700 cf907300000d00000000000000 c43d7b00400700")


def open_rar(path: Path) -> rarfile.RarFile:
    """Open a rar file; an error if it is compressed and nothing here reads it."""
    archive = rarfile.RarFile(path)
    stored = all(info.compress_type == rarfile.RAR_M0 for info in archive.infolist())
    if not stored:
        choose_program(path)
    return archive


def choose_program(archive: str | Path) -> str:
    """Have rarfile use the first program that reads rar files here; an error if there is none."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.rar"
        empty.write_bytes(EMPTY)
        for tool, command in PROGRAMS.items():
            if which(command[0]) and _succeeds(*command, str(empty)):
                setup = rarfile.tool_setup(**{name: name == tool for name in PROGRAMS}, force=True)
                if tool == "bsdtar":
                    setup.open_cmdline = _bsdtar
                return tool
    raise SourceError(
        f"{archive} is a rar file, which no program here can read; install one of "
        f"{', '.join(command[0] for command in PROGRAMS.values())}, or use a zip"
    )


def _bsdtar(_password: str | None, archive: str, _member: str | None = None) -> list[str]:
    """How bsdtar prints the one member of a copy: rarfile 4.5 calls it with a file named "--"."""
    return ["bsdtar", "-x", "--to-stdout", "-f", archive]


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
