from pathlib import Path

import yaml

from benchmarks.whole_ucf101 import make_tree, official_names
from pipeline.dataset.clips import official_name


def test_names_are_as_many_as_ucf101_has_in_as_many_groups():
    names = list(official_names())
    assert len(set(names)) == 13320
    read = [official_name(name.name) for name in names]
    assert len({each.class_name for each in read}) == 101
    assert len({(each.class_name, each.group) for each in read}) == 101 * 25


def test_tree_links_the_clips_in_turn_and_makes_them_the_source(tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in ("a.avi", "b.avi"):
        (clips / name).touch()
    names = list(official_names())[:3]
    make_tree(tmp_path / "tree", clips, names)
    source = yaml.safe_load((tmp_path / "tree/params.yaml").read_text())["dataset"]["source"]
    linked = [(Path(source) / name).readlink().name for name in names]
    assert linked == ["a.avi", "b.avi", "a.avi"]
