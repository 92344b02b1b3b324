import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.shards.crc32c import crc32c, masked_crc32c


def bit_by_bit(data: bytes) -> int:
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


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
def test_published_values(data, expected):
    assert crc32c(data) == expected


@given(st.binary(min_size=1, max_size=40), st.integers(0, 9000))
def test_any_length_agrees_with_the_definition(pattern, length):
    data = (pattern * (length // len(pattern) + 1))[:length]
    assert crc32c(data) == bit_by_bit(data)


def test_masked_as_tfrecord_masks():
    assert masked_crc32c(b"123456789") == 0xC78AB0E5  # 0xE3069283 turned by 15 bits, + 0xA282EAD8
