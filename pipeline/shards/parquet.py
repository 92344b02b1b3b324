"""Records as Parquet: what everything but training reads."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.shards.schema import TYPES, Record, arrow_schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path
    from types import TracebackType

    from pipeline.params import Extract

ROW_GROUP_BYTES = 8 << 20  # what a reader must hold at once


class ParquetWriter:
    """Writes records one by one; a context manager. No row group is much above the cap."""

    def __init__(self, path: Path, settings: Extract) -> None:
        self._schema = arrow_schema(settings)
        # JPEG does not compress further, and nobody looks a picture up in a dictionary.
        self._writer = pq.ParquetWriter(
            path, self._schema, compression="none", use_dictionary=False, write_statistics=["clip"]
        )
        self._waiting: list[Record] = []

    def write(self, record: Record) -> None:
        """Add a record."""
        self._waiting.append(record)
        if sum(each.nbytes for each in self._waiting) >= ROW_GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        rows = [asdict(record) for record in self._waiting]
        self._writer.write_table(pa.Table.from_pylist(rows, self._schema))
        self._waiting = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._waiting:
            self._flush()
        self._writer.close()


def read_parquet(path: Path) -> Iterator[Record]:
    """The records of a shard, a row group in memory at a time."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            for row in file.read_row_group(group, columns=list(TYPES)).to_pylist():
                yield _to_record(row)


def find_records(folder: Path, clips: Collection[str]) -> dict[str, Record]:
    """The records of these clips by their ids, from whichever shards of `folder` hold them."""
    chosen = pc.field("clip").isin(pa.array(list(clips), pa.string()))
    table = pq.read_table(folder, columns=list(TYPES), filters=chosen)
    records = map(_to_record, table.to_pylist())
    return {record.clip: record for record in records}


def _to_record(row: dict[str, Any]) -> Record:
    tuples = {key: tuple(each) for key, each in row.items() if isinstance(each, list)}
    return Record(**row | tuples)
