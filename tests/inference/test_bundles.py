"""What --model means."""

from pathlib import Path

import pytest

from pipeline.errors import BundleError
from pipeline.inference import bundles
from pipeline.inference.bundles import find_bundles
from pipeline.tracking.lookup import CHAMPION_URI

ROWS = ("csn-rgb", "csn-flow", "odd+name")


@pytest.fixture
def find(tmp_path, monkeypatch):
    """Finds bundles from a folder where all rows but one are exported; a registry answers, too."""
    monkeypatch.chdir(tmp_path)
    for row in ("csn-rgb", "csn-flow", "odd+name"):
        (tmp_path / "data/export" / row).mkdir(parents=True)
        (tmp_path / "data/export" / row / "card.json").write_text("{}")
    monkeypatch.setattr(bundles, "fetch_bundle", lambda uri, folder, tracking_uri: folder / uri)
    return lambda *names: find_bundles(names, (*ROWS, "new"), tracking_uri="sqlite:///none.db")


def exported(*rows):
    return [Path("data/export") / row for row in rows]


def test_no_name_is_the_champion(find):
    assert find() == [Path(".state/bundles") / CHAMPION_URI]


def test_a_row_is_its_export(find):
    assert find("csn-rgb") == exported("csn-rgb")


def test_a_fusion_is_both_rows(find):
    assert find("csn-rgb+csn-flow") == find("csn-rgb", "csn-flow") == exported(*ROWS[:2])


def test_a_row_whose_name_has_a_plus_is_one_row(find):
    assert find("odd+name") == exported("odd+name")


def test_a_folder_is_itself(find, tmp_path):
    assert find(str(tmp_path)) == [tmp_path]


@pytest.mark.parametrize(
    ("name", "message"),
    [("new", "run `dvc repro export@new`"), ("vgg", "no model 'vgg'; name a row of params.yaml")],
)
def test_what_is_not_there_is_an_error(find, name, message):
    with pytest.raises(BundleError, match=message):
        find(name)
