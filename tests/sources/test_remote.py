from functools import partial

import pytest

from pipeline.sources.remote import Client, MirrorError, RemoteFile

CONTENT = bytes(range(256)) * 1000
CUT = 100_000


@pytest.fixture
def client():
    return Client(timeout=5)


@pytest.fixture
def mirror(mirror):
    mirror.files["file"] = CONTENT
    return mirror


@pytest.fixture
def there(client, mirror):
    """The file as the server described it before anything went wrong."""
    return client.look(mirror.url("file"))


def test_one_look_tells_size_mark_ranges_and_start(there, mirror):
    assert (there.size, there.mark, there.ranges) == (len(CONTENT), mirror.etag, True)
    assert there.start == CONTENT[:4]


def test_a_server_that_ignores_ranges_is_known_by_its_answer(client, mirror):
    mirror.ranges = False
    there = client.look(mirror.url("file"))
    assert (there.size, there.ranges, there.start) == (len(CONTENT), False, CONTENT[:4])


def test_a_download_goes_on_where_it_broke_off(client, mirror, there, tmp_path):
    mirror.cut_after, mirror.troubles = CUT, 2
    client.download(there, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert mirror.asked[1:] == [None, f"bytes={CUT}-", f"bytes={2 * CUT}-"]


def test_a_later_run_goes_on_too(client, mirror, there, tmp_path):
    # Nothing is gained once the server restarts at 0 every time.
    mirror.ranges, mirror.cut_after = False, CUT // 10
    with pytest.raises(MirrorError, match="cut off"):
        client.download(there, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    mirror.asked.clear()
    mirror.ranges, mirror.cut_after = True, None
    client.download(there, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert mirror.asked == [f"bytes={CUT // 10}-"]


def test_what_is_whole_is_not_asked_for_again(client, mirror, there, tmp_path):
    client.download(there, tmp_path / "file")
    mirror.asked.clear()
    client.download(there, tmp_path / "file")
    assert not mirror.asked


def test_a_changed_file_starts_anew(client, mirror, there, tmp_path):
    mirror.cut_after, mirror.troubles = CUT, 10
    mirror.ranges = False
    with pytest.raises(MirrorError):
        client.download(there, tmp_path / "file")
    mirror.files["file"], mirror.etag = CONTENT[::-1], '"two"'
    mirror.ranges, mirror.cut_after = True, None
    client.download(client.look(mirror.url("file")), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT[::-1]


def test_a_file_that_changes_between_two_requests_is_not_spliced(client, mirror, there, tmp_path):
    mirror.cut_after, mirror.troubles = CUT, 1
    asked = mirror.asked

    class Changing(list):
        def append(self, item):
            super().append(item)
            if len(self) == 2:
                mirror.files["file"], mirror.etag = CONTENT[::-1], '"two"'

    mirror.asked = Changing(asked)
    client.download(there, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT[::-1]


def test_a_part_of_a_changed_file_is_refused(client, mirror, there):
    mirror.files["file"] += b"more"
    with pytest.raises(MirrorError, match="changed"):
        client.read(there, 0, 10)


def test_not_an_address(client):
    with pytest.raises(MirrorError, match="not an address"):
        client.look("videos.zip")


def test_a_remote_file_reads_and_seeks_as_a_local_one(client, there):
    file = RemoteFile(partial(client.read, there), len(CONTENT))
    assert file.seek(-5, 2) == len(CONTENT) - 5
    assert file.read(100) == CONTENT[-5:]
    assert file.read(1) == b""
    file.seek(1000)
    assert file.seek(24, 1) == 1024 == file.tell()
    assert file.read(3) == CONTENT[1024:1027]


def test_a_file_is_fetched_in_one_try(client, mirror, tmp_path):
    client.fetch(mirror.url("file"), tmp_path / "file", limit=len(CONTENT))
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert mirror.asked == [None]


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ({"cut_after": CUT}, "cut off"),
        ({"stall_after": CUT}, r"stalled: no byte for 0\.2 s"),
        ({"status": 404}, "answers 404"),
    ],
)
def test_a_fetch_that_fails_says_why(mirror, tmp_path, trouble, message):
    for name, value in trouble.items():
        setattr(mirror, name, value)
    with pytest.raises(MirrorError, match=message):
        Client(timeout=0.2).fetch(mirror.url("file"), tmp_path / "file", limit=1 << 20)


def test_a_fetch_stops_at_its_limit(client, mirror, tmp_path):
    with pytest.raises(MirrorError, match="larger than"):
        client.fetch(mirror.url("file"), tmp_path / "file", limit=1000)
    assert (tmp_path / "file").stat().st_size == 0
