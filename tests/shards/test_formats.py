"""The same records come back from either format, to us and to others."""

import json
from dataclasses import asdict, fields, replace

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import ShardError
from pipeline.shards import parquet
from pipeline.shards.build import FORMATS
from pipeline.shards.parquet import ParquetWriter, find_records, read_parquet
from pipeline.shards.schema import Record
from pipeline.shards.tfrecord import TFRecordWriter, read_tfrecord

FLOATS = st.floats(width=32, allow_nan=False)
NAMES = st.text(st.characters(codec="utf-8"), max_size=12)
AS_IT_IS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def records(draw):
    def many(values):
        return draw(st.lists(values, min_size=count, max_size=count).map(tuple))

    count = draw(st.integers(0, 4))
    pictures = st.binary(max_size=600)
    return Record(
        clip=draw(NAMES),
        class_name=draw(NAMES),
        times=many(FLOATS),
        frames=many(pictures),
        flow=many(pictures),
        flow_scale=many(FLOATS),
    )


def record(clip="a/b", frames=(b"one", b"two")):
    return Record(clip, "a", (0.0, 0.125), frames, (b"f", b"g"), (0.5, 0.25))


def write(path, given, how):
    is_parquet = path.suffix == ".parquet"
    writer = ParquetWriter(path, how) if is_parquet else TFRecordWriter(path, path.suffixes[0][1:])
    with writer:
        for each in given:
            writer.write(each)
    return path


@AS_IT_IS
@given(given=st.lists(records(), max_size=4))
def test_both_formats_give_back_the_same_records(given, how, tmp_path):
    rgb, flow = (
        list(read_tfrecord(write(tmp_path / f"s.{stream}.tfrecord", given, how)))
        for stream in ("rgb", "flow")
    )
    both = zip(rgb, flow, strict=True)
    assert [replace(b, frames=a.frames) for a, b in both] == given
    assert list(read_parquet(write(tmp_path / "s.parquet", given, how))) == given


def test_a_stream_s_tfrecord_holds_no_pictures_of_the_other(how, tmp_path):
    (rgb,) = read_tfrecord(write(tmp_path / "s.rgb.tfrecord", [record()], how))
    (flow,) = read_tfrecord(write(tmp_path / "s.flow.tfrecord", [record()], how))
    assert (rgb.flow, rgb.flow_scale, flow.frames) == ((), (), ())


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_records_give_the_same_bytes(suffix, how, tmp_path):
    first = write(tmp_path / f"a.{suffix}", [record(), record("c/d")], how)
    second = write(tmp_path / f"b.{suffix}", [record(), record("c/d")], how)
    assert first.read_bytes() == second.read_bytes()


def test_tensorflow_reads_the_records_with_nothing_of_ours(how, tmp_path):
    tf = pytest.importorskip("tensorflow")
    long = record("c/d", (b"x" * 9000, bytes(range(256)) * 20))
    path = write(tmp_path / "s.rgb.tfrecord", [record(), long], how)
    found = [
        tf.train.Example.FromString(data.numpy()) for data in tf.data.TFRecordDataset(str(path))
    ]
    feature = found[1].features.feature
    assert set(feature) == {"clip", "class_name", "times", "frames"}
    assert feature["clip"].bytes_list.value == [b"c/d"]
    assert tuple(feature["frames"].bytes_list.value) == long.frames
    assert list(feature["times"].float_list.value) == [0.0, 0.125]


def test_a_damaged_tfrecord_is_named(how, tmp_path):
    path = write(tmp_path / "s.rgb.tfrecord", [record()], how)
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(ShardError, match=r"s\.rgb\.tfrecord is damaged"):
        list(read_tfrecord(path))


def test_a_cut_tfrecord_is_named(how, tmp_path):
    path = write(tmp_path / "s.rgb.tfrecord", [record()], how)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ShardError, match=r"s\.rgb\.tfrecord is damaged"):
        list(read_tfrecord(path))


def test_pandas_reads_parquet(how, tmp_path):
    frame = pd.read_parquet(write(tmp_path / "s.parquet", [record(), record("c/d")], how))
    assert list(frame["clip"]) == ["a/b", "c/d"]
    assert list(frame["frames"][1]) == [b"one", b"two"]


def test_duckdb_reads_parquet(how, tmp_path):
    path = write(tmp_path / "s.parquet", [record()], how)
    assert duckdb.sql(f"select clip, len(frames) from '{path}'").fetchall() == [("a/b", 2)]


def test_parquet_says_what_its_columns_hold_and_how_they_were_made(how, tmp_path):
    schema = pq.read_schema(write(tmp_path / "s.parquet", [record()], how))
    assert schema.names == [field.name for field in fields(Record)]
    assert all(schema.field(name).metadata[b"doc"] for name in schema.names)
    assert schema.metadata[b"schema_version"] == b"2"
    assert json.loads(schema.metadata[b"extract"]) == how.model_dump()
    assert json.loads(schema.metadata[b"flow"])["zero"] == 128


def test_row_groups_are_capped_by_bytes(how, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 5000)
    given = [record(f"a/{number}", (b"x" * 1000, b"y" * 1000)) for number in range(9)]
    path = write(tmp_path / "s.parquet", given, how)
    file = pq.ParquetFile(path)
    groups = [file.metadata.row_group(index) for index in range(file.num_row_groups)]
    assert [group.num_rows for group in groups] == [3, 3, 3]
    assert list(read_parquet(path)) == given


def test_nbytes_counts_the_pictures():
    assert record().nbytes == 8
    assert asdict(record())["frames"] == (b"one", b"two")


def test_clips_are_found_in_whichever_shards_hold_them(how, tmp_path):
    write(tmp_path / "1.parquet", [record("a/one"), record("a/two", frames=(b"x", b"y"))], how)
    write(tmp_path / "2.parquet", [record("b/one")], how)
    found = find_records(tmp_path, ["b/one", "a/two", "c/none"])
    assert found == {"a/two": record("a/two", frames=(b"x", b"y")), "b/one": record("b/one")}
    assert find_records(tmp_path, []) == {}
