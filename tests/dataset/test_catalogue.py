import random

import pyarrow as pa
import pytest

from pipeline.dataset.catalogue import (
    SCHEMA,
    build_catalogue,
    class_names,
    groups,
    kept,
    labels,
    read_catalogue,
    write_catalogue,
)


def row(clip, **changes):
    measures = {"frames": 50, "fps": 25.0, "duration": 2.0, "width": 320, "height": 240}
    origin = {"path": f"{clip}.avi", "size": 1000, "sha256": "0" * 64}
    return {
        "clip": clip,
        "class_name": clip.partition("/")[0],
        "group": clip,
        "split": "train",
        "kept": True,
        "reason": "",
        **origin,
        **measures,
        **changes,
    }


def broken(clip):
    nothing = dict.fromkeys(("frames", "fps", "duration", "width", "height"))
    return row(clip, kept=False, reason="the file is empty", **nothing)


ROWS = [row("B/2"), row("A/1"), broken("C/3"), row("B/1")]


def test_rows_are_sorted_and_typed():
    table = build_catalogue(ROWS)
    assert table.schema == SCHEMA
    assert table["clip"].to_pylist() == ["A/1", "B/1", "B/2", "C/3"]


def test_what_is_written_is_read(tmp_path):
    table = build_catalogue(ROWS)
    write_catalogue(table, tmp_path / "catalogue.parquet")
    assert read_catalogue(tmp_path / "catalogue.parquet").equals(table)


def test_the_order_of_rows_does_not_change_the_bytes(tmp_path):
    for name, seed in (("a", 1), ("b", 2)):
        rows = random.Random(seed).sample(ROWS, len(ROWS))
        write_catalogue(build_catalogue(rows), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_quarantined_clip_stays_in_the_table_and_out_of_use():
    table = build_catalogue(ROWS)
    assert table.num_rows == 4
    assert kept(table)["clip"].to_pylist() == ["A/1", "B/1", "B/2"]
    assert class_names(table) == ["A", "B"]


def test_a_column_of_the_wrong_type_is_refused():
    with pytest.raises(pa.ArrowInvalid):
        build_catalogue([row("A/1", frames="many")])


def test_labels_are_indices_of_class_names_for_the_clips_in_use():
    table = build_catalogue([*ROWS, row("B/9", split="test")])
    assert labels(table, "train") == {"A/1": 0, "B/1": 1, "B/2": 1}
    assert labels(table, "test") == {"B/9": 1}
    assert labels(table, "validation") == {}


def test_groups_by_clip():
    assert groups(build_catalogue([row("A/1", group="film")])) == {"A/1": "film"}
