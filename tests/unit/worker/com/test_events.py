"""Events out of the bytes that IDispatch::Invoke gets."""

from __future__ import annotations

import ctypes
import logging
import mmap
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.com_apartment import GOOD, date, integer
from tests.support.com_memory import NOON_NS, Arena, EarlierZone
from tests.support.told import Told

from mxgateway_contract.status import MxStatus
from mxgateway_protocol.backend import Sample
from mxgateway_protocol.variants import DataType, Variant
from mxgateway_worker.backends.com import winapi
from mxgateway_worker.backends.com.events import EventReader
from mxgateway_worker.backends.com.identity import BUFFERED_EVENTS, EVENTS
from mxgateway_worker.backends.com.images import ImageReader, looks_by
from mxgateway_worker.backends.com.times import TimeRules

FAILED = (0, 4, 1, 6)


class Source:
    def __init__(self) -> None:
        self.arena = Arena()
        self.told = Told()
        images = ImageReader(self.arena.read, TimeRules(EarlierZone()))
        self.reader = EventReader(self.told, images, self.arena.read)

    def change(
        self, value: bytes, quality: int = 192, time: bytes = date(45_000.5), *statuses: tuple[int, ...]
    ) -> None:
        told = self.arena.statuses(*(statuses or (GOOD,)))  # type: ignore[arg-type]
        self.reader.deliver(EVENTS, 1, told + time + integer(quality) + value + integer(22) + integer(11))


@pytest.fixture
def source() -> Source:
    return Source()


def test_a_data_change_has_its_parameters_in_reverse(source: Source) -> None:
    source.change(struct.pack("<H6xd", 5, 2.5), 64)
    good = MxStatus(*GOOD)
    assert source.told.changes == [(11, 22, Variant(5, 2.5, DataType.DOUBLE), 64, NOON_NS, (good,))]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (integer(-7), Variant(3, -7, DataType.INTEGER)),
        (struct.pack("<H6xh6x", 11, -1), Variant(11, True, DataType.BOOLEAN)),
        (struct.pack("<H6xf4x", 4, 0.5), Variant(4, 0.5, DataType.FLOAT)),
        (struct.pack("<H14x", 0), Variant(0, None, DataType.NO_DATA)),
    ],
)
def test_values_of_every_way_through_are_the_same(source: Source, value: bytes, expected: Variant) -> None:
    source.change(value)
    pointer = struct.pack("<H6xI4x", 0x400C, source.arena.block(value))
    source.change(pointer)
    assert [change[2] for change in source.told.changes] == [expected, expected]


def test_times_of_one_after_the_other_are_each_their_own(source: Source) -> None:
    """The last time is kept; one that cannot be read is not taken for the next."""
    days = (45_000.5, 45_000.5, 45_001.5, 1e9, 45_001.5, float("nan"), float("nan"), 45_000.5)
    for one in days:
        source.change(integer(1), 192, date(one))
    day = 86_400_000_000_000
    expected = [NOON_NS, NOON_NS, NOON_NS + day, 0, NOON_NS + day, 0, 0, NOON_NS]
    assert [change[4] for change in source.told.changes] == expected
    assert source.reader.unreadable == 3


def test_structures_are_looked_at_in_place_as_they_are_by_a_copy() -> None:
    """On real memory of this process, below and above the half that is looked at in place."""
    form = struct.Struct("<hxxiih")
    kept = ctypes.create_string_buffer(struct.pack("<hxxiihxx", -1, 4, -2, 6))
    address = ctypes.addressof(kept)
    expected = (-1, 4, -2, 6)
    assert winapi.look_at(form)(address) == looks_by(ctypes.string_at)(form)(address) == expected
    if sys.platform == "linux":
        # A worker's own memory lies low; that of a 64-bit Python does not, unless it asks for it (MAP_32BIT).
        low = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40)
        view = (ctypes.c_char * mmap.PAGESIZE).from_buffer(low)
        low[:16] = kept.raw[:16]
        assert winapi.look_at(form)(ctypes.addressof(view)) == expected
        del view
        low.close()


