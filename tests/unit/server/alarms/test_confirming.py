"""An acknowledgement is confirmed by its own change and no other."""

from __future__ import annotations

import pytest
from tests.unit.server.alarms.alarm_parts import T0, alarm, new_book, report

from mxgateway_server.alarms.confirming import Confirmations, Seen, Wanted
from mxgateway_server.alarms.model import Alarm, Kind, State


def seen_after(start: Alarm, wanted: Wanted, kind: Kind, then: Alarm) -> Seen | None:
    book, confirmations = new_book(), Confirmations()
    book.report(report(Kind.RAISE, start), T0)
    (current,) = book.cut()
    expectation = confirmations.expect(current, wanted)
    for change in book.report(report(kind, then), T0):
        confirmations.changed(change)
    assert len(confirmations) == (expectation.seen is None)
    return expectation.seen


@pytest.mark.parametrize(
    ("start", "wanted", "kind", "then", "seen"),
    [
        (alarm(), Wanted.ACKNOWLEDGED, Kind.ACKNOWLEDGE, alarm(state=State.ACK_ALM), Seen.CONFIRMED),
        (
            alarm(state=State.UNACK_RTN),
            Wanted.ACKNOWLEDGED,
            Kind.ACKNOWLEDGE,
            alarm(state=State.ACK_RTN),
            Seen.CONFIRMED,
        ),
        (alarm(), Wanted.ACKNOWLEDGED, Kind.CLEAR, alarm(state=State.ACK_RTN), Seen.CONFIRMED),
        (alarm(), Wanted.ACKNOWLEDGED, Kind.CLEAR, alarm(state=State.UNACK_RTN), None),
        (alarm(), Wanted.ACKNOWLEDGED, Kind.RETRIGGER, alarm(number=2), None),
        (alarm(), Wanted.ACKNOWLEDGED, Kind.ACKNOWLEDGE, alarm(state=State.ACK_ALM, number=2), Seen.OTHER_OCCURRENCE),
        (alarm(), Wanted.ACKNOWLEDGED, Kind.REMOVE, alarm(), Seen.GONE),
        (alarm(), Wanted.ACKNOWLEDGED, Kind.UPDATE, alarm(priority=7), None),
        (alarm(), Wanted.ACKNOWLEDGED, Kind.ACKNOWLEDGE, alarm(state=State.ACK_ALM, guid=""), Seen.CONFIRMED),
        (alarm(state=State.LATCHED), Wanted.DISMISSED, Kind.DISMISS, alarm(state=State.ACK_RTN), Seen.CONFIRMED),
        (alarm(mode=1), Wanted.SHELVED, Kind.SHELVE, alarm(mode=1, is_shelved=True), Seen.CONFIRMED),
        (alarm(mode=1, is_shelved=True), Wanted.UNSHELVED, Kind.UNSHELVE, alarm(mode=1), Seen.CONFIRMED),
        (alarm(mode=1), Wanted.SHELVED, Kind.ACKNOWLEDGE, alarm(mode=1, state=State.ACK_ALM), None),
    ],
)
def test_case_22_a_wait_ends_with_its_own_change(
    start: Alarm, wanted: Wanted, kind: Kind, then: Alarm, seen: Seen | None
) -> None:
    assert seen_after(start, wanted, kind, then) is seen


def test_a_wait_is_told_once_and_another_alarm_is_none_of_its_business() -> None:
    book, confirmations, told = new_book(), Confirmations(), []
    for name in ("A.A", "B.B"):
        book.report(report(Kind.RAISE, alarm(name)), T0)
    first = confirmations.expect(book.cut()[0], Wanted.ACKNOWLEDGED)
    first.on_seen = lambda: told.append("first")
    for name in ("B.B", "A.A"):
        for change in book.report(report(Kind.ACKNOWLEDGE, alarm(name, State.ACK_ALM)), T0):
            confirmations.changed(change)
    assert told == ["first"]
    confirmations.forget(first)
    assert len(confirmations) == 0
