"""extract: decode clips into shards of frames and flow."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING

from pipeline.dataset.catalogue import kept, read_catalogue
from pipeline.dataset.names import path_on_disk
from pipeline.paths import CATALOGUE, SHARDS, STATE
from pipeline.shards.build import (
    Clip,
    Shard,
    Summary,
    build_shards,
    place_shards,
    plan_shards,
)
from pipeline.shards.workers import open_executor

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.params import Params

log = logging.getLogger(__name__)

EXTRACT = SHARDS.parent


def run(params: Params) -> None:
    """Make the shards of all kept clips, and the metrics beside them."""
    started = time.perf_counter()
    made = (STATE / "shards").resolve()
    made.mkdir(parents=True, exist_ok=True)
    shards = plan_shards(_kept_clips(CATALOGUE), params.extract)
    with open_executor(params.machine) as executor:
        summaries = build_shards(shards, params.extract, made, executor)
    place_shards(shards, summaries, made=made, placed=EXTRACT, count=params.extract.shards)
    metrics = _metrics(shards, summaries, EXTRACT)
    (EXTRACT / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    log.info("%d clips in %.1f s", metrics["clips"], time.perf_counter() - started)


def _kept_clips(catalogue: Path) -> list[Clip]:
    columns = ["clip", "class_name", "path", "sha256", "duration"]
    rows = kept(read_catalogue(catalogue)).select(columns).to_pylist()
    return [Clip(**row | {"path": path_on_disk(row["path"]).resolve()}) for row in rows]


def _metrics(shards: list[Shard], summaries: dict[str, Summary], placed: Path) -> dict[str, object]:
    parts = [summaries[shard.key] for shard in shards]
    failed = {clip: reason for part in parts for clip, reason in part.failed.items()}
    for clip, reason in failed.items():
        log.warning("left out %s: %s", clip, reason)
    return {
        "clips": sum(part.clips for part in parts),
        "frames": sum(part.frames for part in parts),
        "shards": len(list((placed / "parquet").iterdir())),
        **{f"{s}_bytes": _nbytes(placed / s) for s in ("tfrecord", "parquet")},
        "failed": failed,
    }


def _nbytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())
