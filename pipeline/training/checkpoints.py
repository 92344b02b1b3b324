"""One file that holds all a training must remember to go on after a kill."""

import json
import logging
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.files import written_aside

log = logging.getLogger(__name__)

Groups = dict[str, list[np.ndarray]]


def save_checkpoint(path: Path, groups: Groups, progress: dict[str, Any]) -> None:
    """Write arrays, by group and in order, and a JSON-able `progress`; whole or not at all."""
    arrays = {f"{name}/{i}": a for name, group in groups.items() for i, a in enumerate(group)}
    with written_aside(path) as aside, aside.open("wb") as file:
        np.savez(file, allow_pickle=False, progress=np.array(json.dumps(progress)), **arrays)
        file.flush()
        os.fsync(file.fileno())


def load_checkpoint(path: Path) -> tuple[Groups, dict[str, Any]] | None:
    """What `save_checkpoint` wrote; None if there is nothing, or (with a warning) nothing whole."""
    try:
        # NumPy leaves a damaged file open that it opened itself.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        log.warning("%s is damaged (%s); training starts afresh", path, error)
        return None
    progress = json.loads(str(arrays.pop("progress")))
    return _grouped(arrays), progress


def _grouped(arrays: dict[str, np.ndarray]) -> Groups:
    groups: Groups = {}
    for key, array in arrays.items():  # in the order they were written
        groups.setdefault(key.split("/")[0], []).append(array)
    return groups
