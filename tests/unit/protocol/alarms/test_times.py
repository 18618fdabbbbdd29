"""Times of alarm records: every order of dates, other languages' words, zones and the hour that comes twice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mxgateway_protocol.alarms.times import RecordClock, TimeFormatError, local_texts
from mxgateway_protocol.alarms.zones import zone_offset

LATER = 1_900_000_000 * 10**9


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("order", "date", "clock", "expected"),
    [
        ("mdy", "4/26/2026", "1:02:03 PM", "2026-04-26T13:02:03"),
        ("mdy", "04/26/26", "12:00:00 AM", "2026-04-26T00:00:00"),
        ("dmy", "26.04.2026", "13:02:03", "2026-04-26T13:02:03"),
        ("dmy", "26-4-26.", "9.05.07", "2026-04-26T09:05:07"),
        ("ymd", "2026-04-26", "13:02", "2026-04-26T13:02:00"),
        ("mdy", "2026/4/26", "下午 1:02:03", "2026-04-26T13:02:03"),
        ("dmy", "26/04/2026", "1:02:03 nachm.", "2026-04-26T13:02:03"),
        ("ymd", "2026-04-26", "오후 12:30:00", "2026-04-26T12:30:00"),
    ],
)
def test_dates_and_times_of_many_places(order: str, date: str, clock: str, expected: str) -> None:
    """h.29"""
    assert RecordClock(zone_offset("UTC"), order).read(date, clock, LATER) == ns(expected)


def test_fractions_are_kept_to_a_tenth_of_a_millisecond() -> None:
    clock = RecordClock(zone_offset("UTC"), "mdy")
    assert clock.read("4/26/2026", "1:02:03.4567", LATER) == ns("2026-04-26T01:02:03") + 456_700_000
    assert clock.read("4/26/2026", "1:02:03,5", LATER) == ns("2026-04-26T01:02:03") + 500_000_000


@pytest.mark.parametrize(
    ("dates", "order"),
    [
        (["3/4/2026", "3/25/2026"], "mdy"),
        (["3/4/2026", "25/3/2026"], "dmy"),
        (["2026/3/4"], "ymd"),
        (["3/4/2026"], ""),
        # Read the other way it would be months ahead of the clock.
        (["11/05/2026"], "dmy"),
        (["05/11/2026"], "mdy"),
    ],
)
def test_the_order_is_found_out_from_what_tells(dates: list[str], order: str) -> None:
    """A date that can be read in one way only, or in one that is not still to come."""
    clock = RecordClock(zone_offset("UTC"))
    clock.settle(dates, ns("2026-06-01T12:00:00"))
    assert clock.order == order


def test_the_order_never_flips() -> None:
    clock = RecordClock(zone_offset("UTC"))
    clock.settle(["25/3/2026"], LATER)
    clock.settle(["3/25/2026"], LATER)
    assert clock.order == "dmy"
    with pytest.raises(TimeFormatError):
        clock.read("3/25/2026", "1:00", LATER)


@pytest.mark.parametrize("date", ["", "yesterday", "13/13/2026", "0/0/0", "2026", "31/2/2026"])
def test_what_is_no_date(date: str) -> None:
    with pytest.raises(TimeFormatError):
        RecordClock(zone_offset("UTC"), "dmy").read(date, "1:00", LATER)


@pytest.mark.parametrize("clock", ["", "noon", "25:00", "1:60", "1:00 xm", "下午"])
def test_what_is_no_time(clock: str) -> None:
    with pytest.raises(TimeFormatError):
        RecordClock(zone_offset("UTC"), "mdy").read("1/2/2026", clock, LATER)


def test_the_hour_that_comes_twice_is_the_later_one_unless_that_is_to_come() -> None:
    """h.29 In Berlin 2:30 comes at 0:30 UTC, and an hour later again."""
    clock = RecordClock(zone_offset("Europe/Berlin"), "dmy")
    first, second = ns("2026-10-25T00:30:00"), ns("2026-10-25T01:30:00")
    assert clock.read("25/10/2026", "2:30:00", second + 10**9) == second
    assert clock.read("25/10/2026", "2:30:00", first + 10**9) == first
    assert clock.read("25/10/2026", "3:30:00", second + 10**9) == ns("2026-10-25T02:30:00")


def test_an_hour_that_is_left_out_is_read_all_the_same() -> None:
    clock = RecordClock(zone_offset("Europe/Berlin"), "dmy")
    assert abs(clock.read("29/3/2026", "2:30:00", LATER) - ns("2026-03-29T01:00:00")) <= 3600 * 10**9


def test_an_unknown_zone_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"no time zone 'Europe/Atlantis'.*Europe/Berlin"):
        zone_offset("Europe/Atlantis")


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", ""])
@pytest.mark.parametrize("order", ["mdy", "dmy", "ymd"])
def test_what_is_written_is_read_back(zone: str, order: str) -> None:
    """Every three hours of a year, and around the changes of the clock."""
    offset = zone_offset(zone)
    clock = RecordClock(offset, order)
    for hour in range(0, 366 * 24, 37):
        at = ns("2026-01-01T00:00:00") + hour * 3600 * 10**9 + 123_400_000
        date, text = local_texts(at, offset, order)
        assert clock.read(date, text, at + 1) == at
