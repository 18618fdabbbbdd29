"""What the attributes of one alarm mean together, in whatever pieces they come."""

from __future__ import annotations

import pytest

from mxgateway_worker.alarms.attribute_values import Role, Seen, Watched, WatchedAlarm

S = 1_000_000_000
ROLES = (Role.ACTIVE, Role.ACKED, Role.TIME_ON, Role.TIME_OFF, Role.TIME_ACKED)


def watched() -> WatchedAlarm:
    attributes = tuple((role, f"Pump.{role}") for role in ROLES)
    alarm = WatchedAlarm(Watched("Galaxy!Hall.Pump.Trip", "Pump", "Hall", attributes, ""))
    tell(alarm, 1, active=False, acked=True, time_on=0, time_off=0, time_acked=0)
    return alarm


def tell(alarm: WatchedAlarm, at: int, **values: object) -> tuple[str, int] | None:
    """What comes in one batch, at a second; state and start of the alarm after it."""
    for role, value in values.items():
        alarm.seen[role] = Seen(value * S if role.startswith("time") else value, True, at * S)  # type: ignore[operator]
    record = alarm.settle()
    return None if record is None else (record.state, record.raised_ns // S)


@pytest.mark.parametrize("acked_before", [True, False])
def test_an_alarm_that_comes_up_again_before_it_tells_its_start_is_another_occurrence(acked_before: bool) -> None:
    alarm = watched()
    assert tell(alarm, 10, active=True, acked=False, time_on=10) == ("UNACK_ALM", 10)
    first = alarm.record
    if acked_before:
        assert tell(alarm, 12, acked=True, time_acked=12) == ("ACK_ALM", 10)
    returned = "ACK_RTN" if acked_before else "UNACK_RTN"
    assert tell(alarm, 14, active=False, time_off=14) == (returned, 10)
    assert tell(alarm, 30, active=True, acked=False) == ("UNACK_ALM", 30)
    again = alarm.record
    assert first is not None
    assert again is not None
    assert again.guid != first.guid
    # As it is told at last, a little beside the time of the attribute.
    assert tell(alarm, 31, time_on=29) == ("UNACK_ALM", 29)
    assert tell(alarm, 32, active=False, time_off=32) == ("UNACK_RTN", 29)


def test_a_start_that_is_never_told_anew_stands_for_none() -> None:
    """Each time that the alarm comes up has a start of its own, through all that follows."""
    alarm = watched()
    assert tell(alarm, 10, active=True, acked=False, time_on=10) == ("UNACK_ALM", 10)
    assert tell(alarm, 11, active=False) == ("UNACK_RTN", 10)
    assert tell(alarm, 20, active=True) == ("UNACK_ALM", 20)
    assert tell(alarm, 21, acked=True, time_acked=21) == ("ACK_ALM", 20)
    # Acked alone turning false says nothing.
    assert tell(alarm, 22, acked=False) == ("ACK_ALM", 20)
    assert tell(alarm, 23, active=False) == ("ACK_RTN", 20)
    assert tell(alarm, 30, active=True, acked=False) == ("UNACK_ALM", 30)
    assert tell(alarm, 31, active=False) == ("UNACK_RTN", 30)


def test_a_plant_whose_clock_is_set_back_is_believed() -> None:
    alarm = watched()
    assert tell(alarm, 100, active=True, acked=False, time_on=100) == ("UNACK_ALM", 100)
    assert tell(alarm, 110, active=False, time_off=110) == ("UNACK_RTN", 100)
    assert tell(alarm, 50, active=True, time_on=50) == ("UNACK_ALM", 50)
