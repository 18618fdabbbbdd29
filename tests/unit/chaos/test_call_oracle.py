"""The oracle of calls: deadlines, typed outcomes, and that only what a fault touches may fail."""

from __future__ import annotations

from chaos.call_oracle import EVERYBODY, CallOracle, Ending
from chaos.violations import Journal


def oracle() -> CallOracle:
    return CallOracle(Journal(), slack=1.0, recovery=10.0, aftermath=2.0)


def rules(judge: CallOracle) -> list[str]:
    return [violation.rule for violation in judge.journal.violations]


def test_a_call_that_succeeds_in_time_is_right() -> None:
    """Success within the deadline breaks no promise."""
    judge = oracle()
    judge.end(judge.begin("a", "Ping", 0.0, 3.0), 2.9, Ending.OK)
    assert rules(judge) == []
    assert judge.calls == {"ok": 1, "typed": 0, "untyped": 0}


def test_an_answer_after_the_deadline_is_found() -> None:
    """Even a success comes too late after deadline and slack."""
    judge = oracle()
    judge.end(judge.begin("a", "Ping", 0.0, 3.0), 4.1, Ending.OK)
    assert rules(judge) == ["deadline"]


def test_a_call_that_never_ends_is_found_once() -> None:
    """A call without an outcome is reported when it is overdue, and not again."""
    judge = oracle()
    judge.begin("a", "Ping", 0.0, 3.0)
    judge.check_overdue(3.9)
    assert rules(judge) == []
    judge.check_overdue(4.1)
    judge.check_overdue(5.0)
    assert rules(judge) == ["deadline"]
    assert judge.under_way == 0


def test_an_untyped_outcome_is_found_even_during_a_fault() -> None:
    """No fault excuses an error that is none of the library's."""
    judge = oracle()
    judge.excuse("a", "cut", 0.0)
    judge.end(judge.begin("a", "Ping", 0.0, 3.0), 1.0, Ending.UNTYPED, "KeyError")
    assert rules(judge) == ["untyped"]


def test_a_failure_needs_a_fault_that_touches_the_actor() -> None:
    """Another actor's fault excuses nothing; one's own does, from its beginning until shortly after the recovery."""
    judge = oracle()
    excuse = judge.excuse("a", "kill_worker", 1.0)
    judge.end(judge.begin("a", "Ping", 0.5, 3.0), 1.5, Ending.TYPED, "MxGatewayWorkerError")
    assert rules(judge) == []
    judge.end(judge.begin("b", "Ping", 0.5, 3.0), 1.5, Ending.TYPED, "MxGatewayWorkerError")
    assert rules(judge) == ["unharmed"]
    judge.over(excuse, 2.0)
    judge.progress("a", 3.0)
    judge.end(judge.begin("a", "Ping", 4.9, 3.0), 6.0, Ending.TYPED, "MxGatewayWorkerError")
    assert rules(judge) == ["unharmed"]
    judge.end(judge.begin("a", "Ping", 5.1, 3.0), 6.0, Ending.TYPED, "MxGatewayWorkerError")
    assert rules(judge) == ["unharmed", "unharmed"]


def test_a_failure_before_the_fault_is_not_excused() -> None:
    """A call that ended before the fault began was not touched by it."""
    judge = oracle()
    call = judge.begin("a", "Ping", 0.0, 3.0)
    judge.end(call, 0.5, Ending.TYPED, "MxGatewaySessionError")
    judge.excuse("a", "cut", 1.0)
    assert rules(judge) == ["unharmed"]


def test_faults_of_the_gateway_touch_everybody() -> None:
    """An excuse for everybody covers actors by any name."""
    judge = oracle()
    judge.excuse(EVERYBODY, "kill_gateway", 0.0)
    judge.broke("anyone", "stream", 1.0, Ending.TYPED, "MxGatewayConnectionError")
    assert rules(judge) == []


def test_an_actor_that_does_not_recover_is_found() -> None:
    """When a fault is over its actor has to be at work again in time; while it lasts, it has not."""
    judge = oracle()
    excuse = judge.excuse("a", "cut", 0.0)
    judge.check_recovery(100.0)
    assert rules(judge) == []
    judge.over(excuse, 100.0)
    assert judge.waiting_for(100.0) == [excuse]
    judge.check_recovery(110.1)
    assert rules(judge) == ["recovery"]
    assert judge.waiting_for(111.0) == []


def test_progress_before_the_end_of_a_fault_is_no_recovery() -> None:
    """An actor that still works while its fault lasts has not recovered from it yet."""
    judge = oracle()
    excuse = judge.excuse("a", "throttle", 0.0)
    judge.progress("a", 1.0)
    judge.over(excuse, 2.0)
    assert excuse.end is None
    judge.progress("a", 2.5)
    assert excuse.end == 2.5
    assert judge.slowest_recovery == 0.5


def test_nobody_recovers_from_one_fault_while_another_lasts() -> None:
    """The time to recover begins when the actor's last fault is over."""
    judge = oracle()
    first, second = judge.excuse("a", "cut", 0.0), judge.excuse("a", "freeze_worker", 0.0)
    judge.over(first, 1.0)
    judge.check_recovery(50.0)
    judge.over(second, 50.0)
    judge.check_recovery(59.0)
    assert rules(judge) == []
    judge.check_recovery(60.1)
    assert rules(judge) == ["recovery", "recovery"]


def test_deadlines_are_put_off_while_the_judge_does_not_run() -> None:
    """What was held up here is not held against the gateway; later calls have their usual time."""
    judge = oracle()
    call = judge.begin("a", "Ping", 0.0, 3.0)
    judge.put_off(10.0)
    judge.end(call, 13.9, Ending.OK)
    judge.end(judge.begin("a", "Ping", 20.0, 3.0), 24.1, Ending.OK)
    assert rules(judge) == ["deadline"]
