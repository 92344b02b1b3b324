"""The videos of an inbox folder, stylized batch by batch: what the tasks of dags/stylize.py run.

Each choice of method, style and size has a folder of its own in the outbox. A video is done once
its record is there: of a result, or of the reason why there is none.

In batches, records and the manifest, paths are text as pipeline/dataset/names.py writes them.
"""

import json
import logging
import math
import os
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.dataset.names import is_video, path_on_disk, path_text, visible_files
from pipeline.errors import StyleError
from pipeline.files import code_hash, write_text
from pipeline.orchestration.form import require_allowed_paths
from pipeline.orchestration.sync import pull_networks, shared_repository
from pipeline.orchestration.worktree import NOTHING_TO_DO
from pipeline.params import Params, load_params

if TYPE_CHECKING:
    from pipeline.commands.stylize import StylizeFile

log = logging.getLogger(__name__)

BATCH = 8  # videos: enough to amortize the start of TensorFlow
BATCHES = 1000  # Airflow maps a task to no more
MAX_ATTEMPTS = 2  # that end with the process; then the next attempt goes on with the other videos
MAX_NAME = 255  # bytes of a file's name


@dataclass(frozen=True)
class Order:
    """The values of the DAG's form."""

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

    def record_of(self, video: Path) -> Path:
        """The record of a video, which is a path relative to the inbox."""
        name = f"{video.name}.json"
        if len(os.fsencode(name)) > MAX_NAME:
            name = f"{sha256(os.fsencode(video.name)).hexdigest()}.json"
        return self.folder / "records" / video.with_name(name)

    def result_of(self, video: Path) -> Path:
        """The stylized video."""
        return (self.folder / video).with_suffix(".mp4")


def find(order: Order) -> list[list[str]]:
    """The videos that are not done, in batches; a StyleError if inbox or style do not exist."""
    if not order.inbox.is_dir():
        raise StyleError(f"the inbox {order.inbox} is not a folder; make it and put videos there")
    if order.method == "nst" and not order.style.is_file():
        raise StyleError(f"the style {order.style} does not exist; name a picture")
    videos = _videos(order)
    new = [path_text(video) for video in videos if not _is_done(order, video)]
    log.info("%d of the %d videos in %s are new", len(new), len(videos), order.inbox)
    size = max(BATCH, math.ceil(len(new) / BATCHES))
    return [new[start : start + size] for start in range(0, len(new), size)]


def stylize(order: Order, names: Iterable[str], params: Params) -> None:
    """Make a result and a record of each video; of one that fails, a record of the reason.

    A full disk or Ctrl-C ends the batch, and leaves no record of the video that it was at.
    """
    # Here, not above: `find` need not wait for TensorFlow.
    from pipeline.commands.stylize import file_stylizer

    sized = params.stylize.model_copy(update={"size": order.size})
    params = params.model_copy(update={"stylize": sized})
    stylize_file, files = file_stylizer(params, order.method, order.style, preview=order.preview)
    settings = {
        "method": order.method,
        "style": path_text(order.style),
        "preview": order.preview,
        "settings": sized.model_dump(),
    }
    for video in map(path_on_disk, names):
        if not _is_done(order, video):
            made_from = {path_text(each): _mark(each) for each in (order.inbox / video, *files)}
            _stylize_video(order, video, stylize_file, {"made_from": made_from, **settings})


def summarize(order: Order) -> None:
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
    order, params = read_order(form), load_params(Path("params.yaml"))
    require_allowed_paths(_paths(order, params), Path.cwd())
    if action == "find":
        batches = find(order)
        sys.stdout.write(json.dumps(batches))  # the last line: the task's value in Airflow
        return 0 if batches else NOTHING_TO_DO
    if action == "stylize":
        if shared_repository():
            pull_networks()
        stylize(order, _inside(order.inbox, names), params)
    else:
        summarize(order)
    return 0


