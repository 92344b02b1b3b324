"""What every room uses: files written atomically, hashes, full disks, progress."""

import ast
import errno
import hashlib
import io
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import SourceError

if TYPE_CHECKING:
    from tqdm import tqdm

log = logging.getLogger(__name__)


class DiskFullError(SourceError):
    """There is no room for the clips; another mirror would not help."""


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; becomes `path` at the end, and is removed on an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not the name itself, which may leave no room for a suffix.
    aside = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}.part")
    try:
        yield aside
        aside.replace(path)
    finally:  # also where both are links to one file, which `replace` leaves as they are
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def read_yaml(path: Path) -> Any:
    """The document in `path`."""
    return parse_yaml(path.read_text(encoding="utf-8"))


def parse_yaml(text: str) -> Any:
    """The document in `text`, read as DVC reads it: YAML 1.2, in which 1e-3 is a number."""
    # Here, since few stages need it; it imports as fast as PyYAML, which reads YAML 1.1.
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(text)


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


FULL = {errno.ENOSPC, errno.EDQUOT}
_MACHINE = FULL | {errno.EMFILE, errno.ENFILE}


def content_hash(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_hash(paths: Iterable[Path]) -> str:
    """Hash of the files' names and contents, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.name} {content_hash(path)}\n".encode())
    return digest.hexdigest()


def json_hash(document: object) -> str:
    """SHA-256 of a document that JSON can hold, whatever the order of its keys; hexadecimal."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def code_files(module: str) -> list[Path]:
    """The files that decide what `module` of this package does.

    Its own, those of what it imports at run time, directly or not, and data files beside these that
    they name. Imports under `if TYPE_CHECKING` do not count, nor does an `__init__.py` that holds
    a docstring alone.
    """
    # Here, since few commands need it.
    import grimp

    graph = grimp.build_graph("pipeline", exclude_type_checking_imports=True, cache_dir=None)
    modules: set[str] = set()
    waiting = {module}
    while waiting:
        modules |= waiting
        # Importing a module runs the packages that hold it, too.
        packages = {name.rpartition(".")[0] for name in waiting} - {""}
        imported = {each for name in waiting for each in graph.find_upstream_modules(name)}
        waiting = (packages | imported) - modules
    files = [file for name in modules if (file := _code_file(name))]
    data = [path for file in files for path in _named_data_files(file)]
    return sorted({*files, *data})


def code_hash(module: str) -> str:
    """Hash of `code_files`: it changes whenever what `module` does may change."""
    return files_hash(code_files(module))


_ROOT = Path(__file__).parent


def _code_file(module: str) -> Path | None:
    """The module's file; None for a package whose `__init__.py` does nothing."""
    path = _ROOT.parent.joinpath(*module.split("."))
    if not path.is_dir():
        return path.with_suffix(".py")
    statements = ast.parse((path / "__init__.py").read_text(encoding="utf-8")).body
    return path / "__init__.py" if len(statements) > 1 else None


def _named_data_files(file: Path) -> list[Path]:
    text = file.read_text(encoding="utf-8")
    others = (path for path in file.parent.iterdir() if path.is_file() and path.suffix != ".py")
    return [path for path in others if f'"{path.name}"' in text]


def is_disk_full(error: BaseException) -> bool:
    """Whether the error, or what caused it, is a full disk; FFmpeg's errors have an errno too."""
    return any(
        getattr(each, "errno", None) in FULL or "database or disk is full" in str(each)
        for each in _causes(error)
    )


def is_machine_error(error: BaseException) -> bool:
    """Whether the disk is full or too many files are open: never the fault of a file's content."""
    errnos = {getattr(each, "errno", None) for each in _causes(error)}
    return is_disk_full(error) or not errnos.isdisjoint(_MACHINE)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


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


def progress_bar(iterable: Iterable[Any] | None = None, **options: Any) -> "tqdm[Any]":
    """A tqdm bar on a terminal; elsewhere a log line at each tenth, or minute without a total."""
    # Here, not above: `snapshot` imports this module, and must start fast.
    from tqdm import tqdm

    if sys.stderr.isatty():
        return tqdm(iterable, **options)
    return _logged_bar()(iterable, ncols=0, file=io.StringIO(), **options)


@cache
def _logged_bar() -> "type[tqdm[Any]]":
    from tqdm import tqdm

    class LoggedBar(tqdm):  # type: ignore[type-arg]  # it takes none when it runs
        logged = 0.0  # tenths, or minutes, of the last line

        def display(self, msg: str | None = None, pos: int | None = None) -> None:
            elapsed = self.format_dict["elapsed"]
            reached = 10 * self.n // self.total if self.total else elapsed // 60
            if reached > self.logged:
                self.logged = reached
                log.info("%s", str(self))

    return LoggedBar


def _free(folder: Path) -> int:
    with suppress(OSError):
        return shutil.disk_usage(folder).free
    return 0
