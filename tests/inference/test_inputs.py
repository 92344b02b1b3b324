"""What the arguments of classify mean."""

import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.inference import inputs
from pipeline.inference.inputs import find_inputs, local_file


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def names(found):
    return [Path(each.name).name for each in found]


def test_files_folders_and_addresses_in_their_order(tmp_path):
    for name in ("in/b.avi", "in/deep/a.mkv", "in/notes.txt", "in/.hidden.avi", "in/@eaDir/x.avi"):
        touch(tmp_path / name)
    found = find_inputs(["http://host/z.mp4?x=1", str(tmp_path / "in"), "odd name"])
    assert names(found) == ["z.mp4?x=1", "b.avi", "a.mkv", "odd name"]
    assert [each.place for each in found][:3] == [Path("z.mp4"), Path("b.avi"), Path("deep/a.mkv")]


def test_what_is_written_is_not_read_again(tmp_path):
    touch(tmp_path / "a.avi")
    touch(tmp_path / "out/a.mp4")
    assert names(find_inputs([str(tmp_path)], apart_from=tmp_path / "out")) == ["a.avi"]


@pytest.mark.parametrize("name", [b"caf\xe9.avi", b"two\nlines.avi"])
def test_names_are_told_as_text_that_can_be_printed(tmp_path, name):
    path = touch(tmp_path / os.fsdecode(name))
    (found,) = find_inputs([str(tmp_path)])
    assert found.path == path
    assert found.name.isprintable()


def test_a_name_in_another_unicode_form_is_found(tmp_path):
    touch(tmp_path / "cafe\u0301.avi")
    (found,) = find_inputs([str(tmp_path / "caf\u00e9.avi")])
    assert found.path.exists()


@pytest.mark.parametrize(
    ("name", "message"), [("", "holds no videos"), ("none.avi", "no such file")]
)
def test_what_is_not_there_fails_when_it_is_read(tmp_path, name, message):
    (found,) = find_inputs([str(tmp_path / name)])
    with pytest.raises(SourceError, match=message), local_file(found, scratch=tmp_path, timeout=1):
        pass


@pytest.fixture
def server():
    """Serves "content" at /video, and nothing but a header at /stall."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "7")
            self.end_headers()
            if self.path == "/stall":
                ended.wait(20)
            self.wfile.write(b"content")

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        ended.set()
        served.shutdown()
        thread.join()


def test_an_address_is_downloaded_for_as_long_as_it_is_needed(server, tmp_path):
    (found,) = find_inputs([f"{server}/video"])
    with local_file(found, scratch=tmp_path, timeout=5) as path:
        assert path.read_bytes() == b"content"
    assert not list(tmp_path.iterdir())


def test_a_download_that_is_too_large_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "LARGEST", 3)
    (found,) = find_inputs([f"{server}/video"])
    with (
        pytest.raises(SourceError, match="larger than"),
        local_file(found, scratch=tmp_path, timeout=5),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_an_address_that_stalls_is_an_error(server, tmp_path):
    (found,) = find_inputs([f"{server}/stall"])
    with (
        pytest.raises(SourceError, match=r"stalled: no byte for 0\.2 s"),
        local_file(found, scratch=tmp_path, timeout=0.2),
    ):
        pass
    assert not list(tmp_path.iterdir())
