import struct
from contextlib import suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.errors import ClipError
from pipeline.video.container import demand_whole


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def avi(frames=(b"one", b"two2"), form=b"AVI "):
    movie = b"movi" + b"".join(chunk(b"00dc", frame) for frame in frames)
    header = chunk(b"LIST", b"hdrl" + chunk(b"avih", bytes(56)))
    return chunk(b"RIFF", form + header + chunk(b"LIST", movie) + chunk(b"idx1", bytes(32)))


def box(name, content):
    return struct.pack(">I4s", 8 + len(content), name) + content


MP4 = box(b"ftyp", b"isom") + box(b"mdat", bytes(100)) + box(b"moov", bytes(50))
LARGE = box(b"ftyp", b"isom") + struct.pack(">I4sQ", 1, b"mdat", 16 + 9) + bytes(9)


def check(tmp_path, content):
    path = tmp_path / "clip"
    path.write_bytes(content)
    demand_whole(path)


@pytest.mark.parametrize(
    "content",
    [
        avi(),
        avi([]),
        avi() + avi(form=b"AVIX"),
        MP4,
        LARGE,
        b"\x1aE\xdf\xa3...",
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


@pytest.mark.parametrize("content", [avi(), MP4, LARGE])
@given(data=st.data())
def test_a_file_cut_anywhere_is_refused(tmp_path_factory, content, data):
    cut = data.draw(st.integers(0, len(content) - 1))
    # At the end of a box nothing shows that another one is missing, but no decoder opens it.
    assume(content[:3] == b"RIF" or cut not in (12, 120))
    with pytest.raises(ClipError):
        check(tmp_path_factory.getbasetemp(), content[:cut])


def test_a_chunk_that_is_none(tmp_path):
    with pytest.raises(ClipError, match="no chunk begins at byte 100"):
        check(tmp_path, avi().replace(b"00dc", bytes(4), 1))


def test_a_second_film_behind_the_first(tmp_path):
    with pytest.raises(ClipError, match="something else follows"):
        check(tmp_path, avi() + avi())


@given(content=st.binary())
def test_any_content_passes_or_is_refused(tmp_path_factory, content):
    for start in (b"", b"RIFF\xff\0\0\0AVI ", b"\0\0\0\x10ftyp"):
        with suppress(ClipError):
            check(tmp_path_factory.getbasetemp(), start + content)
