import errno
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from pipeline.dataset import inspection
from pipeline.dataset.inspection import inspect
from pipeline.errors import ClipError


@pytest.fixture
def paths(tmp_path):
    """A clip, an empty file, one that is no video, and one that is not there."""
    paths = [tmp_path / name for name in ("good.avi", "empty.avi", "text.avi", "missing.avi")]
    writer = cv2.VideoWriter(str(paths[0]), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for _ in range(5):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    paths[1].touch()
    paths[2].write_text("text")
    return paths


@contextmanager
def _here(_workers):
    """A pool that is this process; it breaks at every clip that is named so."""

    class Pool:
        def submit(self, function, path, cache):
            future = Future()
            if path.name == "deadly.avi":
                future.set_exception(BrokenProcessPool())
            else:
                future.set_result(function(path, cache))
            return future

    yield Pool()


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(inspection, "process_pool", _here)


def test_findings_come_in_order_from_other_processes(paths, tmp_path):
    good, empty, text, missing = inspect(paths, tmp_path / "cache", workers=2)
    assert good.probe.frames == 5
    assert not good.reason
    assert len(good.sha256) == 64
    assert "empty" in empty.reason
    assert "no video" in text.reason
    assert "cannot be read" in missing.reason
    assert [finding.probe for finding in (empty, text, missing)] == [None] * 3


@pytest.mark.usefixtures("here")
def test_a_content_is_decoded_once(paths, tmp_path, monkeypatch):
    first = inspect(paths[:3], tmp_path / "cache", workers=1)
    monkeypatch.setattr(inspection, "probe", None)
    copy = tmp_path / "copy.avi"
    copy.write_bytes(paths[0].read_bytes())
    assert inspect([*paths[:3], copy], tmp_path / "cache", workers=1) == [*first, first[0]]


@pytest.mark.usefixtures("here")
def test_other_rules_decode_again(paths, tmp_path, monkeypatch):
    inspect(paths[:1], tmp_path / "cache", workers=1)
    monkeypatch.setattr(inspection, "_rules", lambda: "others")
    monkeypatch.setattr(inspection, "probe", None)
    with pytest.raises(TypeError):
        inspect(paths[:1], tmp_path / "cache", workers=1)


@pytest.mark.usefixtures("here")
def test_a_clip_that_crashes_the_decoder_is_named_and_the_others_are_done(paths, tmp_path):
    deadly = tmp_path / "deadly.avi"
    good, crashed = inspect([paths[0], deadly], tmp_path / "cache", workers=1)
    assert good.probe.frames == 5
    assert crashed.reason == "the decoder crashes on it"


def test_nothing_to_inspect(tmp_path):
    assert inspect([], tmp_path, workers=1) == []


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EMFILE])
def test_what_the_machine_lacks_is_no_finding_about_a_clip(paths, tmp_path, monkeypatch, number):
    def failing(path):
        raise ClipError("it cannot be opened") from OSError(number, "the machine's")

    monkeypatch.setattr(inspection, "probe", failing)
    with pytest.raises(ClipError):
        inspect(paths[:1], tmp_path / "cache", workers=1)
    assert not list((tmp_path / "cache").rglob("*.json"))