@pytest.mark.parametrize("beyond", [1, 15, 16])
def test_a_structure_that_reaches_into_the_upper_half_is_copied(monkeypatch: pytest.MonkeyPatch, beyond: int) -> None:
    copied: list[tuple[int, int]] = []

    def copy(address: int, size: int) -> bytes:
        copied.append((address, size))
        return struct.pack("<QQ", 7, 9)

    monkeypatch.setattr(winapi, "memory", copy)
    address = 0x7FFF_FFFF - 16 + beyond
    assert winapi.look_at(struct.Struct("<QQ"))(address) == (7, 9)
    assert copied == [(address, 16)]


def test_only_so_many_statuses_are_kept_and_all_are_told(source: Source) -> None:
    """A plant that numbers its details must not fill the worker's memory."""
    for detail in range(300):
        source.change(integer(1), 192, date(1), (0, 4, 1, detail))
    assert [change[5][0].detail for change in source.told.changes] == list(range(300))
    assert len(source.reader._statuses) == 256


def test_outcomes_come_by_their_number(source: Source) -> None:
    for dispid in (2, 3):
        source.reader.deliver(EVENTS, dispid, source.arena.statuses(FAILED) + integer(2) + integer(1))
    assert (source.told.writes, source.told.operations) == ([(1, 2, (MxStatus(*FAILED),))],) * 2


@pytest.mark.parametrize("statuses", [(), (GOOD, FAILED), (FAILED, GOOD, GOOD)])
def test_all_statuses_are_told_however_many(source: Source, statuses: tuple[tuple[int, ...], ...]) -> None:
    told = source.arena.statuses(*statuses)  # type: ignore[arg-type]
    source.reader.deliver(EVENTS, 1, told + date(1) + integer(0) + integer(5) + integer(2) + integer(1))
    assert source.told.changes[0][5] == tuple(MxStatus(*status) for status in statuses)


def test_statuses_that_differ_in_padding_only_are_one_and_others_are_not(source: Source) -> None:
    """The table of known statuses goes by the 14 defined bytes: never by what lies between them."""
    for padding, status in ((0x00, GOOD), (0xEE, GOOD), (0x00, FAILED), (0xEE, (-1, 0, 5, 0)), (0x11, (0, 4, 1, 7))):
        told = source.arena.statuses(status, padding=padding)
        source.reader.deliver(EVENTS, 2, told + integer(2) + integer(1))
    assert [write[2][0] for write in source.told.writes] == [  # type: ignore[index]
        MxStatus(*GOOD), MxStatus(*GOOD), MxStatus(*FAILED), MxStatus(-1, 0, 5, 0), MxStatus(0, 4, 1, 7)
    ]  # fmt: skip
    # One entry for both, or the table would fill up with what lies in the padding.
    assert source.told.writes[0][2] is source.told.writes[1][2]


def test_handles_and_quality_have_a_sign(source: Source) -> None:
    """Nobody says that LMXProxy counts from 1."""
    told = source.arena.statuses(GOOD) + date(1) + integer(-3) + integer(-4) + integer(-2) + integer(-1)
    source.reader.deliver(EVENTS, 1, told)
    (change,) = source.told.changes
    assert (change[0], change[1], change[2], change[3]) == (-1, -2, Variant(3, -4, DataType.INTEGER), -3)


