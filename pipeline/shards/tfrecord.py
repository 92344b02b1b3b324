"""Records as TFRecord files of tf.train.Example, one file per stream: what training reads.

Of our own, since no maintained library writes them without TensorFlow, whose import costs a worker
process as much as a dozen clips.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Self

import google_crc32c
from google.protobuf import (  # type: ignore[import-untyped]
    descriptor_pb2,
    descriptor_pool,
    json_format,
    message_factory,
)

from pipeline.errors import ShardError
from pipeline.shards.schema import FEATURES, TYPES, Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from pipeline.params import Stream

_BYTES, _FLOATS = tuple[bytes, ...], tuple[float, ...]


class TFRecordWriter:
    """Writes the features of `stream`, record by record; a context manager."""

    def __init__(self, path: Path, stream: Stream) -> None:
        self._file = path.open("wb")
        self._features = FEATURES[stream]

    def write(self, record: Record) -> None:
        """Add a record."""
        data = _to_example(record, self._features).SerializeToString(deterministic=True)
        length = struct.pack("<Q", len(data))
        for part in (length, data):
            self._file.write(part)
            self._file.write(struct.pack("<I", masked_crc32c(part)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def masked_crc32c(data: bytes) -> int:
    """TFRecord's checksum: CRC-32C (RFC 3720), rotated and shifted, so that it survives nesting."""
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def read_tfrecord(path: Path) -> Iterator[Record]:
    """The records of a file; a ShardError where its bytes are not what was written."""
    with path.open("rb") as file:
        while head := file.read(12):
            (length,) = struct.unpack("<Q", _checked(head, path))
            yield _from_example(_checked(file.read(length + 4), path))


def _checked(part: bytes, path: Path) -> bytes:
    data, check = part[:-4], part[-4:]
    if struct.pack("<I", masked_crc32c(data)) != check:
        raise ShardError(f"{path} is damaged (wrong checksum); delete it and run the stage extract")
    return data


def _to_example(record: Record, features: Sequence[str]) -> Any:
    example = _EXAMPLE()
    for name in features:
        value, kind = getattr(record, name), TYPES[name]
        feature = example.features.feature.add(key=name).value
        if kind == _FLOATS:
            feature.float_list.value.extend(value)
        else:
            values = value if kind == _BYTES else [value.encode()]
            feature.bytes_list.value.extend(values)
    return example


def _from_example(data: bytes) -> Record:
    features = {each.key: each.value for each in _EXAMPLE.FromString(data).features.feature}
    return Record(**{name: _value(value, TYPES[name]) for name, value in features.items()})


def _value(feature: Any, kind: Any) -> Any:
    if kind == _FLOATS:
        return tuple(feature.float_list.value)
    values = tuple(feature.bytes_list.value)
    return values if kind == _BYTES else values[0].decode()


def _field(name: str, number: int, kind: str, *, repeated: bool = False) -> dict[str, object]:
    label = "LABEL_REPEATED" if repeated else "LABEL_OPTIONAL"
    scalar = kind.startswith("TYPE_")
    which = {"type": kind} if scalar else {"type": "TYPE_MESSAGE", "type_name": f".{kind}"}
    return {"name": name, "number": number, "label": label, **which}


# tensorflow/core/example/{example,feature}.proto. A map is on the wire a repeated message of key
# and value; written as that, the features keep our order and the bytes never change.
_MESSAGES = {
    "BytesList": [_field("value", 1, "TYPE_BYTES", repeated=True)],
    "FloatList": [_field("value", 1, "TYPE_FLOAT", repeated=True)],
    "Feature": [_field("bytes_list", 1, "BytesList"), _field("float_list", 2, "FloatList")],
    "Entry": [_field("key", 1, "TYPE_STRING"), _field("value", 2, "Feature")],
    "Features": [_field("feature", 1, "Entry", repeated=True)],
    "Example": [_field("features", 1, "Features")],
}


def _example_class() -> Any:
    messages = [{"name": name, "field": fields} for name, fields in _MESSAGES.items()]
    document = {"name": "example.proto", "syntax": "proto3", "message_type": messages}
    pool = descriptor_pool.DescriptorPool()
    pool.Add(json_format.ParseDict(document, descriptor_pb2.FileDescriptorProto()))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Example"))


_EXAMPLE = _example_class()
