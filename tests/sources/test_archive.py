import errno
import shutil
import struct
import zipfile
import zlib

import pytest

from pipeline.errors import SourceError
from pipeline.files import DiskFullError
from pipeline.sources import rars
from pipeline.sources.archive import ArchiveSource
from pipeline.sources.members import BrokenArchiveError

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


def rar_file(path, contents):
    """A rar (version 4) whose members are stored: nothing free writes the format."""

    def block(kind, flags, body):
        head = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
        return struct.pack("<H", zlib.crc32(head) & 0xFFFF) + head

    blocks = [b"Rar!\x1a\x07\x00", block(0x73, 0, bytes(6))]
    for name, content in contents.items():
        size, crc, raw = len(content), zlib.crc32(content), name.encode()
        stored = struct.pack("<IIBIIBBHI", size, size, 3, crc, 0, 20, 0x30, len(raw), 0o100644)
        blocks += [block(0x74, 0x8000, stored + raw), content]
    path.write_bytes(b"".join([*blocks, block(0x7B, 0x4000, b"")]))
    return path


@pytest.fixture(params=["zip", *rars.PROGRAMS])
def write(request, monkeypatch):
    """A writer of archives; a rar is read by the program that the parameter names."""
    if request.param == "zip":
        return zip_file
    monkeypatch.setattr(rars, "PROGRAMS", {request.param: rars.PROGRAMS[request.param]})
    try:
        rars.demand_program("the test's file")
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
    if "bsdtar" in rars.PROGRAMS and write is rar_file:
        pytest.skip("bsdtar does not check members that are not compressed")
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
    path = rar_file(tmp_path / "my.rar", CONTENTS)
    with pytest.raises(SourceError, match="install one of unrar, 7z"):
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


@pytest.mark.skipif(not shutil.which("7zz"), reason="no 7zz here")
def test_the_commands_for_7z_work_on_what_every_build_of_it_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(rars, "demand_program", lambda _: "7zz")
    archive = rars.RarArchive(zip_file(tmp_path / "a.zip", CONTENTS))
    assert set(CONTENTS) <= set(archive.names())
    targets = {name: tmp_path / "out" / name for name in CONTENTS}
    archive.unpack(targets, tmp_path / "out")
    assert {name: path.read_bytes() for name, path in targets.items()} == CONTENTS
