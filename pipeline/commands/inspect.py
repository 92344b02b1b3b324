"""inspect: print what is in a shard, and show a clip as a picture."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import ShardError
from pipeline.shards.parquet import read_parquet
from pipeline.shards.tfrecord import read_tfrecord
from pipeline.video.flow import decode_field, decode_jpeg
from pipeline.video.pictures import contact_sheet, flow_colours, write_animation, write_picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.params import Params
    from pipeline.shards.schema import Record
    from pipeline.video.decode import Picture

log = logging.getLogger(__name__)

READERS = {".tfrecord": read_tfrecord, ".parquet": read_parquet}
COLUMNS = 8  # of a contact sheet


def run(params: Params, shard: Path, clip: str | None = None, picture: Path | None = None) -> None:
    """Print one line per clip of `shard`; write `clip` (default: the first) to `picture`.

    A .gif is animated; other suffixes give a contact sheet, frames above their flow.
    """
    if shard.suffix not in READERS:
        raise ShardError(f"{shard} is not a shard; shards end in {' or '.join(READERS)}")
    records = _print_records(READERS[shard.suffix](shard))
    chosen = [record for record in records if picture and clip in (None, record.clip)][:1]
    if picture and not chosen:
        raise ShardError(
            f"{shard} does not hold {clip!r}; run inspect without --clip to list its clips"
        )
    for record in chosen:
        _write_picture(record, picture or Path(), params.extract.fps)


def _print_records(records: Iterable[Record]) -> Iterator[Record]:
    """The records, each printed as it is read."""
    sys.stdout.write(f"{'frames':>6} {'seconds':>8} {'KiB':>6} {'flow px':>8}  clip\n")
    for record in records:
        fastest = max(record.flow_scale, default=0.0) * 127
        sys.stdout.write(
            f"{len(record.times):6} {record.times[-1]:8.2f} {record.nbytes / 1024:6.0f} "
            f"{fastest:8.1f}  {record.clip}\n"
        )
        yield record


def _write_picture(record: Record, path: Path, fps: float) -> None:
    pictures = _pictures(record)
    if path.suffix == ".gif":
        write_animation(path, pictures, fps=fps)
    else:
        write_picture(path, contact_sheet(pictures, columns=COLUMNS))
    log.info("%s: %s", path, record.clip)


def _pictures(record: Record) -> Picture:
    """[N, height, width, 3]: each frame above its flow, or whichever the shard holds."""
    frames = [decode_jpeg(jpeg) for jpeg in record.frames]
    encoded = zip(record.flow, record.flow_scale, strict=True)
    fields = [decode_field(jpeg, scale) for jpeg, scale in encoded]  # all on one colour scale
    rows = [np.stack(frames)] if frames else []
    rows += [flow_colours(np.stack(fields))] if fields else []
    return np.concatenate(rows, axis=1)
