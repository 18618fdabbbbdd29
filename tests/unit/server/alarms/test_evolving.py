"""The short way of an ordinary report says what the long way of all reports does."""

from __future__ import annotations

import random
from typing import Any

from tests.unit.server.alarms.alarm_parts import SECOND, T0, alarm, guid, report, source

from mxgateway_server.alarms.evolving import ordinary_step, reported
from mxgateway_server.alarms.model import Alarm, Kind, Mode, Origin, State

SOURCES = (source("Tank.Hi"), source("Tank.Hi"), source("Tank.Hi", alarm_class="VALUE"))
VALUES: dict[str, tuple[Any, ...]] = {
    "source": SOURCES,
    "guid": (guid(1), guid(2), ""),
    "is_guid_derived": (False, True),
    "former_guids": ((), (guid(3),), (guid(1),)),
    "priority": (500, 100),
    **dict.fromkeys(("raised_ns", "changed_ns"), (T0, T0 + SECOND, T0 + 90 * SECOND, 0)),
    **dict.fromkeys(("acknowledged_ns", "cleared_ns", "shelved_until_ns"), (0, T0 + 7 * SECOND)),
    **{f"operator_{name}": ("", "anna") for name in ("user", "node", "domain", "full_name")},
    **dict.fromkeys(("comment", "description", "shelve_user", "shelve_node", "shelve_reason"), ("", "seen")),
    **dict.fromkeys(("value", "limit"), (b"", b"\x08\x01")),
    "mode": (Mode.ENABLED, Mode.UNKNOWN, Mode.SILENCED),
    **dict.fromkeys(("is_shelved", "is_degraded", "is_uncertain"), (False, True)),
    "raw_state": ("", "WOBBLY"),
}


def odd(chance: random.Random, oddities: int, state: State) -> Alarm:
    """An alarm that is the usual one but for some of its facts."""
    names = chance.sample(sorted(VALUES), oddities)
    return alarm(
        state=state,
        **{"source": SOURCES[0], "mode": Mode.ENABLED, **{name: chance.choice(VALUES[name]) for name in names}},
    )


def test_an_ordinary_report_is_one_step_and_the_same_as_by_the_long_way() -> None:
    chance, ordinary = random.Random(36), 0
    for number in range(40_000):
        oddities = chance.choice((0, 1, 2, 6))
        listed = chance.choice([state for state in State if state.is_listed])
        current = None if number % 10 == 0 else odd(chance, oddities, listed)
        told = report(
            chance.choice(list(Kind)), odd(chance, oddities, chance.choice(list(State))), chance.choice(list(Origin))
        )
        step = ordinary_step(current, told)
        if step is None:
            continue
        ordinary += 1
        found = reported(current, told)
        assert [(each.kind, each.origin, each.is_listed) for each in found.drafts] == [(step[0], told.origin, step[1])]
        assert found.drafts[0].alarm is told.alarm
        assert found.alarm is (told.alarm if step[1] else None)
        assert not found.is_stale
    assert ordinary > 2000


def test_the_steps_of_an_alarms_life_are_ordinary() -> None:
    raised = alarm()
    acked = alarm(state=State.ACK_ALM, acknowledged_ns=T0, operator_user="anna", comment="seen")
    gone = acked.having(state=State.ACK_RTN, cleared_ns=T0 + SECOND)
    owed = alarm(state=State.UNACK_RTN, cleared_ns=T0)
    assert ordinary_step(None, report(Kind.RAISE, raised)) == (Kind.RAISE, True)
    assert ordinary_step(raised, report(Kind.ACKNOWLEDGE, acked)) is None  # of another source
    acked.source = gone.source = owed.source = raised.source
    assert ordinary_step(raised, report(Kind.ACKNOWLEDGE, acked)) == (Kind.ACKNOWLEDGE, True)
    assert ordinary_step(acked, report(Kind.CLEAR, gone)) == (Kind.CLEAR, False)
    assert ordinary_step(raised, report(Kind.CLEAR, owed)) == (Kind.CLEAR, True)
    assert ordinary_step(owed, report(Kind.ACKNOWLEDGE, gone)) == (Kind.ACKNOWLEDGE, False)
    assert ordinary_step(acked, report(Kind.CLEAR, alarm(state=State.ACK_RTN, source=raised.source))) is None
