"""Watchdog, table of pending commands, throttle, globs: small machines without I/O."""

from __future__ import annotations

import fnmatch
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxgateway_server.access.globs import check_glob, matches
from mxgateway_server.access.throttle import MAX_ADDRESSES, MAX_WAIT, RecordLimit, Throttle
from mxgateway_server.errors import PendingLimitError
from mxgateway_server.workers.pending import PendingTable
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


def test_excess_commands_are_refused_and_name_the_setting() -> None:
    table: PendingTable[str] = PendingTable(2)
    table.add("a", "A")
    table.add("b", "B")
    with pytest.raises(PendingLimitError, match="max_pending_commands_per_session"):
        table.add("c", "C")
    assert table.reply("a") == "A"
    table.add("c", "C")


def test_an_abandoned_command_holds_its_place_until_the_worker_answers_it() -> None:
    table: PendingTable[str] = PendingTable(1)
    table.add("a", "A")
    assert table.abandon("a")
    assert not table.abandon("a")
    assert (len(table), table.in_flight) == (0, 1)
    with pytest.raises(PendingLimitError):
        table.add("b", "B")
    assert table.reply("a") is None
    assert (table.late_replies, table.unknown_replies, table.in_flight) == (1, 0, 0)


def test_a_reply_to_nothing_is_counted_apart_from_a_late_one() -> None:
    table: PendingTable[str] = PendingTable(1)
    assert table.reply("x") is None
    assert (table.late_replies, table.unknown_replies) == (0, 1)


def test_draining_takes_the_waiters_and_forgets_the_abandoned() -> None:
    table: PendingTable[str] = PendingTable(3)
    for name in "ab":
        table.add(name, name)
    table.abandon("a")
    assert table.drain() == ["b"]
    assert table.in_flight == 0


def test_failures_beyond_the_allowed_ones_have_to_wait_longer_each_time() -> None:
    throttle = Throttle(3, 5.0)
    for _ in range(2):
        throttle.failed("a", 0.0)
    assert throttle.blocked_for("a", 0.0) == 0.0
    throttle.failed("a", 0.0)
    assert throttle.blocked_for("a", 1.0) == 4.0
    throttle.failed("a", 10.0)
    assert throttle.blocked_for("a", 10.0) == 10.0
    for _ in range(20):
        throttle.failed("a", 10.0)
    assert throttle.blocked_for("a", 10.0) == MAX_WAIT
    assert throttle.blocked_for("b", 10.0) == 0.0


def test_success_and_time_forget_failures() -> None:
    throttle = Throttle(2, 5.0)
    throttle.failed("a", 0.0)
    throttle.succeeded("a")
    throttle.failed("a", 1.0)
    assert throttle.blocked_for("a", 1.0) == 0.0
    throttle.failed("a", 400.0)
    assert throttle.blocked_for("a", 400.0) == 0.0


def test_the_memory_for_failures_is_bounded() -> None:
    throttle = Throttle(1, 5.0)
    for number in range(MAX_ADDRESSES + 100):
        throttle.failed(str(number), 0.0)
    assert len(throttle) == MAX_ADDRESSES


def test_records_of_strangers_are_bounded_by_address_and_in_all_and_the_others_are_counted() -> None:
    limit = RecordLimit(burst=3, per_second=1.0)
    assert [limit.admit("a", 100.0) for _ in range(5)] == [0, 0, 0, None, None]
    assert limit.admit("b", 100.0) == 0
    assert limit.admit("a", 101.0) == 2
    assert limit.admit("a", 101.0) is None
    kept = sum(limit.admit(f"x{number}", 101.0) is not None for number in range(100))
    # Thirty of all together, full again after a second, and one of them was of a.
    assert kept == 29
    assert limit.admit("a", 1000.0) == 1


def test_the_memory_for_records_of_strangers_is_bounded() -> None:
    limit = RecordLimit()
    for number in range(MAX_ADDRESSES + 100):
        limit.admit(str(number), 1.0)
    assert len(limit) == MAX_ADDRESSES


def test_no_throttle_means_none() -> None:
    throttle = Throttle(1, 0.0)
    throttle.failed("a", 0.0)
    assert throttle.blocked_for("a", 0.0) == 0.0


@pytest.mark.parametrize(
    ("glob", "text", "expected"),
    [
        ("Tank*.PV", "tank001.pv", True),
        ("Tank?.PV", "Tank12.PV", False),
        ("*", "", True),
        ("", "x", False),
        ("a[b]c", "a[b]c", True),
        ("a*b*c", "aXbXbYc", True),
        ("a*b*c", "acb", False),
        ("Straße*", "STRASSE.1", True),
    ],
)
def test_globs_match_the_whole_text_without_regard_to_case(glob: str, text: str, expected: bool) -> None:
    assert matches(glob, text) == expected


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=10))
def test_globs_agree_with_the_shells(glob: str, text: str) -> None:
    assert matches(glob, text) == bool(re.match(fnmatch.translate(glob), text))


def test_no_glob_takes_long() -> None:
    began = time.process_time()
    assert not matches("*a" * 100 + "b", "a" * 1000)
    assert time.process_time() - began < 5.0


@pytest.mark.parametrize("glob", ["", "x" * 257, "a\nb"])
def test_odd_globs_are_refused(glob: str) -> None:
    with pytest.raises(ValueError, match="glob"):
        check_glob(glob)
