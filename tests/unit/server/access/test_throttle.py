"""Who fails too often waits; what is remembered of strangers is bounded."""

from __future__ import annotations

from mxgateway_server.access.throttle import MAX_ADDRESSES, MAX_WAIT, RecordLimit, Throttle


def test_failures_beyond_the_allowed_ones_have_to_wait_longer_each_time() -> None:
    throttle = Throttle(3, 5.0)
    for _ in range(2):
        throttle.failed("a", "", 0.0)
    assert throttle.blocked_for("a", "", 0.0) == 0.0
    throttle.failed("a", "", 0.0)
    assert throttle.blocked_for("a", "", 1.0) == 4.0
    throttle.failed("a", "", 10.0)
    assert throttle.blocked_for("a", "", 10.0) == 10.0
    for _ in range(20):
        throttle.failed("a", "", 10.0)
    assert throttle.blocked_for("a", "", 10.0) == MAX_WAIT
    assert throttle.blocked_for("b", "", 10.0) == 0.0


def test_success_and_time_forget_failures() -> None:
    throttle = Throttle(2, 5.0)
    throttle.failed("a", "", 0.0)
    throttle.succeeded("a", "")
    throttle.failed("a", "", 1.0)
    assert throttle.blocked_for("a", "", 1.0) == 0.0
    throttle.failed("a", "", 400.0)
    assert throttle.blocked_for("a", "", 400.0) == 0.0


def test_the_memory_for_failures_is_bounded() -> None:
    throttle = Throttle(1, 5.0)
    for number in range(MAX_ADDRESSES + 100):
        throttle.failed(str(number), "", 0.0)
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
    throttle.failed("a", "", 0.0)
    assert throttle.blocked_for("a", "", 0.0) == 0.0


def test_whoever_waits_is_not_forgotten_for_names_that_others_make_up() -> None:
    throttle = Throttle(2, 5.0)
    for _ in range(3):
        throttle.failed("attacker", "", 0.0)
    for number in range(MAX_ADDRESSES + 100):
        throttle.failed(f"10.0.{number // 256}.{number % 256}", "", 0.0)
    assert throttle.blocked_for("attacker", "", 0.0) > 0


def test_guesses_at_one_id_from_everywhere_make_guessers_wait_and_nobody_else() -> None:
    throttle = Throttle(3, 5.0)
    for number in range(30):
        throttle.failed(f"10.0.0.{number}", "line4", 0.0)
    throttle.failed("10.0.1.1", "line4", 0.0)
    assert throttle.blocked_for("10.0.1.1", "line4", 0.0) > 0
    assert throttle.blocked_for("10.9.9.9", "line4", 0.0) == 0.0
    assert throttle.blocked_for("10.0.1.1", "line5", 0.0) == 0.0


def test_one_machine_is_one_address_whatever_it_takes_of_its_network() -> None:
    throttle = Throttle(2, 5.0)
    throttle.failed("2001:db8:1:2::1", "", 0.0)
    throttle.failed("2001:db8:1:2:ffff::9", "", 0.0)
    assert throttle.blocked_for("2001:db8:1:2::77", "", 0.0) > 0
    assert throttle.blocked_for("2001:db8:1:3::1", "", 0.0) == 0.0
    throttle.failed("10.0.0.1", "", 0.0)
    assert throttle.blocked_for("10.0.0.2", "", 0.0) == 0.0
