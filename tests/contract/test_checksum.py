"""CRC-32C, by both backends and by the tables that stand in for a missing package."""

from __future__ import annotations

import random
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenttrace._pure import checksum
from tests.contract.making import bitwise_crc32c


def test_the_check_value_is_that_of_the_standard(backend: ModuleType) -> None:
    """RFC 3720's check value, and that of nothing."""
    assert backend.crc32c(b"123456789") == 0xE3069283
    assert backend.crc32c(b"") == 0


def test_a_checksum_goes_on_from_another(backend: ModuleType) -> None:
    """Two pieces give what the whole gives."""
    assert backend.crc32c(b"6789", backend.crc32c(b"12345")) == 0xE3069283


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_bytes_like_object_has_a_checksum(backend: ModuleType, kind: type) -> None:
    """Buffers are read as they are; numbers and text are none."""
    assert backend.crc32c(kind(b"123456789")) == 0xE3069283
    with pytest.raises(TypeError):
        backend.crc32c("123456789")


def test_all_short_lengths_agree_with_the_bitwise_checksum(backend: ModuleType) -> None:
    """Lengths 0 to 300 at each alignment up to 8."""
    data = memoryview(random.Random(1).randbytes(310))
    for length in range(300):
        piece = data[length % 9 : length % 9 + length]
        assert backend.crc32c(piece) == bitwise_crc32c(bytes(piece))


@given(st.binary(max_size=40), st.integers(0, 9000), st.integers(0, 2**32 - 1))
def test_the_tables_agree_with_what_is_used(head: bytes, length: int, value: int) -> None:
    """The stand-in for the package gives the same, also by four bytes a step."""
    data = head + bytes(range(256)) * (length // 256 + 1)
    data = data[:length]
    assert checksum.table_crc32c(data, value) == checksum.crc32c(data, value)
