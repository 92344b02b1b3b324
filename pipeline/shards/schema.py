"""What a shard holds: one record a clip, whole in Parquet and by stream in TFRecord."""

from __future__ import annotations

import json
import typing
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from pipeline.params import Extract, Stream


VERSION = 2
# A TFRecord file holds what one stream needs: training reads nothing that it does not use.
FEATURES: dict[Stream, tuple[str, ...]] = {
    "rgb": ("clip", "class_name", "times", "frames"),
    "flow": ("clip", "class_name", "times", "flow", "flow_scale"),
}


def _column(doc: str, **given: typing.Any) -> typing.Any:
    return field(metadata={"doc": doc}, **given)


@dataclass(frozen=True)
class Record:
    """One clip. Its fields are Parquet's columns and TFRecord's features, by the same names.

    Read from a stream's TFRecord, it lacks the other stream's pictures.
    """

    clip: str = _column("the clip's id, CLASS/NAME")
    class_name: str = _column("the class that the clip shows")
    times: tuple[float, ...] = _column("seconds from the clip's start, one a frame (float32)")
    frames: tuple[bytes, ...] = _column("sampled frames in order, colour JPEG", default=())
    flow: tuple[bytes, ...] = _column(
        "flow from each frame to the next (the last field is repeated), grey JPEG: x plane left, "
        "y plane right; pixels (right, down) = (byte - 128) * flow_scale",
        default=(),
    )
    flow_scale: tuple[float, ...] = _column(
        "pixels that a byte stands for, one a field (float32)", default=()
    )

    @property
    def nbytes(self) -> int:
        """Bytes of the pictures, which are nearly all of a record."""
        return sum(map(len, self.frames)) + sum(map(len, self.flow))


TYPES: dict[str, typing.Any] = typing.get_type_hints(Record)  # column name → type, in order

_ARROW = {
    str: pa.string(),
    tuple[bytes, ...]: pa.list_(pa.field("element", pa.binary(), nullable=False)),
    tuple[float, ...]: pa.list_(pa.field("element", pa.float32(), nullable=False)),
}


def arrow_schema(settings: Extract) -> pa.Schema:
    """Parquet's columns, each with its `doc`, and how the records were made."""
    columns = [
        pa.field(column.name, _ARROW[TYPES[column.name]], False, {"doc": column.metadata["doc"]})
        for column in fields(Record)
    ]
    how = {
        "schema_version": str(VERSION),
        "extract": settings.model_dump_json(),
        "flow": json.dumps({"method": "DIS", "unit": "pixels a sampled step", "zero": 128}),
    }
    return pa.schema(columns, how)
