import errno
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.dataset.clips import UnreachableError
from pipeline.errors import SourceError
from pipeline.files import DiskFullError
from pipeline.sources import ucf101
from pipeline.sources.ucf101 import Ucf101Source, official_counts
from tests.sources.conftest import COUNTS, zipped

ZIP, OTHER = "videos.zip", "other.zip"


def source(mirror, *names, classes="all", timeout=5.0):
    urls = [mirror.url(name) for name in names or (ZIP,)]
    return Ucf101Source(urls, timeout=timeout, classes=classes)


def on_disk(folder: Path) -> dict[str, bytes]:
    """Every clip below the folder, by class folder and name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.glob("*/*.avi")}


def test_official_counts_are_those_of_the_official_lists(shared):
    lists = shared / "ucf101" / "ucfTrainTestlist"
    clips = [
        line.split()[0]
        for name in ("trainlist01.txt", "testlist01.txt")
        for line in (lists / name).read_text().splitlines()
    ]
    counts = official_counts()
    assert len(counts) == 101
    assert counts == {name: sum(c.startswith(f"{name}/") for c in clips) for name in counts}
    assert sum(counts.values()) == len(clips)


def test_the_nine_default_classes_are_official():
    assert len(ucf101.DEFAULT) == 9
    assert set(ucf101.DEFAULT) < set(official_counts())


@pytest.mark.usefixtures("counts")
class TestFetching:
    @pytest.fixture
    def mirror(self, mirror, flat_zip):
        mirror.files[ZIP] = flat_zip
        return mirror

    def test_all_clips_arrive_under_the_official_class_names(self, mirror, contents, tmp_path):
        clips = source(mirror).fetch(tmp_path)
        assert on_disk(tmp_path) == contents
        assert [f"{c.id}.avi" for c in clips] == sorted(contents)
        assert all(clip.size == clip.path.stat().st_size for clip in clips)

    def test_only_the_chosen_classes_travel(self, mirror, contents, tmp_path):
        source(mirror, classes=["surfing"]).fetch(tmp_path)
        assert on_disk(tmp_path) == {n: c for n, c in contents.items() if n.startswith("Surf")}
        assert mirror.sent < 6 * 40_000 < len(mirror.files[ZIP])

    def test_a_rerun_fetches_only_what_is_not_whole(self, mirror, contents, tmp_path):
        source(mirror).fetch(tmp_path)
        names = list(contents)
        (tmp_path / names[0]).unlink()
        (tmp_path / names[1]).write_bytes(b"x" * len(contents[names[1]]))
        mirror.sent = 0
        source(mirror).fetch(tmp_path)
        assert on_disk(tmp_path) == contents
        assert mirror.sent < 3 * 40_000 + 5_000

    @pytest.mark.parametrize("ranges", [True, False])
    def test_cut_connections_are_tried_again(self, mirror, contents, tmp_path, ranges):
        mirror.ranges, mirror.cut_after, mirror.troubles = ranges, 10_000, 2
        source(mirror).fetch(tmp_path)
        assert on_disk(tmp_path) == contents

    def test_another_content_under_the_same_name_is_not_spliced(self, mirror, contents, tmp_path):
        mirror.ranges, mirror.cut_after = False, 100_000
        with pytest.raises(SourceError, match="cut off"):
            source(mirror).fetch(tmp_path)
        mirror.etag, mirror.cut_after = '"two"', None
        source(mirror).fetch(tmp_path)
        assert on_disk(tmp_path) == contents

    def test_the_next_mirror_serves_when_one_has_nothing(self, mirror, contents, tmp_path):
        source(mirror, "missing.zip", ZIP).fetch(tmp_path)
        assert on_disk(tmp_path) == contents

    def test_the_error_lists_why_each_mirror_failed(self, mirror, tmp_path):
        mirror.files[OTHER] = b"<html>Sorry</html>"
        with pytest.raises(SourceError) as caught:
            source(mirror, "missing.zip", OTHER).fetch(tmp_path)
        message = str(caught.value)
        assert f"{mirror.url('missing.zip')}: the server answers 404" in message
        assert f"{mirror.url(OTHER)}: neither a zip nor a rar" in message
        assert "machine.mirrors" in message

    @pytest.mark.parametrize("ranges", [True, False])
    def test_a_stalled_connection_is_given_up(self, mirror, tmp_path, ranges):
        mirror.ranges, mirror.stall_after = ranges, 10_000
        with pytest.raises(SourceError, match=r"stalled: no byte for 0\.05 s"):
            source(mirror, timeout=0.05).fetch(tmp_path)

    def test_a_closed_port_is_an_error_with_its_reason(self, mirror, tmp_path):
        mirror.address = "http://127.0.0.1:9"
        with pytest.raises(SourceError, match="Connection refused"):
            source(mirror).fetch(tmp_path)

    def test_a_passing_server_error_is_tried_again(self, mirror, tmp_path):
        mirror.status = 503
        with pytest.raises(SourceError, match="503"):
            source(mirror).fetch(tmp_path)
        assert len(mirror.asked) == 3

    def test_a_broken_member_never_appears(self, mirror, contents, tmp_path):
        zipped = bytearray(mirror.files[ZIP])
        zipped[20_000:20_010] = bytes(10)
        mirror.files[ZIP] = bytes(zipped)
        with pytest.raises(SourceError, match="v_Archery_g01_c01"):
            source(mirror).fetch(tmp_path)
        assert on_disk(tmp_path).items() <= contents.items()
        assert "Archery/v_Archery_g01_c01.avi" not in on_disk(tmp_path)

    def test_a_broken_whole_archive_is_fetched_anew(self, mirror, contents, tmp_path):
        whole, mirror.ranges = mirror.files[ZIP], False
        mirror.files[ZIP] = whole[:20_000] + bytes(10) + whole[20_010:]
        with pytest.raises(SourceError, match="v_Archery_g01_c01"):
            source(mirror).fetch(tmp_path)
        mirror.files[ZIP] = whole
        source(mirror).fetch(tmp_path)
        assert on_disk(tmp_path) == contents

    def test_members_that_point_outside_are_refused_by_name(self, mirror, contents, tmp_path):
        outside = "../../v_Surfing_g01_c01.avi"
        mirror.files[ZIP] = zipped(contents | {outside: b"evil"})
        with pytest.raises(SourceError, match=re.escape(outside)):
            source(mirror).fetch(tmp_path / "a" / "b")
        assert not list(tmp_path.rglob("*.avi"))

    @pytest.mark.parametrize("ranges", [True, False])
    def test_a_wrong_number_of_clips_names_class_found_and_expected(
        self, mirror, contents, tmp_path, ranges
    ):
        mirror.ranges = ranges
        mirror.files[ZIP] = zipped(dict(list(contents.items())[:-1]))
        with pytest.raises(SourceError, match="class Surfing has 4 clips there, and 5 officially"):
            source(mirror).fetch(tmp_path)
        assert not on_disk(tmp_path)
        assert len(source(mirror, classes=["Archery"]).fetch(tmp_path)) == 4

    def test_an_unknown_class_shows_what_there_is(self, mirror, tmp_path):
        with pytest.raises(SourceError, match=r"asks for Sufing.*Archery, HandstandPushups, Surf"):
            source(mirror, classes=["Sufing"]).fetch(tmp_path)
        assert not mirror.asked

    def test_clips_that_are_here_are_used_when_all_mirrors_are_away(self, mirror, tmp_path, caplog):
        there = source(mirror).fetch(tmp_path)
        mirror.status = 404
        assert source(mirror).fetch(tmp_path) == there
        assert "here already" in caplog.text

    def test_the_listing_names_the_first_mirror_that_answers(self, mirror):
        listing = source(mirror, "missing.zip", ZIP).listing()
        assert listing["url"] == mirror.url(ZIP)
        assert listing["size"] == len(mirror.files[ZIP])
        assert listing["mark"] == mirror.etag
        assert listing["classes"] == sorted(COUNTS)
        assert mirror.sent == 4

    def test_without_a_mirror_nothing_is_listed(self, mirror):
        mirror.status = 503
        with pytest.raises(UnreachableError, match="503"):
            source(mirror).listing()

    def test_a_rar_is_not_downloaded_where_nothing_reads_it(self, mirror, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", "")
        mirror.files[OTHER] = b"Rar!" + bytes(100_000)
        mirror.ranges = True
        with pytest.raises(SourceError, match="install one of unrar"):
            source(mirror, OTHER).fetch(tmp_path)
        assert mirror.sent == 4

    def test_a_full_disk_is_an_error_that_says_what_is_needed(
        self, mirror, contents, tmp_path, monkeypatch
    ):
        write = Path.open

        def full(path, mode="r", *rest, **options):
            if "Surfing" in path.parts and mode == "wb":
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(path, mode, *rest, **options)

        monkeypatch.setattr(Path, "open", full)
        with pytest.raises(DiskFullError, match=r"needs 0\.5 MB") as caught:
            source(mirror, ZIP, "never-asked.zip").fetch(tmp_path)
        assert str(tmp_path) in str(caught.value)
        monkeypatch.undo()
        kept = on_disk(tmp_path)
        assert set(kept) <= set(contents)


KILLED = """
import sys
from pathlib import Path
from pipeline.sources import ucf101
from pipeline.dataset.clips import UnreachableError
from pipeline.files import DiskFullError
ucf101.official_counts = lambda: {counts}
ucf101.Ucf101Source(["{url}"], timeout=20, classes="all").fetch(Path(sys.argv[1]))
"""


@pytest.mark.usefixtures("counts")
@pytest.mark.parametrize("ranges", [True, False])
def test_killed_three_times_a_rerun_completes(mirror, flat_zip, contents, tmp_path, ranges):
    mirror.files[ZIP], mirror.ranges = flat_zip, ranges
    program = KILLED.format(counts=COUNTS, url=mirror.url(ZIP))
    for sent in (10_000, 150_000, 300_000):
        # All that is left hangs until the client is dead.
        mirror.sent, mirror.stall_after = 0, sent // 8 if ranges else sent
        process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stderr=-3)
        wait_until(lambda: mirror.sent > 4 and mirror.troubles < 10**9)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert on_disk(tmp_path).items() <= contents.items()
        mirror.troubles = 10**9
    mirror.stall_after = None
    source(mirror).fetch(tmp_path)
    assert on_disk(tmp_path) == contents


def wait_until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)
