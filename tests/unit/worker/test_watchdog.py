"""The worker's watchdog."""

from __future__ import annotations

from mxgateway_worker.watchdog import Watchdog


def test_an_idle_executor_without_activity_is_reported_once() -> None:
    """Beyond the grace the reason comes once; after a recovery it may come again."""
    watchdog = Watchdog(15, 75)
    assert watchdog.check(15.0, 0.0, None) is None
    reason = watchdog.check(15.1, 0.0, None)
    assert reason is not None
    assert "15.1 s" in reason
    assert watchdog.check(20.0, 0.0, None) is None
    assert watchdog.check(21.0, 20.5, None) is None
    assert watchdog.check(30.0, 20.5, None) is None
    assert watchdog.check(40.0, 20.5, None) is not None


def test_a_running_command_is_given_time_up_to_the_ceiling() -> None:
    """While a command runs the grace does not count, but the ceiling does."""
    watchdog = Watchdog(15, 75)
    assert watchdog.check(74.0, 0.0, 0.0) is None
    reason = watchdog.check(75.1, 0.0, 0.0)
    assert reason is not None
    assert "command" in reason


def test_a_process_that_was_frozen_holds_nothing_against_its_executor() -> None:
    """A debugger or a paused machine stops both; the grace begins anew when they go on."""
    watchdog = Watchdog(15, 75)
    assert watchdog.check(5.0, 4.9, None) is None
    assert watchdog.check(605.0, 4.9, None) is None
    assert watchdog.check(615.0, 4.9, 4.0) is None
    assert watchdog.check(620.1, 4.9, None) is not None


def test_a_long_command_that_pumps_is_not_hung() -> None:
    """A read that waits for its tags and pumps shows activity, however long it takes."""
    watchdog = Watchdog(15, 75)
    assert watchdog.check(500.0, 499.0, 0.0) is None
