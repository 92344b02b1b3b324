"""snapshot: list what the source holds; everything after it runs only if that list changed."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.dataset.clips import UnreachableError
from pipeline.dataset.names import find_path
from pipeline.errors import SourceError
from pipeline.files import content_hash, json_hash, write_text
from pipeline.paths import SNAPSHOT, STATE
from pipeline.sources.sources import open_source

if TYPE_CHECKING:
    from pipeline.params import Dataset, Params

log = logging.getLogger(__name__)


def run(params: Params) -> None:
    """Write snapshot.json; a source that is away keeps the list it gave last."""
    last = _last(params.dataset)
    try:
        listing = open_source(params.dataset, params.machine).listing()
    except UnreachableError as error:
        if not last.is_file():
            raise
        log.warning("%s\nThe list of the last time is kept.", error)
        text = last.read_text(encoding="utf-8")
    else:
        listing["groups"] = _groups(params.dataset.groups)
        text = json.dumps(listing, indent=1, sort_keys=True) + "\n"
        write_text(last, text)
    write_text(SNAPSHOT, text)


def _last(dataset: Dataset) -> Path:
    """Where the list is kept: not in the output, which DVC deletes before the stage runs."""
    asked = [dataset.source, dataset.classes, dataset.groups]
    return STATE / "snapshot" / f"{json_hash(asked)[:16]}.json"


def _groups(table: str | None) -> str | None:
    """The content hash of the table of groups, so that editing it counts as a change."""
    if table is None:
        return None
    try:
        return content_hash(find_path(Path(table)))
    except OSError as error:
        raise SourceError(f"dataset.groups is {table}, which cannot be read: {error}") from error
