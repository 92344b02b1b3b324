"""How much memory is free: on this machine, and within the limits of a container."""

import re
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
# Version 2 of control groups, then version 1: limit, usage, and what of the usage is only cached.
_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def free_memory(cgroups: Path = CGROUPS, membership: Path = _MEMBERSHIP) -> int:
    """Bytes that this process may still take before the machine swaps or a container is killed."""
    available: list[int] = [psutil.virtual_memory().available]
    available += [
        free
        for group in _groups(cgroups, membership)
        for files in _FILES
        if (free := _free(group, *files)) is not None
    ]
    return max(0, min(available))


def _groups(cgroups: Path, membership: Path) -> list[Path]:
    """The folders of the process's control groups, and of those above: each may set a limit."""
    found = [cgroups, cgroups / "memory"]  # where a container sees its own group
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return found
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if controllers in ("", "memory"):
            folder = cgroups / controllers / name.lstrip("/")
            found += [folder, *(each for each in folder.parents if cgroups in each.parents)]
    return found


def _free(group: Path, limit: str, usage: str, cached: str) -> int | None:
    """Bytes left in one group; None where it sets no limit."""
    try:
        most, used = (int((group / name).read_text(encoding="utf-8")) for name in (limit, usage))
        statistics = (group / "memory.stat").read_text(encoding="utf-8")
    except (OSError, ValueError):  # no such file, or "max"
        return None
    found = re.search(rf"^{cached} (\d+)$", statistics, re.MULTILINE)
    return most - used + (int(found[1]) if found else 0)
