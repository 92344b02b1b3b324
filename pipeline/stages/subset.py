"""subset: check every clip by decoding it, and write the catalogue with its splits."""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.dataset.catalogue import build_catalogue, write_catalogue
from pipeline.dataset.groups import read_groups
from pipeline.dataset.inspection import Finding, inspect
from pipeline.dataset.names import find_path, path_on_disk
from pipeline.dataset.splits import GroupedClip, Splitter, group_of
from pipeline.files import write_text
from pipeline.paths import CATALOGUE, CLIPS, STATE

if TYPE_CHECKING:
    from pipeline.params import Dataset, Params

log = logging.getLogger(__name__)

Row = dict[str, Any]


def run(params: Params) -> None:
    """Write catalogue.parquet and metrics.json; name the clips that cannot be used."""
    clips = json.loads(CLIPS.read_text(encoding="utf-8"))
    paths = [path_on_disk(clip["path"]) for clip in clips]
    findings = inspect(paths, STATE / "probe", workers=params.machine.workers)
    rows = [clip | _found(finding) for clip, finding in zip(clips, findings, strict=True)]
    _name_quarantined(rows)
    rows = _with_splits(rows, params.dataset)
    write_catalogue(build_catalogue(rows), CATALOGUE)
    metrics = json.dumps(_metrics(rows), indent=2, sort_keys=True)
    write_text(CATALOGUE.with_name("metrics.json"), metrics + "\n")


def _with_splits(rows: list[Row], dataset: Dataset) -> list[Row]:
    """The rows with the group and split of each clip."""
    ids = {row["clip"] for row in rows}
    table = read_groups(find_path(Path(dataset.groups)), ids) if dataset.groups else {}
    clips = [
        GroupedClip(
            row["clip"],
            row["class_name"],
            group_of(row["clip"], table),
            row["source_split"],
            kept=row["kept"],
        )
        for row in rows
    ]
    splitter = Splitter(dataset.split, validation=dataset.validation, test=dataset.test)
    splits = splitter.assign(clips)
    pairs = zip(rows, clips, strict=True)
    return [row | {"group": clip.group, "split": splits[clip.group]} for row, clip in pairs]


def _found(finding: Finding) -> Row:
    row: Row = {"sha256": finding.sha256, "kept": not finding.reason, "reason": finding.reason}
    if finding.probe:
        row |= asdict(finding.probe) | {"fps": finding.probe.fps}
    return row


def _metrics(rows: list[Row]) -> Row:
    used = [row for row in rows if row["kept"]]
    return {
        "clips": len(rows),
        "kept": len(used),
        "quarantined": len(rows) - len(used),
        "splits": Counter(row["split"] for row in used),
        "classes": {
            name: Counter(row["split"] for row in used if row["class_name"] == name)
            for name in sorted({row["class_name"] for row in rows})
        },
    }


def _name_quarantined(rows: list[Row]) -> None:
    quarantined = [row for row in rows if not row["kept"]]
    log.info("%d clips kept, %d quarantined", len(rows) - len(quarantined), len(quarantined))
    for row in quarantined:
        log.warning("quarantined %s: %s", row["clip"], row["reason"])
