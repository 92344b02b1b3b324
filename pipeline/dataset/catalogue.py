"""The catalogue: one Parquet table, one row per clip, kept or quarantined."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.files import written_aside

SCHEMA = pa.schema(
    [
        ("clip", pa.string()),  # CLASS/NAME
        ("class_name", pa.string()),
        ("group", pa.string()),  # CLASS/g07, or what the clip's table says, or the clip itself
        ("split", pa.string()),  # train, validation, test
        ("source_split", pa.string()),  # the split that the source's own folders say, if they do
        ("path", pa.string()),  # from the repository's root, or absolute; escaped: path_on_disk
        ("size", pa.int64()),  # bytes
        ("sha256", pa.string()),
        ("frames", pa.int32()),  # counted by decoding
        ("fps", pa.float64()),  # mean; the rate may vary
        ("duration", pa.float64()),  # seconds, from the first frame to the end of the last
        ("width", pa.int32()),  # square pixels, upright
        ("height", pa.int32()),
        ("kept", pa.bool_()),  # False: quarantined
        ("reason", pa.string()),  # why it was quarantined; empty if kept
    ]
)


def build_catalogue(rows: Sequence[dict[str, object]]) -> pa.Table:
    """The rows as a table, sorted by clip."""
    ordered = sorted(rows, key=lambda row: str(row["clip"]))
    return pa.Table.from_pylist(ordered, schema=SCHEMA)


def write_catalogue(table: pa.Table, path: Path) -> None:
    """Write the table, whole or not at all; the same table gives the same bytes."""
    with written_aside(path) as aside:
        pq.write_table(table, aside, compression="zstd")


def read_catalogue(path: Path) -> pa.Table:
    """Read the table that `subset` wrote."""
    return pq.read_table(path, schema=SCHEMA)


def kept(table: pa.Table) -> pa.Table:
    """The rows of the clips in use."""
    return table.filter(pc.field("kept"))


def class_names(table: pa.Table) -> list[str]:
    """The classes in use, sorted: a class's label is its index here."""
    return sorted(set(kept(table)["class_name"].to_pylist()))


def labels(table: pa.Table, split: str) -> dict[str, int]:
    """The label of each clip in use of one split, by clip."""
    names = class_names(table)
    rows = kept(table).filter(pc.field("split") == split)
    pairs = zip(rows["clip"].to_pylist(), rows["class_name"].to_pylist(), strict=True)
    return {clip: names.index(name) for clip, name in pairs}


def groups(table: pa.Table) -> dict[str, str]:
    """The group of each clip, by clip."""
    return dict(zip(table["clip"].to_pylist(), table["group"].to_pylist(), strict=True))
