import json
import zipfile
from pathlib import Path

import pytest

from pipeline.params import load_params
from pipeline.paths import CLIPS
from pipeline.stages import download

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("A/one.avi", "B/two.mp4"):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(name.encode())
    with zipfile.ZipFile("clips.zip", "w") as file:
        for path in Path("clips").rglob("*.*"):
            file.write(path)
    return tmp_path


def run(source) -> list[dict]:
    params = load_params(ROOT / "params.yaml")
    dataset = params.dataset.model_copy(update={"source": source})
    download.run(params.model_copy(update={"dataset": dataset}))
    return json.loads(CLIPS.read_text())


def test_a_folder_is_read_in_place(here):
    assert run("clips") == [
        {
            "clip": "A/one",
            "class_name": "A",
            "path": "clips/A/one.avi",
            "size": 9,
            "source_split": None,
        },
        {
            "clip": "B/two",
            "class_name": "B",
            "path": "clips/B/two.mp4",
            "size": 9,
            "source_split": None,
        },
    ]
    assert list(CLIPS.parent.iterdir()) == [CLIPS]


def test_what_is_unpacked_takes_room_once(here):
    clips = run("clips.zip")
    assert [clip["path"] for clip in clips] == [
        "data/download/A/one.avi",
        "data/download/B/two.mp4",
    ]
    assert [Path(clip["path"]).read_bytes() for clip in clips] == [b"A/one.avi", b"B/two.mp4"]
    assert [Path(clip["path"]).stat().st_nlink for clip in clips] == [2, 2]


def test_outputs_that_dvc_deleted_come_back_from_the_state(here):
    first = run("clips.zip")
    made = Path(first[0]["path"]).stat().st_ino
    for path in sorted(CLIPS.parent.rglob("*.*")):
        path.unlink()
    assert run("clips.zip") == first
    assert Path(first[0]["path"]).stat().st_ino == made
