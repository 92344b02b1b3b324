"""TFRecord's checksum, CRC-32C, in NumPy: no wheel to build, and fast enough for megabytes.

A CRC's register is linear in the message. So rows of many words are folded one onto the next, the
register advanced over a whole row by a table look-up for all words at once, until one row with the
same checksum is left.
"""

import functools

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

_POLYNOMIAL = 0x82F63B78  # Castagnoli, bits reversed
_ROW = 512  # words


def masked_crc32c(data: bytes) -> int:
    """The checksum as TFRecord stores it: rotated and shifted, so that it survives nesting."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """CRC-32C of `data` (RFC 3720)."""
    register = 0xFFFFFFFF
    whole = len(data) - len(data) % (4 * _ROW)
    if whole:
        rows = np.frombuffer(data, "<u4", whole // 4).reshape(-1, _ROW)
        register = _by_bytes(_fold(rows, register).astype("<u4").tobytes(), 0)
    return _by_bytes(data[whole:], register) ^ 0xFFFFFFFF


def _fold(rows: Words, register: int) -> Words:
    low, high = _row_tables()
    folded: Words = rows[0].copy()
    folded[0] ^= np.uint32(register)
    for row in rows[1:]:
        folded = low[folded & 0xFFFF] ^ high[folded >> 16] ^ row
    return folded


def _by_bytes(data: bytes, register: int) -> int:
    table = _byte_table().tolist()
    for byte in data:
        register = table[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register


@functools.cache
def _byte_table() -> Words:
    """What eight zero bits make of a register, for each value of its lowest byte."""
    table: Words = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> np.uint32(1)) ^ (table & np.uint32(1)) * np.uint32(_POLYNOMIAL)
    return table


@functools.cache
def _row_tables() -> tuple[Words, Words]:
    """What a row of zeros makes of a register, for each value of its low and its high half."""
    bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
    for _ in range(4 * _ROW):
        bits = _byte_table()[bits & 0xFF] ^ (bits >> 8)
    return _combinations(bits[:16]), _combinations(bits[16:])


def _combinations(bits: Words) -> Words:
    table = np.zeros(1, np.uint32)
    for bit in bits:
        table = np.concatenate([table, table ^ bit])
    return table