def test_unknown_events_are_passed_over_and_wrong_counts_refused(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    source.reader.deliver(EVENTS, 9, b"")
    source.reader.deliver("{other}", 1, b"")
    assert source.reader.unreadable == 0
    source.reader.deliver(EVENTS, 1, integer(1) * 5)
    assert source.reader.unreadable == 1
    assert "5 parameters where 6 are due" in caplog.text
    assert source.told.changes == []


def test_a_value_that_cannot_be_read_is_told_as_none(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    """The item does not fall silent: quality, time and status are as they came."""
    source.change(struct.pack("<H6xI4x", 0x4003, 0), 192)
    assert source.told.changes[0][2:4] == (Variant(0x4003, None), 192)
    source.change(integer(1), 192, integer(1))
    assert source.told.changes[1][4] == 0
    assert source.reader.unreadable == 2


def test_handles_of_another_type_drop_the_event(source: Source) -> None:
    statuses = source.arena.statuses(GOOD)
    source.reader.deliver(EVENTS, 1, statuses + date(1) + integer(1) + integer(1) + date(2) + integer(1))
    source.reader.deliver(EVENTS, 2, statuses + integer(1) + date(2))
    assert (source.told.changes, source.told.writes, source.reader.unreadable) == ([], [], 2)


def test_ten_thousand_unreadable_events_make_eleven_lines(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        for _ in range(10_000):
            source.reader.deliver(EVENTS, 2, b"")
    assert len(caplog.records) == 11


class Buffered:
    def __init__(self, source: Source) -> None:
        self.source = source

    def array(self, vartype: int, elements: bytes, count: int) -> bytes:
        array, data = self.source.arena.array(vartype, (count,))
        self.source.arena.store(data, elements)
        return struct.pack("<H6xI4x", 0x2000 | vartype, array)

    def deliver(self, value: bytes, quality: bytes, time: bytes) -> None:
        statuses = self.source.arena.statuses(GOOD)
        parameters = statuses + time + quality + value + integer(4) + integer(2) + integer(1)
        self.source.reader.deliver(BUFFERED_EVENTS, 1, parameters)


@pytest.fixture
def buffered(source: Source) -> Buffered:
    return Buffered(source)


def test_buffered_values_come_as_parallel_arrays(source: Source, buffered: Buffered) -> None:
    values = buffered.array(5, struct.pack("<2d", 1.5, 2.5), 2)
    qualities = buffered.array(3, struct.pack("<2i", 192, 0), 2)
    times = buffered.array(7, struct.pack("<2d", 45_000.5, 45_001.5), 2)
    buffered.deliver(values, qualities, times)
    day = 86_400 * 10**9
    assert source.told.buffered == [
        (1, 2, 4, [Sample(Variant(5, 1.5, 4), 192, NOON_NS), Sample(Variant(5, 2.5, 4), 0, NOON_NS + day)],
         (MxStatus(*GOOD),))
    ]  # fmt: skip


def test_times_as_ticks_are_ticks_in_an_array_too(source: Source, buffered: Buffered) -> None:
    ticks = struct.pack("<q", NOON_NS // 100 + 116_444_736_000_000_000)
    buffered.deliver(buffered.array(5, struct.pack("<d", 1.5), 1), integer(192), buffered.array(20, ticks, 1))
    assert source.told.buffered[0][3] == [Sample(Variant(5, 1.5, 4), 192, NOON_NS)]


def test_one_sample_may_come_as_scalars_and_be_an_array_itself(source: Source, buffered: Buffered) -> None:
    buffered.deliver(struct.pack("<H6xd", 5, 1.5), integer(192), date(45_000.5))
    whole = buffered.array(5, struct.pack("<2d", 1.5, 2.5), 2)
    buffered.deliver(whole, integer(192), date(45_000.5))
    assert [event[3] for event in source.told.buffered] == [
        [Sample(Variant(5, 1.5, 4), 192, NOON_NS)],
        [Sample(Variant(0x2005, (1.5, 2.5), 4), 192, NOON_NS)],
    ]


def test_arrays_of_different_lengths_are_refused(source: Source, buffered: Buffered) -> None:
    values = buffered.array(5, struct.pack("<2d", 1.5, 2.5), 2)
    buffered.deliver(values, integer(192), buffered.array(7, struct.pack("<d", 45_000.5), 1))
    assert source.told.buffered == []
    assert source.reader.unreadable == 1


@given(st.sampled_from([(EVENTS, 1), (EVENTS, 2), (EVENTS, 3), (BUFFERED_EVENTS, 1)]), st.binary(max_size=128))
def test_no_bytes_get_an_exception_out(event: tuple[str, int], arguments: bytes) -> None:
    """LMXProxy would get it; the reader answers for all bytes, and memory that reads as zeros."""

    def memory(address: int, count: int) -> bytes:
        return bytes(count)

    EventReader(Told(), ImageReader(memory, TimeRules(EarlierZone())), memory).deliver(*event, arguments)
