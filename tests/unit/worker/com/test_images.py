"""Memory images of COM: each byte image is written down here, not made by the code that reads it."""

from __future__ import annotations

import struct
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.com_memory import FILETIME_TICKS, NOON_NS, Arena, EarlierZone

from mxgateway_contract.status import MxStatus
from mxgateway_protocol.variants import VT_ARRAY, DataType, Variant
from mxgateway_worker.backends.com import identity
from mxgateway_worker.backends.com.images import ImageError, ImageReader, to_column_major, to_row_major
from mxgateway_worker.backends.com.times import TimeRules


@pytest.fixture
def arena() -> Arena:
    return Arena()


@pytest.fixture
def reader(arena: Arena) -> ImageReader:
    return ImageReader(arena.read, TimeRules(EarlierZone()))


def image(vartype: int, payload: bytes) -> bytes:
    return struct.pack("<H", vartype) + b"\xaa" * 6 + payload.ljust(8, b"\xbb")


SCALARS = [
    (2, struct.pack("<h", -2), -2, 2, DataType.UNKNOWN),
    (3, struct.pack("<i", -(2**31)), -(2**31), 3, DataType.INTEGER),
    (4, struct.pack("<f", 1.5), 1.5, 4, DataType.FLOAT),
    (5, struct.pack("<d", -2.25), -2.25, 5, DataType.DOUBLE),
    (6, struct.pack("<q", -12_345), -1.2345, 6, DataType.UNKNOWN),
    (7, struct.pack("<d", 45_000.5), NOON_NS, 7, DataType.TIME),
    (10, struct.pack("<i", -2147352566), -2147352566, 10, DataType.UNKNOWN),
    (11, struct.pack("<h", -1), True, 11, DataType.BOOLEAN),
    (11, struct.pack("<h", 0), False, 11, DataType.BOOLEAN),
    (11, struct.pack("<h", 1), True, 11, DataType.BOOLEAN),
    (16, b"\xff", -1, 16, DataType.UNKNOWN),
    (17, b"\xff", 255, 17, DataType.UNKNOWN),
    (18, b"\xff\xff", 65_535, 18, DataType.UNKNOWN),
    (19, b"\xff\xff\xff\xff", 2**32 - 1, 19, DataType.UNKNOWN),
    (20, struct.pack("<q", -(2**63)), -(2**63), 20, DataType.UNKNOWN),
    (21, b"\xff" * 8, 2**64 - 1, 21, DataType.UNKNOWN),
    (22, struct.pack("<i", -7), -7, 3, DataType.UNKNOWN),
    (23, struct.pack("<I", 7), 7, 19, DataType.UNKNOWN),
]


@pytest.mark.parametrize(("vartype", "payload", "value", "told", "data_type"), SCALARS)
def test_scalars(reader: ImageReader, vartype: int, payload: bytes, value: Any, told: int, data_type: int) -> None:
    """Each VARTYPE from its payload at offset 8; what lies in the reserved bytes and behind it is nobody's."""
    read = reader.variant(image(vartype, payload))
    assert (read.vartype, read.value, read.data_type, read.dimensions) == (told, value, data_type, ())
    assert type(read.value) is type(value)


@pytest.mark.parametrize(("vartype", "payload", "value", "told", "data_type"), SCALARS)
def test_scalars_by_reference(
    reader: ImageReader, arena: Arena, vartype: int, payload: bytes, value: Any, told: int, data_type: int
) -> None:
    """Exactly as many bytes as the type has are read there: the arena would refuse one more."""
    size = {11: 2, 6: 8, 7: 8}.get(vartype, len(payload))
    pointer = struct.pack("<I", arena.block(payload[:size]))
    read = reader.variant(image(0x4000 | vartype, pointer))
    assert (read.vartype, read.value, read.data_type) == (told, value, data_type)


def test_empty_and_null_stay_apart(reader: ImageReader) -> None:
    assert reader.variant(image(0, b"")) == Variant(0, None, DataType.NO_DATA)
    assert reader.variant(image(1, b"")) == Variant(1, None, DataType.UNKNOWN)


@pytest.mark.parametrize("text", ["", "café 中", "a\0b", "lone \ud800 half", "😀"])
def test_texts_keep_every_code_unit(reader: ImageReader, arena: Arena, text: str) -> None:
    """The length stands in front of the text, so NUL is a character like any other."""
    read = reader.variant(image(8, struct.pack("<I", arena.bstr(text))))
    assert (read.value, read.data_type) == (text, DataType.STRING)


def test_a_null_text_is_the_empty_one(reader: ImageReader) -> None:
    assert reader.variant(image(8, b"\0\0\0\0")).value == ""


