"""When an alarm manager that takes its workers with it is left alone, and when it is trusted again."""

from __future__ import annotations

from mxgateway_server.alarms.trust import GOOD_AFTER, LONGEST_WAIT, WINDOW, ManagerTrust


def avoided() -> ManagerTrust:
    trust = ManagerTrust(losses=3, first_wait=300.0)
    for now in (0.0, 10.0, 20.0):
        trust.worker_lost("signal 11", now)
    assert trust.is_avoided
    return trust


def test_losses_count_together_within_ten_minutes() -> None:
    for last, is_avoided in ((WINDOW, True), (WINDOW + 1.0, False)):
        trust = ManagerTrust(losses=3, first_wait=300.0)
        for now in (0.0, 10.0, last):
            trust.worker_lost("signal 11", now)
        assert trust.is_avoided is is_avoided


def test_a_trial_is_passed_after_a_minute_and_no_sooner() -> None:
    trust = avoided()
    assert [trust.is_due(now) for now in (319.0, 320.0)] == [False, True]
    trust.begin_trial(320.0)
    assert not trust.is_avoided
    assert not trust.is_well(320.0)
    assert not trust.is_well(320.0 + GOOD_AFTER - 1.0)
    assert trust.is_well(320.0 + GOOD_AFTER)
    assert not trust.text
    # What was lost before counts no more.
    trust.worker_lost("signal 11", 400.0)
    assert not trust.is_avoided


def test_a_failed_trial_doubles_the_wait_up_to_an_hour() -> None:
    trust, now = avoided(), 20.0
    for wait in (300.0, 600.0, 1200.0, 2400.0, LONGEST_WAIT, LONGEST_WAIT):
        assert [trust.is_due(now + wait - 1.0), trust.is_due(now + wait)] == [False, True]
        now += wait
        trust.begin_trial(now)
        trust.worker_lost("signal 11", now + 5.0)
        assert trust.is_avoided
        now += 5.0
