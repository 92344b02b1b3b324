"""The videos of an inbox folder, painted batch by batch: what the tasks of dags/stylize.py run.

$PARAMS holds the DAG's form. Each choice of method, style and size has a folder of its own in the
outbox. A video is done once its record is there, be it of a result or of the reason against one.

    python -m pipeline inbox find         # print what is to be done, in batches
    python -m pipeline inbox stylize '["a.avi", "b.avi"]'
    python -m pipeline inbox summarize    # all records as manifest.json
"""

import json
import logging
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.dataset.names import is_video, visible_files
from pipeline.errors import ClipError, StyleError
from pipeline.files import write_text
from pipeline.orchestration.worktree import NOTHING_TO_DO
from pipeline.params import Params, load_params

log = logging.getLogger(__name__)

BATCH = 8  # videos: enough to make up for starting TensorFlow
BATCHES = 1000  # Airflow maps a task to no more


@dataclass(frozen=True)
class Order:
    """What the form asks for."""

    inbox: Path
    outbox: Path
    method: str
    style: Path
    size: int
    preview: bool

    @property
    def folder(self) -> Path:
        """Where results, records and the manifest go."""
        kind = "-preview" if self.preview else ""
        return self.outbox / f"{self.method}-{self.style.stem}-{self.size}{kind}"

    def record_of(self, name: str) -> Path:
        """The record of the inbox's video `name`."""
        return self.folder / "records" / f"{name}.json"

    def result_of(self, name: str) -> Path:
        """What is made of the inbox's video `name`."""
        return (self.folder / name).with_suffix(".mp4")


def find(order: Order) -> list[list[str]]:
    """The videos that are not done, in batches; a StyleError if inbox or style are not there."""
    if not order.inbox.is_dir():
        raise StyleError(f"the inbox {order.inbox} is no folder; make it and put videos there")
    if order.method == "nst" and not order.style.is_file():
        raise StyleError(f"the style {order.style} does not exist; name a picture")
    names = [str(path.relative_to(order.inbox)) for path in _videos(order)]
    new = [name for name in names if not _is_done(order, name)]
    log.info("%d of the %d videos in %s are new", len(new), len(names), order.inbox)
    size = max(BATCH, math.ceil(len(new) / BATCHES))
    return [new[start : start + size] for start in range(0, len(new), size)]


def _videos(order: Order) -> list[Path]:
    files = [path for path in visible_files(order.inbox) if is_video(path.name)]
    return [path for path in files if not path.is_relative_to(order.outbox)]


def paint(order: Order, names: Iterable[str], params: Params) -> None:
    """Make a result and a record of each video; of one that cannot be used, the reason."""
    # Here, not above: `find` need not wait for TensorFlow.
    from pipeline.commands.stylize import file_painter

    sized = params.stylize.model_copy(update={"size": order.size})
    params = params.model_copy(update={"stylize": sized})
    paint_file, files = file_painter(params, order.method, order.style, preview=order.preview)
    asked = {"method": order.method, "style": str(order.style), "preview": order.preview}
    settings = {**asked, "settings": sized.model_dump()}
    for name in names:
        if not _is_done(order, name):
            made_from = {str(path): _mark(path) for path in (order.inbox / name, *files)}
            made = _make(order, name, paint_file)
            record = {"video": name, "made_from": made_from, **made, **settings}
            write_text(order.record_of(name), json.dumps(record, indent=1))


def _make(order: Order, name: str, paint_file: Callable[[Path, Path], None]) -> dict[str, Any]:
    """What came of one video."""
    # Here, for the same reason.
    from pipeline.style.flicker import flicker

    original, painted = order.inbox / name, order.result_of(name)
    start = time.monotonic()
    try:
        _demand_no_twin(order, name)
        paint_file(original, painted)
    except (ClipError, StyleError) as error:
        log.warning("%s is set aside: %s", name, error)
        return {"error": str(error)}
    seconds = round(time.monotonic() - start, 1)
    log.info("%s took %.1f s", name, seconds)
    result = str(painted.relative_to(order.folder))
    warping_error = flicker(original, painted, size=order.size)
    return {"result": result, "seconds": seconds, "flicker": warping_error}


def _demand_no_twin(order: Order, name: str) -> None:
    """Refuse a video whose result would replace that of another."""
    path = order.inbox / name
    alike = (each.name for each in path.parent.iterdir() if each.stem == path.stem)
    first = min(filter(is_video, alike))
    if first != path.name:
        raise StyleError(f"{first} would become the same file; rename one")


def _mark(path: Path) -> list[int]:
    """What changes with the file's content, and costs no reading; nothing, if it is not there."""
    if not path.is_file():
        return []
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _is_done(order: Order, name: str) -> bool:
    """Whether there is a record, of these files as they are now, and the result that it names."""
    path = order.record_of(name)
    record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    whole = "error" in record or order.result_of(name).is_file()
    made_from = record.get("made_from", {})
    same = bool(made_from) and all(_mark(Path(file)) == mark for file, mark in made_from.items())
    return whole and same


def sum_up(order: Order) -> None:
    """Join all records in manifest.json; log how many are done, and why others are not."""
    paths = sorted((order.folder / "records").rglob("*.json"))
    records = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    write_text(order.folder / "manifest.json", json.dumps(records, indent=1))
    failed = [record for record in records if "error" in record]
    log.info("%d videos are in %s", len(records) - len(failed), order.folder)
    for record in failed:
        log.warning("set aside: %s: %s", record["video"], record["error"])


def read_order(form: Mapping[str, Any]) -> Order:
    """The DAG's form, with paths as such."""
    paths = {key: Path(form[key]) for key in ("inbox", "outbox", "style")}
    return Order(**{**form, **paths})


def run(action: str, names: list[str], form: Mapping[str, Any]) -> int:
    """Act on the inbox that the form names; the exit status."""
    order = read_order(form)
    if action == "find":
        batches = find(order)
        sys.stdout.write(json.dumps(batches))  # the last line: what Airflow hands on
        return 0 if batches else NOTHING_TO_DO
    if action == "stylize":
        paint(order, names, load_params(Path("params.yaml")))
    else:
        sum_up(order)
    return 0