@pytest.mark.parametrize(
    ("scale", "sign", "high", "low", "value"),
    [(2, 0, 0, 12_345, 123.45), (0, 0x80, 0, 7, -7.0), (28, 0, 0, 1, 1e-28), (0, 0, 1, 0, float(2**64))],
)
def test_a_decimal_overlays_the_whole_variant(
    reader: ImageReader, scale: int, sign: int, high: int, low: int, value: float
) -> None:
    assert reader.variant(struct.pack("<HBBIQ", 14, scale, sign, high, low)).value == value


@pytest.mark.parametrize("vartype", [9, 13])
def test_an_object_is_no_value_and_its_address_does_not_leave(reader: ImageReader, vartype: int) -> None:
    assert reader.variant(image(vartype, b"\x12\x34\x56\x78")).value is None


def test_a_variant_by_reference_is_followed_once(reader: ImageReader, arena: Arena) -> None:
    inner = struct.pack("<I", arena.block(image(5, struct.pack("<d", 4.5))))
    assert reader.variant(image(0x400C, inner)).value == 4.5
    twice = struct.pack("<I", arena.block(image(0x400C, inner)))
    with pytest.raises(ImageError, match="by reference"):
        reader.variant(image(0x400C, twice))


@pytest.mark.parametrize("vartype", [0x4003, 0x400C, 0x6003])
def test_a_null_reference_is_refused(reader: ImageReader, vartype: int) -> None:
    with pytest.raises(ImageError, match="null"):
        reader.variant(image(vartype, b"\0\0\0\0"))


def make_array(arena: Arena, vartype: int, counts: tuple[int, ...], elements: bytes) -> bytes:
    array, data = arena.array(vartype, counts)
    if elements:
        arena.store(data, elements)
    return struct.pack("<I", array)


def test_arrays_of_one_dimension(reader: ImageReader, arena: Arena) -> None:
    read = reader.variant(image(0x2003, make_array(arena, 3, (3,), struct.pack("<3i", 1, -2, 3))))
    assert read == Variant(VT_ARRAY | 3, (1, -2, 3), DataType.INTEGER)
    texts = b"".join(struct.pack("<I", arena.bstr(text) if text else 0) for text in ("a", "", "ü"))
    assert reader.variant(image(0x2008, make_array(arena, 8, (3,), texts))).value == ("a", "", "ü")
    flags = reader.variant(image(0x200B, make_array(arena, 11, (2,), struct.pack("<2h", -1, 0))))
    assert flags.value == (True, False)


def test_arrays_by_reference_null_and_empty(reader: ImageReader, arena: Arena) -> None:
    pointer = make_array(arena, 5, (1,), struct.pack("<d", 0.5))
    assert reader.variant(image(0x6005, struct.pack("<I", arena.block(pointer)))).value == (0.5,)
    assert reader.variant(image(0x2005, b"\0\0\0\0")).value == ()
    assert reader.variant(image(0x2005, make_array(arena, 5, (0,), b""))).value == ()


def test_two_dimensions_are_turned(reader: ImageReader, arena: Arena) -> None:
    """In memory the first index runs fastest; a Variant's last one does."""
    elements = struct.pack("<6i", 11, 21, 12, 22, 13, 23)
    read = reader.variant(image(0x2003, make_array(arena, 3, (2, 3), elements)))
    assert (read.value, read.dimensions) == ((11, 12, 13, 21, 22, 23), (2, 3))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_turning_back_and_forth_changes_nothing(counts: list[int]) -> None:
    total = 1
    for count in counts:
        total *= count
    values = tuple(range(total))
    assert to_row_major(to_column_major(values, tuple(counts)), tuple(counts)) == values


def test_variants_in_an_array(reader: ImageReader, arena: Arena) -> None:
    elements = image(3, struct.pack("<i", 5)) + image(8, struct.pack("<I", arena.bstr("x"))) + image(0, b"")
    assert reader.variant(image(0x200C, make_array(arena, 12, (3,), elements))).value == (5, "x", None)


@pytest.mark.parametrize("dimensions", [0, 65])
def test_an_array_of_no_or_endless_dimensions_is_refused(reader: ImageReader, arena: Arena, dimensions: int) -> None:
    array = arena.block(struct.pack("<HHIII", dimensions, 0, 4, 0, 0) + bytes(8 * dimensions))
    with pytest.raises(ImageError, match="dimensions"):
        reader.variant(image(0x2003, struct.pack("<I", array)))


