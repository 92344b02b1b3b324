"""A mirror on loopback that can be as unreliable as real ones."""

import io
import random
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.sources import remote, ucf101

COUNTS = {"Archery": 4, "HandstandPushups": 3, "Surfing": 5}


@dataclass
class Mirror:
    """What the server holds, how it behaves, and what it was asked."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    etag: str | None = '"one"'
    status: int | None = None  # answered instead of the file
    cut_after: int | None = None  # bytes of a body after which the connection ends
    stall_after: int | None = None  # bytes of a body after which nothing more comes
    troubles: int = 10**9  # how many answers are cut or stalled
    asked: list[str | None] = field(default_factory=list)  # the Range of each request
    sent: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        mirror = self.server.mirror
        asked = self.headers.get("Range")
        mirror.asked.append(asked)
        content = mirror.files.get(self.path[1:])
        if mirror.status or content is None:
            self.send_error(mirror.status or 404)
            return
        start, end = self._range(asked, len(content))
        self.send_response(206 if self._partial(asked) else 200)
        if self._partial(asked):
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        self.send_header("Content-Length", str(end - start))
        if mirror.etag:
            self.send_header("ETag", mirror.etag)
        self.end_headers()
        self._send(content[start:end])

    def _partial(self, asked):
        condition = self.headers.get("If-Range")
        return bool(asked and self.server.mirror.ranges) and (
            condition in (None, self.server.mirror.etag)
        )

    def _range(self, asked, size):
        if not self._partial(asked):
            return 0, size
        first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", asked).groups()
        return int(first), min(size, int(last or size) + bool(last))

    def _send(self, body):
        mirror = self.server.mirror
        limits = [limit for limit in (mirror.cut_after, mirror.stall_after) if limit is not None]
        # The first look, of four bytes, is always answered.
        trouble = limits and mirror.troubles > 0 and len(body) > limits[0]
        if trouble:
            mirror.troubles -= 1
            body = body[: limits[0]]
        mirror.sent += len(body)
        self.wfile.write(body)
        if trouble and mirror.stall_after is not None:
            mirror.ended.wait(20)
        self.close_connection = self.close_connection or bool(trouble)

    def log_message(self, *_):
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that goes away is what these tests are about."""


@pytest.fixture
def mirror(monkeypatch) -> Iterator[Mirror]:
    monkeypatch.setattr(remote, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(remote, "CHUNK", 1000)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.mirror = Mirror(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.mirror
    server.mirror.ended.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def counts(monkeypatch) -> dict[str, int]:
    """A small UCF101."""
    monkeypatch.setattr(ucf101, "official_counts", lambda: COUNTS)
    return COUNTS


@pytest.fixture
def contents() -> dict[str, bytes]:
    """The small UCF101's clips by class folder and name; HandstandPushups as its files spell it."""
    chance = random.Random(0)
    return {
        f"{name}/v_{name.replace('stand', 'Stand')}_g01_c{clip:02}.avi": chance.randbytes(40_000)
        for name, count in COUNTS.items()
        for clip in range(1, count + 1)
    }


def zipped(contents: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def flat_zip(contents) -> bytes:
    """The small UCF101 in one flat folder, as the first mirror has it."""
    return zipped({f"UCF101/{name.partition('/')[2]}": clip for name, clip in contents.items()})
