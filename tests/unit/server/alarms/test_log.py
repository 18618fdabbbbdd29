"""The log keeps the newest changes within its bounds, by number and without holes."""

from __future__ import annotations

from tests.unit.server.alarms.alarm_parts import EPOCH, alarm

from mxgateway_server.alarms.log import ChangeLog, LogLimits
from mxgateway_server.alarms.model import Change, Kind, Origin


def change(sequence: int, text: str = "") -> Change:
    return Change(sequence, Kind.UPDATE, Origin.LIVE, alarm(description=text), None, True)


def filled(limits: LogLimits, count: int, last: int = 0, text: str = "") -> ChangeLog:
    log = ChangeLog(limits, EPOCH, last)
    for number in range(last + 1, last + count + 1):
        log.append(change(number, text))
    return log


def test_it_begins_after_the_last_change_of_the_run_before() -> None:
    log = ChangeLog(LogLimits(), EPOCH, last=7)
    assert (log.newest, log.oldest, len(log)) == (7, 8, 0)
    assert log.after(7, 100) == []


def test_the_oldest_go_beyond_the_number_and_what_is_kept_stays_in_order() -> None:
    for count in (1, 99, 100, 101, 2500, 5000):
        log = filled(LogLimits(changes=100), count, last=3)
        assert (log.newest, len(log)) == (count + 3, min(count, 100))
        assert [each.sequence for each in log.after(log.oldest - 1, 1000)] == list(range(log.oldest, log.newest + 1))
    log = filled(LogLimits(changes=10_000), 5000)
    assert [each.sequence for each in log.after(4990, 4)] == [4991, 4992, 4993, 4994]
    # Nothing is left behind when it grows.
    assert [each.sequence for each in log.after(0, 10_000)] == list(range(1, 5001))


def test_the_oldest_go_beyond_the_size_and_one_stays() -> None:
    limits = LogLimits(changes=1000, max_bytes=20_000)
    log = filled(limits, 500, text="x" * 500)
    assert 0 < log.kept_bytes <= 20_000
    assert 10 < len(log) < 40
    assert len(filled(LogLimits(max_bytes=10), 5)) == 1
