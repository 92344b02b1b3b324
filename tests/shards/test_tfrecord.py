import google_crc32c
import pytest

from pipeline.shards.tfrecord import masked_crc32c


@pytest.mark.parametrize(
    ("data", "expected"),
    [  # RFC 3720, B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_the_library_gives_the_published_values(data, expected):
    assert google_crc32c.value(data) == expected


def test_the_library_is_compiled():
    assert google_crc32c.implementation == "c"  # in Python it takes a thousand times as long


def test_masked_as_tfrecord_masks():
    assert masked_crc32c(b"123456789") == 0xC78AB0E5  # 0xE3069283 turned by 15 bits, + 0xA282EAD8
