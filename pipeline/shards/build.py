"""Make shards: one clip belongs to one shard, and a shard is made from its clips alone.

The unit of work is a shard: its clips and the settings go to a worker, both files come to rest in
a folder named by the hash of what they were made from. What is there already is not made again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections import defaultdict
from concurrent.futures import Executor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
import pyarrow as pa

from pipeline.errors import ClipError
from pipeline.files import code_hash, is_machine_error, json_hash, link, progress_bar
from pipeline.shards import parquet, tfrecord
from pipeline.shards.schema import Record
from pipeline.video import decode, flow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.params import Extract

log = logging.getLogger(__name__)

FORMATS = ("rgb.tfrecord", "flow.tfrecord", "parquet")
_SUMMARY = "summary.json"
_UNFINISHED = ".part"


@dataclass(frozen=True)
class Clip:
    """What extraction needs of a catalogue's row."""

    clip: str
    class_name: str
    path: Path
    sha256: str
    duration: float  # seconds


@dataclass(frozen=True)
class Shard:
    """One unit of work: the clips whose ids hash to `index`, ordered by id."""

    index: int
    clips: tuple[Clip, ...]
    key: str  # hash of all that its bytes depend on


@dataclass(frozen=True)
class Summary:
    """What became of a shard's clips."""

    clips: int
    frames: int
    failed: dict[str, str]  # clip → why it was left out


def shard_of(clip: str, shards: int) -> int:
    """The shard that a clip belongs to, whatever other clips there are."""
    return int.from_bytes(hashlib.sha256(clip.encode()).digest()[:8]) % shards


def plan_shards(clips: Iterable[Clip], settings: Extract) -> list[Shard]:
    """The shards that hold `clips`; a shard without clips does not exist."""
    members: dict[int, list[Clip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda each: each.clip):
        members[shard_of(clip.clip, settings.shards)].append(clip)
    return [Shard(i, tuple(members[i]), _key(members[i], settings)) for i in sorted(members)]


def build_shards(
    shards: list[Shard], settings: Extract, folder: Path, executor: Executor
) -> dict[str, Summary]:
    """Make what is missing of `shards` in folder/KEY; the summaries by key."""
    for leftover in folder.glob(f"*{_UNFINISHED}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    done = {each.key: found for each in shards if (found := _finished(folder / each.key))}
    # The longest first, so that no worker is left alone with one at the end.
    missing = sorted((each for each in shards if each.key not in done), key=_work, reverse=True)
    log.info("%d of %d shards are there already", len(done), len(shards))
    total = sum(len(each.clips) for each in missing)
    with progress_bar(total=total, unit="clip", desc="extract", disable=not total) as bar:
        for shard, summary in _make_all(missing, settings, folder, executor):
            done[shard.key] = summary
            bar.update(len(shard.clips))
    return done


def make_shard(shard: Shard, settings: Extract, folder: Path) -> Summary:
    """Extract a shard's clips into all formats and move them to folder/KEY when they are whole."""
    cv2.setNumThreads(1)  # a worker of a cluster has neighbours, too
    aside = Path(tempfile.mkdtemp(prefix=f"{shard.key}{_UNFINISHED}", dir=folder))
    summary = _write(shard, settings, aside)
    (aside / _SUMMARY).write_text(json.dumps(asdict(summary)), encoding="utf-8")
    final = folder / shard.key
    if final.exists():  # with failed clips, or made by a worker that was thought dead
        shutil.rmtree(final)
    aside.rename(final)
    return summary


def extract_clip(clip: Clip, settings: Extract) -> Record:
    """Decode, sample, resize and encode a clip, and the flow between its frames."""
    sampled = decode.sample_clip(clip.path, duration=clip.duration, settings=settings)
    quality = settings.jpeg_quality
    coded = [
        flow.encode_field(field, quality=quality) for field in flow.flow_fields(sampled.frames)
    ]
    return Record(
        clip=clip.clip,
        class_name=clip.class_name,
        times=tuple(sampled.times.tolist()),
        frames=tuple(flow.encode_jpeg(frame, quality=quality) for frame in sampled.frames),
        flow=tuple(jpeg for jpeg, _ in coded),
        flow_scale=tuple(scale for _, scale in coded),
    )


def place_shards(
    shards: list[Shard], summaries: dict[str, Summary], *, made: Path, placed: Path, count: int
) -> None:
    """Link the files in `made` as placed/{tfrecord,parquet}/shard-00007-of-00064.FORMAT alone."""
    for folder in map(_folder_of, FORMATS):
        shutil.rmtree(placed / folder, ignore_errors=True)
        (placed / folder).mkdir(parents=True, exist_ok=True)
    for shard in shards:
        if summaries[shard.key].clips:
            for suffix in FORMATS:
                name = f"shard-{shard.index:05}-of-{count:05}.{suffix}"
                link(made / shard.key / f"shard.{suffix}", placed / _folder_of(suffix) / name)


def _folder_of(suffix: str) -> str:
    return suffix.rpartition(".")[2]


def _make_all(
    shards: list[Shard], settings: Extract, folder: Path, executor: Executor
) -> Iterator[tuple[Shard, Summary]]:
    """The shards as they are finished, by whichever worker."""
    futures = {executor.submit(make_shard, each, settings, folder): each for each in shards}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


def _write(shard: Shard, settings: Extract, folder: Path) -> Summary:
    frames, failed = 0, {}
    with (
        tfrecord.TFRecordWriter(folder / "shard.rgb.tfrecord", "rgb") as to_rgb,
        tfrecord.TFRecordWriter(folder / "shard.flow.tfrecord", "flow") as to_flow,
        parquet.ParquetWriter(folder / "shard.parquet", settings) as to_parquet,
    ):
        for clip in shard.clips:
            try:
                record = extract_clip(clip, settings)
            except ClipError as error:
                if is_machine_error(error):
                    raise
                failed[clip.clip] = str(error)
                continue
            for writer in (to_rgb, to_flow, to_parquet):
                writer.write(record)
            frames += len(record.frames)
    return Summary(len(shard.clips) - len(failed), frames, failed)


def _finished(folder: Path) -> Summary | None:
    """What an earlier run left, unless a clip failed then: it may have been the disk's fault."""
    try:
        summary = Summary(**json.loads((folder / _SUMMARY).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    return None if summary.failed else summary


def _work(shard: Shard) -> float:
    return sum(clip.duration for clip in shard.clips)


def _key(clips: list[Clip], settings: Extract) -> str:
    made_from = {
        "clips": [(clip.clip, clip.class_name, clip.sha256) for clip in clips],
        "settings": settings.model_dump(exclude={"shards"}),
        "code": _code(),
    }
    return json_hash(made_from)[:32]


@cache
def _code() -> str:
    """Hash of the code that makes a shard's bytes, and of the libraries that it calls."""
    libraries = (av.__version__, cv2.__version__, np.__version__, pa.__version__)
    return json_hash([libraries, code_hash(__name__)])