def test_an_array_that_cannot_be_is_refused_before_it_is_read(reader: ImageReader, arena: Arena) -> None:
    array = arena.block(struct.pack("<HHIIIIi", 1, 0, 4, 0, 0, 2**31, 0))
    with pytest.raises(ImageError, match="2147483648 elements"):
        reader.variant(image(0x2003, struct.pack("<I", array)))
    wrong = arena.block(struct.pack("<HHIIIIi", 1, 0, 8, 0, 0, 1, 0))
    with pytest.raises(ImageError, match="elements of 8 bytes"):
        reader.variant(image(0x2003, struct.pack("<I", wrong)))


@pytest.mark.parametrize("days", [float("nan"), float("inf"), 1e9, -1e9])
def test_a_date_that_is_none_is_an_image_error(reader: ImageReader, days: float) -> None:
    with pytest.raises(ImageError, match="VT_DATE"):
        reader.variant(image(7, struct.pack("<d", days)))


def test_times_in_all_their_forms(reader: ImageReader, arena: Arena) -> None:
    """DATE, text of the node's locale, ticks as I8, UI8 or FILETIME; by value and by reference."""
    text = struct.pack("<I", arena.bstr("3/15/2023 12:00:00 PM"))
    forms = [(7, struct.pack("<d", 45_000.5)), (8, text)]
    forms += [(vartype, struct.pack("<q", FILETIME_TICKS)) for vartype in (20, 21)]
    assert [reader.time(image(*form)) for form in forms] == [NOON_NS] * 4
    assert reader.time(image(64, struct.pack("<q", FILETIME_TICKS))) == NOON_NS
    pointer = struct.pack("<I", arena.block(struct.pack("<d", 45_000.5)))
    assert reader.time(image(0x4007, pointer)) == NOON_NS
    for bad in (image(3, b"\1"), image(8, struct.pack("<I", arena.bstr("soon"))), image(20, struct.pack("<q", -1))):
        with pytest.raises(ImageError):
            reader.time(bad)


def test_dates_and_texts_may_be_local_and_ticks_never_are(arena: Arena) -> None:
    reader = ImageReader(arena.read, TimeRules(EarlierZone(), is_local=True))
    assert reader.time(image(7, struct.pack("<d", 45_000.5))) == NOON_NS - 3_600_000_000_000
    text = struct.pack("<I", arena.bstr("3/15/2023 12:00:00 PM"))
    assert reader.time(image(8, text)) == NOON_NS - 3_600_000_000_000
    assert reader.time(image(20, struct.pack("<q", FILETIME_TICKS))) == NOON_NS


@pytest.mark.parametrize("padding", [0x00, 0xEE])
def test_every_status_is_taken_and_its_padding_is_not(reader: ImageReader, arena: Arena, padding: int) -> None:
    failed, good = (0, 4, 1, 6), (-1, 0, 0, 0)
    for statuses in ((), (good,), (failed, good)):
        read = reader.statuses(arena.statuses(*statuses, padding=padding))
        assert read == tuple(MxStatus(*status) for status in statuses)


def test_what_is_no_array_of_statuses_is_refused(reader: ImageReader, arena: Arena) -> None:
    with pytest.raises(ImageError, match="MXSTATUS_PROXY"):
        reader.statuses(image(3, b"\1"))
    array = arena.block(struct.pack("<HHIIIIi", 1, 0, 12, 0, 0, 1, 0))
    with pytest.raises(ImageError, match="elements of 12 bytes"):
        reader.statuses(image(0x6024, struct.pack("<I", arena.block(struct.pack("<I", array)))))
    assert reader.statuses(image(0x6024, struct.pack("<I", arena.block(b"\0\0\0\0")))) == ()


@given(st.binary(min_size=16, max_size=16))
def test_no_image_does_more_than_be_refused(raw: bytes) -> None:
    """Whatever the bytes say: a value, or an ImageError. Memory outside of the arena reads as zeros here."""
    reader = ImageReader(lambda address, count: bytes(count), TimeRules(EarlierZone()))
    for read in (reader.variant, reader.time, reader.times, reader.statuses):
        try:
            read(raw)
        except ImageError:
            continue


def test_an_array_without_elements_takes_no_room_however_long_its_other_dimensions_are() -> None:
    """A dimension of 0 beside one of 2,147,483,647: nothing to place, and nothing is counted through."""
    for counts in ((0, 2147483647), (2147483647, 3, 0), (2, 3, 2147483647, 3, 0)):
        assert to_column_major((), counts) == ()
        assert to_row_major((), counts) == ()


@pytest.mark.parametrize("text", [*identity.INTERFACES, identity.CLASS_ID, identity.IUNKNOWN, identity.EVENTS])
def test_guids_lie_in_memory_as_windows_lays_them(text: str) -> None:
    assert identity.guid_bytes(text) == uuid.UUID(text).bytes_le
