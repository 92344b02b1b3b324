import errno
import os

import pytest

from pipeline.files import DiskFullError, full_disk_explained, link, write_text, written_aside


def test_a_file_appears_at_the_end(tmp_path):
    path = tmp_path / "new" / "file"
    with written_aside(path) as aside:
        aside.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    write_text(path, "before")

    def half_a_write():
        with written_aside(path) as aside:
            aside.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        half_a_write()
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_link_is_the_same_file(tmp_path):
    write_text(tmp_path / "a", "content")
    for _ in range(2):
        link(tmp_path / "a", tmp_path / "folder" / "b")
    assert (tmp_path / "folder" / "b").samefile(tmp_path / "a")


def test_a_copy_where_nothing_can_be_linked(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refused)
    write_text(tmp_path / "a", "content")
    link(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "content"
    assert not (tmp_path / "b").samefile(tmp_path / "a")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_where_and_how_much(tmp_path, number):
    with pytest.raises(DiskFullError) as caught, full_disk_explained(tmp_path, 1_234_000_000):
        raise OSError(number, "full")
    assert f"{tmp_path} needs 1,234.0 MB" in str(caught.value)


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(PermissionError), full_disk_explained(tmp_path, 1):
        raise PermissionError(errno.EACCES, "no")
