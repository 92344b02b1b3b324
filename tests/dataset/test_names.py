import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dataset.names import (
    find_path,
    is_hidden,
    is_video,
    name_text,
    path_on_disk,
    path_text,
    visible_files,
)


@given(st.binary(min_size=1).filter(lambda raw: b"\0" not in raw and b"/" not in raw))
def test_the_text_of_any_name_is_utf8_and_leads_back(raw):
    path = Path(os.fsdecode(b"A/" + raw))
    text = path_text(path)
    assert text.encode()
    assert text.isprintable() or not set(text) & set("\n\r\t")
    assert path_on_disk(text) == path


def test_names_are_composed():
    assert name_text("Cafe\u0301") == "Caf\u00e9"
    assert path_text("Cafe\u0301") == "Cafe\u0301"


@pytest.mark.parametrize("name", ["._a.avi", ".DS_Store", "__MACOSX", "Thumbs.db", "desktop.ini"])
def test_what_systems_add_is_hidden(name):
    assert is_hidden(name)
    assert is_hidden(name.upper())
    assert not is_video(name)


@pytest.mark.parametrize("name", ["-rf.avi", 'a"b:c.MP4', "\U0001f3c4.mkv", "跑步.mov", "a\nb.avi"])
def test_odd_names_are_videos(name):
    assert is_video(name)


def test_visible_files_follow_links_and_end(tmp_path):
    for name in ("A/a.avi", "__MACOSX/b.avi", ".c.avi"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "A" / "loop").symlink_to(tmp_path)
    (tmp_path / "B").symlink_to(tmp_path / "A")
    found = [str(path.relative_to(tmp_path)) for path in visible_files(tmp_path)]
    assert found == ["A/a.avi", "B/a.avi"]


def test_apple_double_is_ignored(shared):
    files = visible_files(shared / "reports" / "apple_double")
    assert [path.name for path in files] == ["photo.jpg"]


def test_a_path_is_found_in_another_form(tmp_path):
    there = tmp_path / "Cafe\u0301" / "re\u0301c"
    there.mkdir(parents=True)
    assert find_path(tmp_path / "Caf\u00e9" / "r\u00e9c") == there
    assert find_path(tmp_path / "none" / "x") == tmp_path / "none" / "x"
