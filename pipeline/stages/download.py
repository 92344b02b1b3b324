"""download: bring the chosen clips here, or note where they are."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from pipeline.dataset.names import path_text
from pipeline.files import link, write_text
from pipeline.paths import CLIPS, STATE
from pipeline.sources.sources import open_source

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.dataset.clips import Clip
    from pipeline.params import Params

log = logging.getLogger(__name__)


def run(params: Params) -> None:
    """Write clips.json and, unless the source is read in place, links to the clips beside it."""
    source = open_source(params.dataset, params.machine)
    # DVC deletes the outputs before this runs: what is whole is kept among the state.
    pieces = STATE / "download" / source.key
    clips = source.fetch(pieces)
    rows = []
    for clip in clips:
        path = clip.path
        if path.is_relative_to(pieces):
            path = CLIPS.parent / clip.class_name / path.name
            link(clip.path, path)
        rows.append(_row(clip, path))
    write_text(CLIPS, json.dumps(rows, indent=1) + "\n")
    log.info("%d clips, %.0f MB", len(clips), sum(clip.size for clip in clips) / 1e6)


def _row(clip: Clip, path: Path) -> dict[str, object]:
    return {
        "clip": clip.id,
        "class_name": clip.class_name,
        "path": path_text(path),
        "size": clip.size,
        "source_split": clip.split,
    }
