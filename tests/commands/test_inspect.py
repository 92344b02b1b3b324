from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.commands import inspect
from pipeline.errors import ShardError
from pipeline.params import load_params
from pipeline.shards.parquet import ParquetWriter
from pipeline.shards.schema import Record
from pipeline.shards.tfrecord import TFRecordWriter
from pipeline.video.flow import encode_field, encode_jpeg

PARAMS = load_params(Path(__file__).parents[2] / "params.yaml")


def record(clip, frames=3):
    picture = np.full((24, 32, 3), 90, np.uint8)
    field, scale = encode_field(np.full((24, 32, 2), 2.0, np.float32), quality=90)
    times = tuple(np.arange(frames) / 8)
    coded = (encode_jpeg(picture, quality=90),) * frames
    return Record(clip, "a", times, coded, (field,) * frames, (scale,) * frames)


@pytest.fixture(params=["rgb.tfrecord", "flow.tfrecord", "parquet"])
def shard(request, tmp_path):
    path = tmp_path / f"shard.{request.param}"
    is_parquet = path.suffix == ".parquet"
    stream = path.suffixes[0][1:]
    writer = ParquetWriter(path, PARAMS.extract) if is_parquet else TFRecordWriter(path, stream)
    with writer:
        writer.write(record("a/one"))
        writer.write(record("a/two", frames=9))
    return path


def test_a_line_a_clip(shard, capsys):
    inspect.run(PARAMS, shard)
    head, one, two = capsys.readouterr().out.splitlines()
    assert head.split()[0] == "frames"
    assert (one.split()[0], one.split()[-1]) == ("3", "a/one")
    assert (two.split()[0], two.split()[1], two.split()[-1]) == ("9", "1.00", "a/two")


def test_a_contact_sheet_shows_frames_above_their_flow(shard, tmp_path):
    inspect.run(PARAMS, shard, clip="a/two", picture=tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    parts = [part for part in ("rgb", "flow") if part in shard.name] or ["rgb", "flow"]
    assert sheet.shape == (2 * 24 * len(parts), inspect.COLUMNS * 32, 3)
    for row, part in enumerate(parts):
        assert (abs(int(sheet[24 * row + 5, 5, 0]) - 90) < 3) == (part == "rgb")


def test_a_gif_moves(shard, tmp_path):
    inspect.run(PARAMS, shard, picture=tmp_path / "clip.gif")
    assert cv2.imreadanimation(str(tmp_path / "clip.gif"))[0]


def test_a_clip_that_is_not_there_is_an_error(shard, tmp_path):
    with pytest.raises(ShardError, match="does not hold 'a/three'"):
        inspect.run(PARAMS, shard, clip="a/three", picture=tmp_path / "sheet.png")


def test_a_file_of_another_kind_is_an_error():
    with pytest.raises(ShardError, match=r"end in \.tfrecord or \.parquet"):
        inspect.run(PARAMS, Path("clip.avi"))
