"""Numbers by hand are the numbers that protobuf writes and reads."""

from __future__ import annotations

import pytest
from google.protobuf.internal import decoder, encoder  # type: ignore[attr-defined]
from hypothesis import example, given
from hypothesis import strategies as st

from mxgateway_contract.varints import int_varint, read_varint, varint

EDGES = [edge + step for edge in (0, 0x80, 0x800, 0x4000, 0x2000000, 1 << 28, 1 << 39, 1 << 63) for step in (-1, 0, 1)]


@pytest.mark.parametrize("number", [*[edge for edge in EDGES if edge >= 0], (1 << 64) - 1])
def test_a_number_is_written_as_protobuf_writes_it_and_read_back(number: int) -> None:
    written = varint(number)
    assert written == encoder._VarintBytes(number)
    assert read_varint(b"x" + written + b"y", 1) == (number, 1 + len(written))


@given(st.integers(-(1 << 63), (1 << 63) - 1))
@example(-1)
def test_a_signed_number_is_read_by_protobuf(number: int) -> None:
    data = int_varint(number)
    assert decoder._DecodeSignedVarint(data, 0) == (number, len(data))  # type: ignore[attr-defined]


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff\xff", b"\xff\xff\xff"])
def test_a_number_that_is_cut_off_is_no_number(data: bytes) -> None:
    with pytest.raises(IndexError):
        read_varint(data, 0)


def test_a_number_of_more_than_ten_bytes_is_no_number() -> None:
    with pytest.raises(ValueError, match="ten bytes"):
        read_varint(b"\xff" * 11 + b"\x00", 0)