def _paths(order: Order, params: Params) -> dict[str, str]:
    """The form's paths by key; a style may be the name of a network instead."""
    paths = {"inbox": str(order.inbox), "outbox": str(order.outbox), "style": str(order.style)}
    named = paths["style"] in params.styles or paths["style"].startswith("models:/")
    if order.method != "nst" and named:
        del paths["style"]
    return paths


def _inside(inbox: Path, names: list[str]) -> list[str]:
    """The names; a StyleError if one leads out of the inbox."""
    for name in names:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise StyleError(f"{name} is not a video of {inbox}; batches come from the task find")
    return names


def _videos(order: Order) -> list[Path]:
    """The inbox's videos, as paths relative to it."""
    files = [path for path in visible_files(order.inbox) if is_video(path.name)]
    return [
        path.relative_to(order.inbox) for path in files if not path.is_relative_to(order.outbox)
    ]


def _stylize_video(
    order: Order, video: Path, stylize_file: "StylizeFile", known: Mapping[str, Any]
) -> None:
    """Stylize a video, with a record from the start: of one that ends the process, that it did."""
    path = order.record_of(video)
    attempts = _record(order, video).get("attempts", 0) + 1
    killed = f"the process was killed {attempts} times at it; `touch` it to try again"
    record = {"video": path_text(video), "code": _code(), **known}
    write_text(path, json.dumps({**record, "error": killed, "attempts": attempts}, indent=1))
    try:
        outcome = _outcome(order, video, stylize_file)
    except BaseException:
        path.unlink()
        raise
    write_text(path, json.dumps({**record, **outcome}, indent=1))


def _outcome(order: Order, video: Path, stylize_file: "StylizeFile") -> dict[str, Any]:
    # Here, since it takes TensorFlow.
    from pipeline.commands.stylize import failure
    from pipeline.style.flicker import flicker

    original, result = order.inbox / video, order.result_of(video)
    measured: dict[str, Any] = {}

    def stylize_and_measure(original: Path, result: Path) -> None:
        _refuse_twin(original)
        stylize_file(original, result)
        measured["flicker"] = flicker(original, result, size=order.size)

    start = time.monotonic()
    if error := failure(stylize_and_measure, original, result):
        return {"error": error, "changed": _changed(original)}
    seconds = round(time.monotonic() - start, 1)
    log.info("%s took %.1f s", path_text(video), seconds)
    name = path_text(result.relative_to(order.folder))
    return {"result": name, "seconds": seconds, **measured}


def _refuse_twin(original: Path) -> None:
    """Refuse a video whose result would replace that of another."""
    twins = (each.name for each in original.parent.iterdir() if each.stem == original.stem)
    first = min(filter(is_video, twins), default=original.name)
    if first != original.name:
        raise StyleError(f"{first} would become the same file; rename one")


def _is_done(order: Order, video: Path) -> bool:
    """Whether its record still holds: of the result, if that is there, or of a failure."""
    record = _record(order, video)
    if "error" not in record:
        return bool(record) and order.result_of(video).is_file()
    if record.get("attempts", MAX_ATTEMPTS) < MAX_ATTEMPTS or record.get("code") != _code():
        return False
    return record.get("changed") in (None, _changed(order.inbox / video))


def _record(order: Order, video: Path) -> dict[str, Any]:
    """The video's record, if it is of these files as they are now; else nothing."""
    path = order.record_of(video)
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    made_from = record.get("made_from", {})
    same = all(_mark(path_on_disk(file)) == mark for file, mark in made_from.items())
    return record if made_from and same else {}


def _mark(path: Path) -> list[int]:
    """Size and time of change, which need no reading; nothing, if the file is not there."""
    if not path.is_file():
        return []
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _changed(path: Path) -> int | None:
    """When content, name or permissions last changed: more than `_mark` sees."""
    return path.stat().st_ctime_ns if path.is_file() else None


@cache
def _code() -> str:
    """The version of the code: after a change, videos that were set aside are tried once more."""
    return code_hash("pipeline.commands.stylize")
