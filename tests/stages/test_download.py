import json
import os
import zipfile
from pathlib import Path

import pytest

from pipeline.dataset.names import path_on_disk
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


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        (b"caf\xe9.avi", "A/caf\\xe9"),
        ("cafe\u0301.avi".encode(), "A/caf\u00e9"),
        (b"-rf 'a\": b.AVI", "A/-rf 'a\": b"),
        (b"a\nb.avi", "A/a\\x0ab"),
        ("\U0001f3c4.avi".encode(), "A/\U0001f3c4"),
        (b"x" * 251 + b".avi", "A/" + "x" * 251),
    ],
)
def test_any_name_becomes_text_that_leads_back_to_the_file(here, name, clip):
    path = here / "clips" / "A" / os.fsdecode(name)
    path.write_bytes(b"odd")
    (row,) = [row for row in run("clips") if row["size"] == 3]
    assert row["clip"] == clip
    assert row["path"].encode()
    assert path_on_disk(row["path"]).read_bytes() == b"odd"
