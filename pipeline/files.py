"""Files that appear whole or not at all, and take no room twice."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import SourceError

if TYPE_CHECKING:
    from tqdm import tqdm


class DiskFullError(SourceError):
    """There is no room for the clips; another mirror would not help."""


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; becomes `path` at the end, and is removed on an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    try:
        yield aside
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def link(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`; a copy where the file system cannot link."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(target) as aside:
        aside.unlink(missing_ok=True)
        try:
            os.link(source, aside)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            shutil.copy2(source, aside)


_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS}


FULL = (errno.ENOSPC, errno.EDQUOT)


def folder_hash(folder: Path, pattern: str) -> str:
    """Hash of the names and contents of the folder's files."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob(pattern)):
        digest.update(path.name.encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@contextmanager
def full_disk_explained(folder: Path, needed: int) -> Iterator[None]:
    """Turn a full disk into an error that says where `needed` bytes in all must fit."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DiskFullError(
            f"the disk is full: {folder} needs {needed / 1e6:,.1f} MB in all, and "
            f"{_free(folder) / 1e6:,.1f} MB are free; make room and run again: "
            "what is whole there is kept"
        ) from error


def bytes_bar(what: str, total: int | None) -> "tqdm[Any]":
    """A progress bar in bytes."""
    # Here, not above: `snapshot` imports this module, and must start fast.
    from tqdm import tqdm

    return tqdm(desc=what, total=total, unit="B", unit_scale=True)


def _free(folder: Path) -> int:
    with suppress(OSError):
        return shutil.disk_usage(folder).free
    return 0
