"""What a training writes down beside its network."""

import csv
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import keras

from pipeline.training.hardware import hardware


def circumstances(threads: int | None) -> dict[str, Any]:
    """The code, the number format and the machine that a network is trained with."""
    return {
        "git_revision": _git_revision(),
        "precision": keras.config.dtype_policy().name,
        "hardware": hardware(),
        "threads": threads or len(os.sched_getaffinity(0)),
    }


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """One row of metrics an epoch, as CSV; epochs count from 1."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["epoch", *history[0]], lineterminator="\n")
        table.writeheader()
        table.writerows({"epoch": number, **row} for number, row in enumerate(history, start=1))


def _git_revision() -> str:
    """The commit that is checked out; empty outside a git checkout, or without git."""
    if not shutil.which("git"):
        return ""
    asked = subprocess.run(
        ["git", "rev-parse", "--verify", "-q", "HEAD"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()
