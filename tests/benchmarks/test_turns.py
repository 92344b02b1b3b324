"""The work trees of trainings that leave a class out."""

import argparse

import pandas as pd
import pytest

from benchmarks.turns import MODEL, chosen, make_tree
from pipeline.params import load_params

OPTIONS = argparse.Namespace(architecture="csn", backbone="scratch", crop=64, minutes=0.5)


@pytest.fixture
def real(tmp_path):
    """A work tree with three clips of each of two groups of two classes."""
    (tmp_path / "real/data/subset").mkdir(parents=True)
    (tmp_path / "real/data/extract").mkdir()
    rows = [
        {"clip": f"{name}/g{group}_c{clip}", "class_name": name, "group": f"{name}/g{group}"}
        for name in ("Archery", "Diving")
        for group in (1, 2)
        for clip in (1, 2, 3)
    ]
    pd.DataFrame(rows).to_parquet(tmp_path / "real/data/subset/catalogue.parquet")
    return tmp_path / "real"


def test_two_clips_of_each_group_are_chosen(real):
    assert chosen(real)["clip"].str[-2:].value_counts().to_dict() == {"c1": 4, "c2": 4}


def test_a_turn_has_the_shards_of_all_and_the_given_clips_alone(real, tmp_path):
    catalogue = chosen(real)
    make_tree(tmp_path / "turn", real, catalogue[catalogue["class_name"] != "Archery"], OPTIONS)
    written = pd.read_parquet(tmp_path / "turn/data/subset/catalogue.parquet")
    assert set(written["class_name"]) == {"Diving"}
    assert (tmp_path / "turn/data/extract").resolve() == (real / "data/extract").resolve()


def test_a_turn_trains_one_model_as_params_say_but_for_less_time(real, tmp_path):
    make_tree(tmp_path / "turn", real, chosen(real), OPTIONS)
    params = load_params(tmp_path / "turn/params.yaml")
    assert list(params.models) == [MODEL]
    assert (params.train.crop, params.train.max_minutes) == (64, 0.5)
