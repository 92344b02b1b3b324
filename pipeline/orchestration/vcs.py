"""git and DVC, called as programs."""

import configparser
import logging
import shlex
import subprocess
from pathlib import Path

import psutil

from pipeline.errors import WorktreeError

log = logging.getLogger(__name__)


def git(*arguments: str, cwd: Path | None = None) -> str:
    """The output of git; a WorktreeError has its messages."""
    return _output("git", *arguments, cwd=cwd)


def dvc(*arguments: str, cwd: Path | None = None) -> str:
    """The output of DVC; a WorktreeError has its messages, which `--quiet` would drop."""
    return _output("dvc", *arguments, cwd=cwd)


def _output(*command: str, cwd: Path | None) -> str:
    try:
        # File names may have bytes that are not UTF-8.
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, errors="surrogateescape", check=False
        )
    except FileNotFoundError as error:
        raise WorktreeError(f"{command[0]} is not installed, or not on PATH: {error}") from error
    if done.returncode:
        folder = (cwd or Path()).absolute()
        message = done.stderr.strip() or done.stdout.strip()
        raise WorktreeError(f"`{shlex.join(command)}` failed in {folder}: {message}")
    return done.stdout.rstrip("\n")


def has_remote(tree: Path) -> bool:
    """Whether DVC has a default remote."""
    config = configparser.ConfigParser()
    config.read([tree / ".dvc/config", tree / ".dvc/config.local"])
    return config.has_option("core", "remote")


def delete_stale_locks(repository: Path, pattern: str = "**/*.lock") -> None:
    """Delete the lock files that a killed git left in .git: every later git would fail on them.

    If a git process runs in `repository`, all locks stay.
    """
    locks = list((repository / ".git").glob(pattern))
    if not locks or _runs_in(repository, "git"):
        return
    for lock in locks:
        log.warning("deleting %s, left by a git process that was killed", lock)
        lock.unlink(missing_ok=True)


def delete_stale_rwlock(repository: Path) -> None:
    """Delete DVC's list of files in use, which a killed DVC leaves, unless one runs there.

    DVC asks whether the process in the list is alive, but in a container that was started again
    another process may have its number.
    """
    rwlock = repository / ".dvc/tmp/rwlock"
    if rwlock.exists() and not _runs_in(repository, "dvc"):
        rwlock.unlink(missing_ok=True)


def _runs_in(repository: Path, program: str) -> bool:
    processes = psutil.process_iter(["name", "cwd"])
    folders = [each.info["cwd"] for each in processes if each.info["name"] == program]
    return any(folder and Path(folder).is_relative_to(repository.resolve()) for folder in folders)


def share_dvc_config(project: Path, tree: Path) -> None:
    """Let `tree` use DVC's cache and settings of `project`; relative paths stay valid."""
    # Here, since importing DVC takes a second, and stages do not need it.
    from dvc.config import Config, merge
    from dvc.config_schema import RelPath

    config = Config(str(project / ".dvc"))
    # Relative, as the paths that DVC reads: it cannot write letters that are not ASCII.
    cache = RelPath(config.get("cache", {}).get("dir") or project / ".dvc/cache")
    with Config(str(tree / ".dvc")).edit("local") as local:
        for level in ("repo", "local"):
            merge(local, config.load_one(level))
        merge(local, {"cache": {"dir": cache}})
