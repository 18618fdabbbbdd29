"""Values on their way into COM: their images byte by byte, and that nothing stays allocated."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.com_memory import NOON_NS, Arena, EarlierZone

from mxgateway_contract import hresults
from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.variants import Scalar, Variant
from mxgateway_worker.backends.com.images import ImageReader
from mxgateway_worker.backends.com.times import TimeRules
from mxgateway_worker.backends.com.writing import ValueWriter


def made(variant: Variant, *, is_local: bool = False) -> tuple[bytes, Arena]:
    arena = Arena()
    return ValueWriter(arena, TimeRules(EarlierZone(), is_local=is_local)).image(variant), arena


@pytest.mark.parametrize(
    ("variant", "image"),
    [
        (Variant(0, None), struct.pack("<H14x", 0)),
        (Variant(1, None), struct.pack("<H14x", 1)),
        (Variant(2, -2), struct.pack("<H6xh6x", 2, -2)),
        (Variant(3, -7), struct.pack("<H6xi4x", 3, -7)),
        (Variant(4, 1.5), struct.pack("<H6xf4x", 4, 1.5)),
        (Variant(5, 2.25), struct.pack("<H6xd", 5, 2.25)),
        (Variant(6, -1.2345), struct.pack("<H6xq", 6, -12_345)),
        (Variant(7, NOON_NS), struct.pack("<H6xd", 7, 45_000.5)),
        (Variant(64, NOON_NS), struct.pack("<H6xd", 7, 45_000.5)),
        (Variant(10, -1), struct.pack("<H6xi4x", 10, -1)),
        (Variant(11, True), struct.pack("<H6xh6x", 11, -1)),
        (Variant(11, False), struct.pack("<H6xh6x", 11, 0)),
        (Variant(14, -123.45), struct.pack("<HBBIQ", 14, 2, 0x80, 0, 12_345)),
        (Variant(14, 1e20), struct.pack("<HBBIQ", 14, 0, 0, 10**20 >> 64, 10**20 & (2**64 - 1))),
        (Variant(16, -1), struct.pack("<H6xb7x", 16, -1)),
        (Variant(17, 255), struct.pack("<H6xB7x", 17, 255)),
        (Variant(18, 65_535), struct.pack("<H6xH6x", 18, 65_535)),
        (Variant(19, 2**32 - 1), struct.pack("<H6xI4x", 19, 2**32 - 1)),
        (Variant(20, -(2**63)), struct.pack("<H6xq", 20, -(2**63))),
        (Variant(21, 2**64 - 1), struct.pack("<H6xQ", 21, 2**64 - 1)),
    ],
)
def test_scalars(variant: Variant, image: bytes) -> None:
    written, arena = made(variant)
    assert written == image
    assert arena.blocks == 0


def test_a_local_node_gets_local_dates() -> None:
    written, _ = made(Variant(7, NOON_NS), is_local=True)
    assert written == struct.pack("<H6xd", 7, 45_000.5 + 1 / 24)


@pytest.mark.parametrize("vartype", [6, 14])
@pytest.mark.parametrize("sign", [1, -1])
def test_what_was_read_at_the_end_of_a_range_can_be_written_again(vartype: int, sign: int) -> None:
    """The double nearest to the largest currency or decimal lies beyond it."""
    whole = struct.pack("<H6xq", 6, (1 << 63) - 1 if sign > 0 else -(1 << 63))
    if vartype == 14:
        whole = struct.pack("<HBBIQ", 14, 0, 0x80 if sign < 0 else 0, 0xFFFFFFFF, (1 << 64) - 1)
    arena = Arena()
    times = TimeRules(EarlierZone())
    read = ImageReader(arena.read, times).variant(whole)
    assert ValueWriter(arena, times).image(read) == whole


def test_a_file_time_is_written_as_a_date_alone_and_in_an_array() -> None:
    """FILETIME is no legal type of a VARIANT."""
    scalar, _ = made(Variant(64, 0))
    assert scalar == struct.pack("<H6xd", 7, 25_569.0)
    array, _ = made(Variant(0x2040, (0,)))
    assert array[:2] == struct.pack("<H", 0x2007)


REFUSED = [
    Variant(3, 2**31), Variant(3, 1.5), Variant(3, "7"), Variant(16, 128), Variant(17, -1), Variant(5, "x"),
    Variant(8, 7), Variant(7, "now"), Variant(7, 10**30), Variant(6, 1e300), Variant(6, float("nan")),
    Variant(4, 1e300),
    Variant(14, 1e300), Variant(14, float("inf")), Variant(36, b"\0"), Variant(9, None), Variant(12, 1),
    Variant(0x2003, (1, 2**40)), Variant(0x2003, 5), Variant(0x200C, (1,)), Variant(0x2024, (b"",)),
]  # fmt: skip


@pytest.mark.parametrize("variant", REFUSED)
def test_what_its_type_cannot_hold_is_an_invalid_argument_and_leaves_nothing(variant: Variant) -> None:
    arena = Arena()
    with pytest.raises(MxComError) as caught:
        ValueWriter(arena, TimeRules(EarlierZone())).image(variant)
    assert caught.value.hresult == hresults.E_INVALIDARG
    assert arena.blocks == 0


def test_a_text_half_way_through_an_array_takes_the_others_with_it() -> None:
    arena = Arena()
    with pytest.raises(MxComError):
        ValueWriter(arena, TimeRules(EarlierZone())).image(Variant(0x2008, ("a", "b", 3)))
    assert arena.blocks == 0


ELEMENTS: dict[int, st.SearchStrategy[Scalar]] = {
    2: st.integers(-(2**15), 2**15 - 1),
    3: st.integers(-(2**31), 2**31 - 1),
    4: st.floats(width=32, allow_nan=False),
    5: st.floats(allow_nan=False),
    7: st.integers(-(10**9), 10**9).map(lambda seconds: seconds * 10**9),
    8: st.text("aé中😀\0", max_size=10),
    11: st.booleans(),
    17: st.integers(0, 255),
    20: st.integers(-(2**63), 2**63 - 1),
}


@given(st.data())
def test_arrays_go_round_and_are_freed(data: st.DataObject) -> None:
    """What is written is read again by the reader's own rules, in any shape; clearing gives everything back."""
    vartype = data.draw(st.sampled_from(sorted(ELEMENTS)))
    counts = tuple(data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    total = 1
    for count in counts:
        total *= count
    values = tuple(data.draw(st.lists(ELEMENTS[vartype], min_size=total, max_size=total)))
    arena = Arena()
    times = TimeRules(EarlierZone())
    dimensions = counts if len(counts) > 1 else ()
    image = ValueWriter(arena, times).image(Variant(0x2000 | vartype, values, -1, dimensions))
    read = ImageReader(arena.read, times).variant(image)
    assert (read.value, read.dimensions) == (values, dimensions)
    arena.clear(image)
    assert arena.blocks == 0


def test_the_first_index_runs_fastest_in_memory() -> None:
    image, arena = made(Variant(0x2003, (11, 12, 13, 21, 22, 23), 2, (2, 3)))
    (pointer,) = struct.unpack_from("<8xI", image)
    data = int.from_bytes(arena.read(pointer + 12, 4), "little")
    assert struct.unpack("<6i", arena.read(data, 24)) == (11, 21, 12, 22, 13, 23)
