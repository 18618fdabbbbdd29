"""The list with which the alarm manager speaks again when its answer is cut."""

from __future__ import annotations

from tests.unit.worker.alarms.alarm_session import record

from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_worker.alarms.handover import handed_over

SECOND = 10**9


def by_key(*records: AlarmRecord) -> dict[str, AlarmRecord]:
    return {each.key: each for each in records}


def derived(name: str, state: str = "UNACK_ALM", **fields: object) -> AlarmRecord:
    """As the attributes tell it."""
    return record(name, state, guid=f"made of {name}", is_guid_derived=True, **fields)


def test_each_alarm_is_as_whoever_knows_it_best_says() -> None:
    answered, same, cleared = record("Answered"), record("Same"), record("Cleared")
    again = record("Again", raised_ns=10**18 - 60 * SECOND, changed_ns=10**18 - 60 * SECOND)
    over, unwatched = record("Over"), record("Unwatched")
    manager = by_key(answered, same, cleared, again, over, unwatched)
    later = derived("Cleared", "UNACK_RTN", changed_ns=10**18 + SECOND)
    attributes = by_key(derived("Answered", "ACK_ALM"), derived("Same"), later, derived("Again"), derived("New"))
    found = handed_over(manager, {answered.key}, attributes, lambda key: key != unwatched.key)
    assert found == by_key(answered, same, later, derived("Again"), derived("New"), unwatched)
