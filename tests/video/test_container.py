import random
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ClipError
from pipeline.video.container import validate_container


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def avi(frames=(b"one", b"two2"), form=b"AVI "):
    movie = b"movi" + b"".join(chunk(b"00dc", frame) for frame in frames)
    stream = chunk(b"strh", b"vids" + bytes(28) + struct.pack("<I", len(frames)) + bytes(20))
    header = chunk(b"LIST", b"hdrl" + chunk(b"avih", bytes(56)) + stream)
    header = header if form == b"AVI " else b""
    return chunk(b"RIFF", form + header + chunk(b"LIST", movie) + chunk(b"idx1", bytes(32)))


def box(name, content):
    return struct.pack(">I4s", 8 + len(content), name) + content


MP4 = box(b"ftyp", b"isom") + box(b"mdat", bytes(100)) + box(b"moov", bytes(50))
LARGE = (
    box(b"ftyp", b"isom")
    + box(b"moov", bytes(50))
    + struct.pack(">I4sQ", 1, b"mdat", 16 + 9)
    + bytes(9)
)


def element(name, content, size=None):
    return name + struct.pack(">Q", 1 << 56 | (len(content) if size is None else size)) + content


UNKNOWN = (1 << 56) - 1
BLOCKS = element(b"\xe7", b"0") + element(b"\xa3", bytes(30)) + element(b"\xa3", bytes(40))
HEAD = element(b"\x1aE\xdf\xa3", bytes(20))
MKV = HEAD + element(b"\x18\x53\x80\x67", element(b"\x1f\x43\xb6\x75", BLOCKS))
LIVE = HEAD + element(b"\x18\x53\x80\x67", element(b"\x1f\x43\xb6\x75", BLOCKS, UNKNOWN), UNKNOWN)


def check(tmp_path, content):
    path = tmp_path / "clip"
    path.write_bytes(content)
    validate_container(path)


@pytest.mark.parametrize(
    "content",
    [
        avi(),
        avi([]),
        avi() + avi(form=b"AVIX"),
        MP4,
        LARGE,
        MKV,
        LIVE,
        b"G" + bytes(187) + b"G",
    ],
)
def test_whole_files_pass(tmp_path, content):
    check(tmp_path, content)


def test_an_empty_file(tmp_path):
    with pytest.raises(ClipError, match="empty"):
        check(tmp_path, b"")


@pytest.mark.parametrize("content", [b"hello", bytes(4096), bytes(512) + avi()])
def test_no_video(tmp_path, content):
    with pytest.raises(ClipError, match="begins like no video"):
        check(tmp_path, content)


@pytest.mark.parametrize("content", [avi([b"frame"] * 9), MKV, LIVE])
@given(data=st.data())
def test_a_file_cut_within_its_frames_is_refused(tmp_path_factory, content, data):
    last = len(content) - (42 if content[:4] == b"RIFF" else 1)
    cut = data.draw(st.integers(last - 30, last))
    with pytest.raises(ClipError):
        check(tmp_path_factory.getbasetemp(), content[:cut])


def test_an_mp4_without_the_table_of_its_frames(tmp_path):
    with pytest.raises(ClipError, match="cut off"):
        check(tmp_path, MP4[:-30])
    with pytest.raises(ClipError, match="moov"):
        check(tmp_path, MP4[:120])


HARMLESS = {
    "riff size too small": lambda c: c[:4] + struct.pack("<I", len(c) - 40) + c[8:],
    "riff size too large": lambda c: c[:4] + struct.pack("<I", len(c) + 70) + c[8:],
    "riff size of a pipe": lambda c: c[:4] + b"\xff\xff\xff\xff" + c[8:],
    "no index": lambda c: c[: c.index(b"idx1")],
    "padding": lambda c: c.replace(b"idx1", bytes(512) + b"idx1"),
    "a remark": lambda c: c + b"Recorded by a device with something to say",
    "one byte": lambda c: c + b"x",
    "zeros": lambda c: c + bytes(1 << 20),
    "odd chunks unpadded": lambda c: c.replace(b"one\0", b"one"),
}


@pytest.mark.parametrize("way", HARMLESS)
def test_small_lies_of_an_avi_pass(tmp_path, way):
    check(tmp_path, HARMLESS[way](avi()))


@pytest.mark.parametrize("content", [MP4, MKV])
@pytest.mark.parametrize("rest", [b"x", bytes(10_000), b"a remark" * 99])
def test_bytes_behind_the_end_pass(tmp_path, content, rest):
    check(tmp_path, content + rest)


def test_much_noise_behind_the_end_of_an_avi_may_be_lost_frames(tmp_path):
    with pytest.raises(ClipError, match="5000 bytes of data follow its end"):
        check(tmp_path, avi() + random.Random(0).randbytes(5000))


def test_zeros_in_place_of_frames(tmp_path):
    content = avi([b"frame1"] * 9)
    start = content.index(b"00dc") + 40
    with pytest.raises(ClipError, match=r"damaged|missing"):
        check(tmp_path, content[:start] + bytes(len(content) - start))


def test_a_chunk_that_is_none(tmp_path):
    with pytest.raises(ClipError, match="damaged at byte"):
        check(tmp_path, avi().replace(b"00dc", bytes(4), 1))


def test_a_second_film_behind_the_first(tmp_path):
    with pytest.raises(ClipError, match="a second film begins"):
        check(tmp_path, avi() + avi())


@given(content=st.binary())
def test_any_content_passes_or_is_refused(tmp_path_factory, content):
    for start in (b"", b"RIFF\xff\0\0\0AVI ", b"\0\0\0\x10ftyp"):
        with suppress(ClipError):
            check(tmp_path_factory.getbasetemp(), start + content)
