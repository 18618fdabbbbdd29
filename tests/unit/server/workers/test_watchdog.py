"""When a silent worker counts as hung."""

from __future__ import annotations

import pytest

from mxgateway_server.workers.watchdog import StallGuard, Watchdog, WatchdogLimits

LIMITS = WatchdogLimits(grace=15.0, stuck_ceiling=75.0)


@pytest.mark.parametrize(
    ("silence", "in_flight", "hangs"),
    [(15.0, 0, False), (15.1, 0, True), (15.1, 1, False), (75.0, 1, False), (75.1, 1, True)],
)
def test_silence_is_forgiven_for_the_grace_and_longer_while_a_command_runs(
    silence: float, in_flight: int, hangs: bool
) -> None:
    verdict = Watchdog(LIMITS, 100.0).verdict(100.0 + silence, in_flight)
    assert (verdict is not None) == hangs


def test_a_call_beyond_the_ceiling_counts_as_hung_although_heartbeats_come() -> None:
    watchdog = Watchdog(LIMITS, 0.0)
    watchdog.heartbeat(70.0, 70.0)
    assert watchdog.verdict(74.0, 1) is None
    watchdog.heartbeat(76.0, 76.0)
    assert "one call" in (watchdog.verdict(76.0, 1) or "")


def test_an_old_call_that_has_ended_does_not_count() -> None:
    watchdog = Watchdog(LIMITS, 0.0)
    watchdog.heartbeat(70.0, 70.0)
    watchdog.heartbeat(71.0, None)
    assert watchdog.verdict(80.0, 1) is None


def test_the_age_of_a_call_that_was_answered_since_the_heartbeat_does_not_count() -> None:
    watchdog = Watchdog(LIMITS, 0.0)
    watchdog.heartbeat(10.0, 90.0)
    assert watchdog.verdict(10.0, 1) is not None
    assert watchdog.verdict(10.0, 0) is None


def test_anything_from_the_worker_is_a_sign_of_life() -> None:
    watchdog = Watchdog(LIMITS, 0.0)
    watchdog.seen(100.0)
    assert watchdog.verdict(114.0, 0) is None


def test_nobody_is_judged_for_a_while_after_the_gateway_itself_stood_still() -> None:
    guard = StallGuard(period=1.0, allowance=10.0, now=100.0)
    assert guard.may_judge(101.0)
    assert guard.may_judge(102.9)
    assert not guard.may_judge(130.0)
    assert not any(guard.may_judge(130.0 + second) for second in range(1, 10))
    assert guard.may_judge(140.0)
