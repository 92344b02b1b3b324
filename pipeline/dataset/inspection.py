"""Probe many clips in parallel; contents that were probed before are not decoded again."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av

from pipeline.errors import ClipError
from pipeline.files import (
    code_hash,
    content_hash,
    is_machine_error,
    json_hash,
    progress_bar,
    write_text,
)
from pipeline.video.pool import process_pool
from pipeline.video.probe import Probe, probe

if TYPE_CHECKING:
    from tqdm import tqdm


@dataclass(frozen=True)
class Finding:
    """A clip's content hash, and what probing gave: its measures, or why it cannot be used."""

    sha256: str = ""
    probe: Probe | None = None
    reason: str = ""


def inspect(paths: Sequence[Path], cache: Path, *, workers: int | None) -> list[Finding]:
    """The findings of `paths`, in order; `cache` is a folder that keeps them by content."""
    with progress_bar(total=len(paths), desc="probing", unit="clip") as bar:
        found = dict(_in_pool(paths, cache, workers=workers, bar=bar))
        for path in paths:
            if path not in found:
                # A decoder that dies takes its pool along: alone, it shows whose clip it was.
                alone = dict(_in_pool([path], cache, workers=1, bar=bar))
                found[path] = alone.get(path, Finding(reason="the decoder crashes on it"))
    return [found[path] for path in paths]


def _in_pool(
    paths: Sequence[Path], cache: Path, *, workers: int | None, bar: "tqdm[Any]"
) -> Iterator[tuple[Path, Finding]]:
    with process_pool(workers) as pool:
        futures = {pool.submit(inspect_one, path, cache): path for path in paths}
        for future in as_completed(futures):
            with suppress(BrokenProcessPool):
                yield futures[future], future.result()
                bar.update()


def inspect_one(path: Path, cache: Path) -> Finding:
    """The finding of one clip, from the cache if its content is known there."""
    try:
        sha256 = content_hash(path)
    except OSError as error:
        if is_machine_error(error):
            raise
        return Finding(reason=f"it cannot be read: {error}")
    known = cache / _rules() / f"{sha256}.json"
    with suppress(FileNotFoundError, ValueError):
        return _from_json(sha256, known.read_text(encoding="utf-8"))
    finding = _probed(path, sha256)
    write_text(known, json.dumps(asdict(finding)))
    return finding


def _from_json(sha256: str, text: str) -> Finding:
    document = json.loads(text)
    measures = document["probe"]
    return Finding(sha256, Probe(**measures) if measures else None, document["reason"])


def _probed(path: Path, sha256: str) -> Finding:
    try:
        return Finding(sha256, probe=probe(path))
    except ClipError as error:
        if is_machine_error(error):
            raise
        return Finding(sha256, reason=str(error))


@cache
def _rules() -> str:
    """Findings of another way of probing, or of another decoder, are not used."""
    return json_hash([code_hash("pipeline.video.probe"), av.__version__])[:16]
