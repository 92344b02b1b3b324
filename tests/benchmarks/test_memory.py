import numpy as np

from benchmarks.memory import repeat
from pipeline.dataset.catalogue import build_catalogue, read_catalogue, write_catalogue
from pipeline.params import load_params
from pipeline.paths import CATALOGUE, SHARDS
from pipeline.shards.schema import Record
from pipeline.shards.tfrecord import TFRecordWriter, read_tfrecord
from pipeline.video.flow import encode_jpeg


def test_every_clip_is_repeated_under_other_names(tmp_path):
    data, tree = tmp_path / "data", tmp_path / "tree"
    rows = [
        {"clip": f"a/{n}", "class_name": "a", "group": f"a/{n}", "split": "train", "kept": True}
        for n in range(16)
    ]
    (data / SHARDS).mkdir(parents=True)
    (data / CATALOGUE).parent.mkdir(parents=True)
    write_catalogue(build_catalogue(rows), data / CATALOGUE)
    frames = (encode_jpeg(np.zeros((16, 24, 3), np.uint8), quality=90),)
    with TFRecordWriter(data / SHARDS / "one.rgb.tfrecord", "rgb") as writer:
        for row in rows:
            writer.write(Record(row["clip"], "a", (0.0,), frames))
    repeat(data, tree, copies=3)
    names = {record.clip for record in read_tfrecord(tree / SHARDS / "one.rgb.tfrecord")}
    assert names == set(read_catalogue(tree / CATALOGUE)["clip"].to_pylist())
    assert len(names) == 48
    assert load_params(tree / "params.yaml").train.max_steps == 6
