import json
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.params import Params, load_params
from pipeline.paths import SNAPSHOT
from pipeline.stages import snapshot

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips" / "A").mkdir(parents=True)
    (tmp_path / "clips" / "A" / "one.avi").write_bytes(b"one")
    return tmp_path


def with_dataset(**changes) -> Params:
    params = load_params(ROOT / "params.yaml")
    return params.model_copy(update={"dataset": params.dataset.model_copy(update=changes)})


def listed() -> dict:
    return json.loads(SNAPSHOT.read_text())


def test_the_same_source_gives_the_same_bytes(here):
    snapshot.run(with_dataset(source="clips"))
    before = SNAPSHOT.read_bytes()
    SNAPSHOT.unlink()
    snapshot.run(with_dataset(source="clips"))
    assert SNAPSHOT.read_bytes() == before


def test_a_new_clip_changes_the_list(here):
    snapshot.run(with_dataset(source="clips"))
    before = listed()
    (here / "clips" / "A" / "two.avi").write_bytes(b"two")
    snapshot.run(with_dataset(source="clips"))
    assert set(listed()["clips"]) - set(before["clips"]) == {"clips/A/two.avi"}


def test_a_source_that_is_away_keeps_its_last_list(here, caplog):
    snapshot.run(with_dataset(source="clips"))
    before = SNAPSHOT.read_bytes()
    SNAPSHOT.unlink()  # as DVC does
    (here / "clips").rename(here / "elsewhere")
    snapshot.run(with_dataset(source="clips"))
    assert SNAPSHOT.read_bytes() == before
    assert "there is no file or folder" in caplog.text


def test_another_source_that_is_away_is_an_error(here):
    snapshot.run(with_dataset(source="clips"))
    with pytest.raises(SourceError, match="nowhere"):
        snapshot.run(with_dataset(source="nowhere"))


def test_other_classes_have_a_list_of_their_own(here):
    snapshot.run(with_dataset(source="clips"))
    (here / "clips").rename(here / "elsewhere")
    with pytest.raises(SourceError):
        snapshot.run(with_dataset(source="clips", classes=["A"]))


def test_editing_the_table_of_groups_changes_the_list(here):
    table = here / "groups.csv"
    lists = []
    for text in ("clip,group\n", "clip,group\nA/one,film\n"):
        table.write_text(text)
        snapshot.run(with_dataset(source="clips", groups="groups.csv"))
        lists.append(listed())
    assert lists[0]["groups"] != lists[1]["groups"]


def test_a_missing_table_of_groups_is_an_error(here):
    with pytest.raises(SourceError, match=r"none\.csv"):
        snapshot.run(with_dataset(source="clips", groups="none.csv"))
