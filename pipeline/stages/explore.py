"""explore: what the clips look like, as figures, numbers and a report to read."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from pipeline.dataset.catalogue import read_catalogue
from pipeline.files import progress_bar, write_text
from pipeline.paths import CATALOGUE, EXPLORE, SHARDS
from pipeline.report import data_figures, data_part, exploration, html
from pipeline.report.figures import png
from pipeline.shards.parquet import read_parquet
from pipeline.video.flow import encode_jpeg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from pipeline.params import Params
    from pipeline.shards.schema import Record
    from pipeline.video.decode import Picture

log = logging.getLogger(__name__)

DPI = 130


def run(_: Params) -> None:
    """Write data/explore/{figures/,sheets/,metrics.json,left_out.json,report.html}."""
    catalogue = read_catalogue(CATALOGUE)
    extracted = json.loads((SHARDS.parent / "metrics.json").read_text(encoding="utf-8"))
    shown = exploration.clips_to_show(catalogue)
    measures, strips = _measure(shown, total=extracted["clips"])
    clips = exploration.table_of(catalogue, measures)
    missing = exploration.left_out(catalogue, extracted["failed"])
    _write_json(EXPLORE / "metrics.json", exploration.numbers_of(clips, missing))
    _write_json(EXPLORE / "left_out.json", missing)
    _draw(clips, EXPLORE / "figures")
    _write_sheets(strips, EXPLORE / "sheets")
    sections = data_part.sections(EXPLORE)
    page = html.page("What the clips look like", lead=data_part.lead(EXPLORE), sections=sections)
    write_text(EXPLORE / "report.html", page)
    log.info("wrote %s", EXPLORE / "report.html")


def _measure(
    shown: set[str], *, total: int
) -> tuple[list[exploration.ClipMeasures], dict[str, list[Picture]]]:
    """The measures of all clips, and by class the strips of those in `shown`."""
    measures, strips = [], defaultdict(list)
    for record in progress_bar(_records(), total=total, unit="clip", desc="explore"):
        measures.append(exploration.measure_clip(record))
        if record.clip in shown:
            strips[record.class_name].append((record.clip, exploration.strip(record)))
    ordered = {name: sorted(found, key=lambda pair: pair[0]) for name, found in strips.items()}
    return measures, {name: [strip for _, strip in found] for name, found in ordered.items()}


def _records() -> Iterator[Record]:
    for path in sorted((SHARDS.parent / "parquet").glob("*.parquet")):
        yield from read_parquet(path)


def _draw(clips: pd.DataFrame, folder: Path) -> None:
    figures = {
        "splits": data_figures.splits(clips),
        "durations": data_figures.lengths(clips, "duration", unit="seconds"),
        "frames": data_figures.lengths(clips, "frames", unit="frames"),
        "colours": data_figures.colours(clips),
        "tones": data_figures.ranked(
            clips, {"saturation": "saturation (0–1)", "brightness": "brightness (0–1)"}
        ),
        "speed": data_figures.ranked(clips, {"speed": "mean motion, picture widths per second"}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        (folder / f"{name}.png").write_bytes(png(figure, dpi=DPI))


def _write_sheets(strips: dict[str, list[Picture]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, pictures in strips.items():
        (folder / f"{name}.jpg").write_bytes(encode_jpeg(np.concatenate(pictures), quality=85))


def _write_json(path: Path, document: object) -> None:
    write_text(path, json.dumps(document, indent=2) + "\n")
