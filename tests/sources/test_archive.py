import errno
import shutil
import struct
import zipfile
import zlib

import pytest
import rarfile

from pipeline.errors import SourceError
from pipeline.files import DiskFullError
from pipeline.sources import archive, rars
from pipeline.sources.archive import ArchiveSource, BrokenArchiveError

CONTENTS = {
    "UCF-101/A/one [1].avi": b"one" * 1000,
    "UCF-101/A/two.mp4": b"two" * 1000,
    "UCF-101/B/drei ä.avi": b"three" * 1000,
    "UCF-101/B/notes.txt": b"notes",
}
CLIPS = {"A/one [1]", "A/two", "B/drei ä"}


def zip_file(path, contents):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return path


def rar_file(path, contents, method=0x30):
    """A rar (version 4) whose members are stored: nothing free writes the format."""

    def block(kind, flags, body):
        head = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
        return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head

    blocks = [b"Rar!\x1a\x07\x00", block(0x73, 0, bytes(6))]
    for name, content in contents.items():
        size, crc, raw = len(content), zlib.crc32(content), name.encode()
        stored = struct.pack("<IIBIIBBHI", size, size, 3, crc, 0, 20, method, len(raw), 0o100644)
        blocks += [block(0x74, 0x8000, stored + raw), content]
    path.write_bytes(b"".join([*blocks, block(0x7B, 0x4000, b"")]))
    return path


@pytest.fixture(params=["zip", "stored rar", *rars.PROGRAMS])
def write(request, monkeypatch):
    """A writer of archives; a rar is read by the program that the parameter names."""
    if request.param == "zip":
        return zip_file
    if request.param in rars.PROGRAMS:
        monkeypatch.setattr(rars, "PROGRAMS", {request.param: rars.PROGRAMS[request.param]})
        # As for a compressed member, which nothing free can write.
        monkeypatch.setattr(
            rarfile.RAR3Parser, "_open_clear", lambda self, info: self._open_hack(info, None)
        )
        try:
            rars.choose_program("the test's file")
        except SourceError as error:
            pytest.skip(str(error))
    return rar_file


def contents_of(folder):
    return {f"UCF-101/{p.relative_to(folder)}": p.read_bytes() for p in folder.glob("*/*.*")}


def test_the_chosen_classes_come_out(write, tmp_path):
    source = ArchiveSource(write(tmp_path / "my.file", CONTENTS), classes=["b"])
    assert [clip.id for clip in source.fetch(tmp_path / "out")] == ["B/drei ä"]
    source = ArchiveSource(source.path)
    assert {clip.id for clip in source.fetch(tmp_path / "out")} == CLIPS
    assert contents_of(tmp_path / "out") == {
        name: content for name, content in CONTENTS.items() if not name.endswith("txt")
    }


def test_a_rerun_writes_nothing(write, tmp_path):
    source = ArchiveSource(write(tmp_path / "my.file", CONTENTS))
    clips = source.fetch(tmp_path / "out")
    before = [clip.path.stat() for clip in clips]
    assert [clip.path.stat().st_mtime_ns for clip in source.fetch(tmp_path / "out")] == [
        status.st_mtime_ns for status in before
    ]


