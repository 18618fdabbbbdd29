"""From pictures to frames: rates over real time, gaps that are no spikes, and what wants attention."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mxgateway_server.dashboard.attention import AttentionRules, attention
from mxgateway_server.dashboard.sampler import Process, Sampler
from mxgateway_server.health.readiness import HealthStatus
from mxgateway_server.sessions.history import RecentFault
from mxgateway_server.sessions.picture import EventStreamStatus, SessionStatus, WorkerStatus
from mxgateway_server.status import (
    AuditStatus,
    GalaxyStatus,
    GatewayStatus,
    SessionTotals,
    WorkersStatus,
)

RULES = AttentionRules(heartbeat_seconds=5.0)


def made(kind: type, **known: Any) -> Any:
    """One picture's part, with nothing in what is not said."""
    defaults = {"int": 0, "float": 0.0, "str": "", "bool": True}
    values = {name: defaults.get(str(annotation)) for name, annotation in kind.__annotations__.items()}
    return kind(**{**values, **known})


def session(**known: Any) -> SessionStatus:
    return made(
        SessionStatus, **{"session_id": "s1", "state": "ready", "lease_seconds": 1800.0, "event_streams": (), **known}
    )


def picture(*sessions: SessionStatus, **known: Any) -> GatewayStatus:
    return made(
        GatewayStatus,
        **{
            "is_stopping": False,
            "health": HealthStatus(readiness="ready", checks=()),
            "sessions": sessions,
            "session_totals": made(SessionTotals),
            "workers": made(WorkersStatus),
            "galaxy": made(GalaxyStatus),
            "audit": made(AuditStatus),
            "streams": (),
            "spare_workers": (),
            "ended_sessions": (),
            "faults": (),
            **known,
        },
    )


def test_rates_are_over_the_time_that_passed() -> None:
    sampler = Sampler(RULES)
    first = sampler.take(picture(session(events_received=100, commands_started=10)), Process(cpu_seconds=1.0), 10.0)
    assert (first["rates"]["eventsIn"], first["process"]["cpu"]) == (0, None)
    second = sampler.take(picture(session(events_received=300, commands_started=15)), Process(cpu_seconds=1.5), 12.0)
    assert (second["n"], second["rates"]["eventsIn"], second["rates"]["commands"]) == (2, 100.0, 2.5)
    assert second["process"]["cpu"] == 0.25
    assert json.loads(json.dumps(second, allow_nan=False)) == second


def test_a_stall_is_a_gap_and_no_spike() -> None:
    sampler = Sampler(RULES)
    sampler.take(picture(session(events_received=0)), Process(), 0.0)
    sampler.take(picture(session(events_received=10)), Process(), 1.0)
    late = sampler.take(picture(session(events_received=60_000)), Process(), 61.0)
    assert late["rates"]["eventsIn"] == 0
    sampler.take(picture(session(events_received=60_010)), Process(), 62.0)
    assert sampler.history("5m")["series"]["eventsIn"] == [10.0, *[None] * 59, 10.0]
    assert sampler.session_history("s1")["events"] == [10.0, 10.0]


def test_what_is_over_is_forgotten_and_no_span_is_made_up() -> None:
    sampler = Sampler(RULES)
    for second in range(3):
        sampler.take(picture(session(session_id=f"s{second}")), Process(), float(second))
    assert (sampler.session_history("s0"), list(sampler.session_history("s2"))) != ({}, [])
    with pytest.raises(KeyError):
        sampler.history("1y")


def test_times_and_numbers_fit_a_browser() -> None:
    fault = made(RecentFault, at_ns=1_700_000_000_123_456_789, session_id="s1", reason="WORKER_HUNG")
    frame = Sampler(RULES).take(picture(session(opened_ns=1_700_000_000_000_000_000), faults=(fault,)), Process(), 0.0)
    assert frame["faults"][0]["at"] == 1_700_000_000_123
    assert frame["sessions"][0]["opened"] == 1_700_000_000_000
    assert all(abs(number) < 2**53 for number in _numbers(frame))


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for each in value.values() for number in _numbers(each)]
    if isinstance(value, list):
        return [number for each in value for number in _numbers(each)]
    return [value] if isinstance(value, int | float) else []


@pytest.mark.parametrize(
    ("known", "dropped", "words"),
    [
        ({}, 0.0, None),
        ({"fault": "WORKER_HUNG"}, 0.0, "faulted: WORKER_HUNG"),
        ({}, 1.0, "drops events"),
        ({"event_streams": (made(EventStreamStatus, capacity=100, waiting_events=51),)}, 0.0, "backlog: 51 of 100"),
        ({"event_streams": (made(EventStreamStatus, capacity=100, waiting_events=50),)}, 0.0, None),
        ({"worker": made(WorkerStatus, heartbeat_age_seconds=13.0)}, 0.0, "said nothing for 13 s"),
        ({"worker": made(WorkerStatus, call_age_seconds=11.0)}, 0.0, "a call has been running for 11 s"),
        ({"lease_seconds": 60.0}, 0.0, "its lease ends in 60 s"),
        ({"lease_seconds": 60.0, "attached_streams": 1}, 0.0, None),
    ],
)
def test_what_wants_attention_says_why(known: dict[str, Any], dropped: float, words: str | None) -> None:
    found = attention(session(**known), RULES, dropped=dropped)
    assert (found == []) if words is None else (words in "; ".join(found))


def test_a_wall_clock_that_steps_moves_no_rate() -> None:
    """An hour forth and back, as at the change to summer time or when a clock is set."""
    sampler, hour = Sampler(RULES), 3600 * 1_000_000_000
    for second, step in enumerate((0, hour, 0, -hour, 0)):
        taken = 1_700_000_000 * 1_000_000_000 + second * 1_000_000_000 + step
        frame = sampler.take(picture(session(events_received=100 * second), taken_ns=taken), Process(), 10.0 + second)
        assert frame["at"] == taken // 1_000_000, "what is shown is the clock's"
        assert frame["rates"]["eventsIn"] == (100.0 if second else 0.0)
    assert sampler.history("5m")["series"]["eventsIn"][-4:] == [100.0] * 4
