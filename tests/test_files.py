import errno
import hashlib
import io
import logging
import os
import sys

import av
import pytest

from pipeline.files import (
    DiskFullError,
    content_hash,
    files_hash,
    full_disk_explained,
    is_disk_full,
    is_machine_error,
    json_hash,
    link,
    progress_bar,
    write_text,
    written_aside,
)


def test_a_file_appears_at_the_end(tmp_path):
    path = tmp_path / "new" / "file"
    with written_aside(path) as aside:
        aside.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_the_longest_name_that_a_file_can_have(tmp_path):
    write_text(tmp_path / ("n" * 255), "whole")
    assert [len(path.name) for path in tmp_path.iterdir()] == [255]


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
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["b"]


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


def test_a_document_s_hash_does_not_depend_on_the_order_of_keys():
    assert json_hash({"a": 1, "b": [2]}) == json_hash({"b": [2], "a": 1})
    assert json_hash({"a": 1}) != json_hash({"a": "1"})


def test_the_hash_of_files_is_of_names_and_contents(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    write_text(first, "1")
    write_text(second, "2")
    found = files_hash([second, first])
    assert found == files_hash([first, second])
    assert content_hash(first) == hashlib.sha256(b"1").hexdigest()
    write_text(second, "3")
    assert files_hash([first, second]) != found


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines_of(caplog, **options):
    """What a run of 5,000 steps logs."""
    with caplog.at_level(logging.INFO), progress_bar(desc="train", **options) as bar:
        for step in range(5_000):
            bar.set_postfix(loss=step, refresh=step % 100 == 0)
            bar.update()
    return caplog.messages


def test_progress_that_nobody_watches_is_a_line_at_each_tenth(caplog, capsys):
    lines = lines_of(caplog, total=5_000)
    assert 2 <= len(lines) <= 10
    assert "train: 100%" in lines[-1]
    assert "5000/5000" in lines[-1]
    assert "loss=" in lines[-1]
    assert capsys.readouterr().err == ""


def test_progress_without_a_total_logs_no_line_within_a_minute(caplog, capsys):
    assert lines_of(caplog) == []
    assert capsys.readouterr().err == ""


def test_progress_that_resumes_does_not_repeat_what_is_done(caplog):
    lines = lines_of(caplog, total=10_000, initial=5_000)
    assert 1 <= len(lines) <= 6
    assert "5000/10000" in lines[0]


def test_progress_on_a_terminal_is_a_bar(caplog, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert lines_of(caplog, total=5_000) == []
    assert "5000/5000" in sys.stderr.getvalue()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE])
def test_the_machine_is_to_blame_whatever_wraps_its_error(number):
    wrapped = ValueError("cannot be read")
    wrapped.__cause__ = KeyError()
    wrapped.__cause__.__context__ = av.error.FFmpegError(number, "FFmpeg's")
    assert is_machine_error(wrapped)
    assert is_disk_full(wrapped) == (number in {errno.ENOSPC, errno.EDQUOT})


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOENT, errno.EACCES, errno.EIO])
def test_other_errors_may_be_the_file_s(number):
    assert not is_machine_error(OSError(number, "the file's"))