def test_a_broken_member_is_an_error_and_never_appears(write, tmp_path):
    path = write(tmp_path / "my.file", {"A/a.avi": bytes(range(256)) * 40})
    broken = bytearray(path.read_bytes())
    broken[100:104] = b"\0\1\2\3"
    path.write_bytes(broken)
    with pytest.raises(SourceError, match=r"my\.file"):
        ArchiveSource(path).fetch(tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.avi"))


def test_a_member_that_points_outside_is_refused(write, tmp_path):
    path = write(tmp_path / "my.file", CONTENTS | {"../../evil.avi": b"evil"})
    with pytest.raises(BrokenArchiveError, match=r"\.\./\.\./evil\.avi"):
        ArchiveSource(path).fetch(tmp_path / "some" / "out")
    assert not list(tmp_path.rglob("*.avi"))


def test_something_else_is_refused(tmp_path):
    path = tmp_path / "my.zip"
    path.write_bytes(b"not an archive")
    with pytest.raises(SourceError, match=r"my\.zip is not a whole zip or rar"):
        ArchiveSource(path).fetch(tmp_path)


def test_a_rar_without_a_program_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    path = rar_file(tmp_path / "my.rar", CONTENTS, method=0x33)
    with pytest.raises(SourceError, match="install one of unrar"):
        ArchiveSource(path).fetch(tmp_path)


def test_a_zip_that_needs_a_password(tmp_path):
    path = zip_file(tmp_path / "my.zip", {"A/a.avi": b"a"})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(SourceError, match="password"):
        ArchiveSource(path).fetch(tmp_path)


def test_a_full_disk_keeps_what_is_whole(tmp_path, monkeypatch):
    source = ArchiveSource(zip_file(tmp_path / "my.zip", CONTENTS))
    copy = shutil.copyfileobj

    def full(member, out, *rest):
        if member.name.endswith("two.mp4"):
            raise OSError(errno.ENOSPC, "No space left on device")
        copy(member, out, *rest)

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(DiskFullError, match="the disk is full"):
        source.fetch(tmp_path / "out")
    assert contents_of(tmp_path / "out").items() <= CONTENTS.items()
    monkeypatch.undo()
    assert {clip.id for clip in source.fetch(tmp_path / "out")} == CLIPS


def test_another_state_of_the_file_is_unpacked_elsewhere(tmp_path):
    path = zip_file(tmp_path / "my.zip", CONTENTS)
    before = ArchiveSource(path).key, ArchiveSource(path).listing()
    assert before == (ArchiveSource(path).key, ArchiveSource(path).listing())
    zip_file(path, {"A/a.avi": b"a"})
    assert ArchiveSource(path).key != before[0]
    assert ArchiveSource(path).listing() != before[1]


def test_a_link_is_refused(tmp_path):
    path = zip_file(tmp_path / "my.zip", {"A/a.avi": b"a"})
    link = zipfile.ZipInfo("A/b.avi")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(BrokenArchiveError, match=r"a link instead of a file: 'A/b\.avi'"):
        ArchiveSource(path).fetch(tmp_path / "out")


def test_a_zip_bomb_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "BOMB", (1000, 100))
    path = zip_file(tmp_path / "my.zip", {"A/a.avi": bytes(1_000_000)})
    with pytest.raises(BrokenArchiveError, match=r"0\.0 MB to 1 MB"):
        ArchiveSource(path).fetch(tmp_path / "out")
    assert not list(tmp_path.rglob("*.avi"))


def test_a_disk_that_is_too_small_is_named_before_anything_is_written(tmp_path, monkeypatch):
    source = ArchiveSource(zip_file(tmp_path / "my.zip", CONTENTS))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    with pytest.raises(DiskFullError, match="the disk is full"):
        source.fetch(tmp_path / "out")
    assert not list(tmp_path.rglob("*.avi"))


def test_an_archive_inside_is_refused_by_name(tmp_path):
    path = zip_file(tmp_path / "my.zip", CONTENTS | {"UCF-101/more.rar": b"Rar!"})
    with pytest.raises(SourceError, match=r"archives inside \(UCF-101/more\.rar\)"):
        ArchiveSource(path).fetch(tmp_path / "out")


def test_names_that_macos_writes_without_saying_that_they_are_utf8(tmp_path):
    path = zip_file(tmp_path / "my.zip", {"XXXXX/a.avi": b"a", "B/b.avi": b"b"})
    path.write_bytes(path.read_bytes().replace(b"XXXXX", "Caf\u00e9".encode()))
    clips = ArchiveSource(path, classes=["Cafe\u0301"]).fetch(tmp_path / "out")
    assert [clip.id for clip in clips] == ["Caf\u00e9/a"]


def test_a_very_long_name_is_unpacked(tmp_path):
    name = "\u00e9" * 125
    (clip,) = ArchiveSource(zip_file(tmp_path / "my.zip", {f"A/{name}.avi": b"a"})).fetch(tmp_path)
    assert clip.id == f"A/{name}"
    assert clip.path.read_bytes() == b"a"


def test_members_that_share_their_bytes_are_refused(tmp_path):
    path, films = tmp_path / "my.zip", {"A/a.avi": bytes(10_000), "A/b.avi": bytes(10_000)}
    with zipfile.ZipFile(path, "w") as file:
        for name, content in films.items():
            file.writestr(name, content)
        file.fp.truncate(10_100)
        file.start_dir = 10_100  # the directory follows the first member, and names both
        for info in file.infolist():
            info.header_offset = 0
    with pytest.raises(BrokenArchiveError, match="they overlap"):
        ArchiveSource(path).fetch(tmp_path / "out")
    assert not (tmp_path / "out").exists()
