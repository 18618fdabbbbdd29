"""From findings to a verdict: what flickers is not told, what lasts is, and a needed check decides."""

from __future__ import annotations

import pytest

from mxgateway_server.health import checks
from mxgateway_server.health.readiness import Judge, Problem, Rule
from mxgateway_server.health.watcher import ALARMS, GALAXY, GATEWAY, LIVE, READY, serving

BROKEN = Problem("it is broken", "mend it")
ALL = checks.rules(galaxy_is_needed=False, audit_is_needed=True)


def judge(*, down_after: float = 0.0, up_after: float = 0.0, is_needed: bool = True) -> Judge:
    return Judge([Rule(name="it", is_needed=is_needed, down_after=down_after, up_after=up_after)], 0.0)


def test_without_patience_a_finding_is_the_verdict() -> None:
    one = judge()
    assert one.observe("it", None, 1.0) is None
    change = one.observe("it", BROKEN, 2.0)
    assert change is not None
    assert change.problem == BROKEN
    (check,) = one.status(5.0).checks
    assert (check.is_ok, check.since_seconds, check.reason, check.remedy) == (False, 3.0, "it is broken", "mend it")


def test_a_problem_has_to_last_before_it_counts() -> None:
    one = judge(down_after=10.0)
    assert one.observe("it", BROKEN, 0.0) is None
    assert one.observe("it", BROKEN, 9.9) is None
    assert one.observe("it", None, 9.95) is None
    assert one.observe("it", BROKEN, 10.0) is None, "it was gone meanwhile, so the time begins anew"
    assert one.observe("it", BROKEN, 19.9) is None
    assert one.observe("it", BROKEN, 20.0) is not None


def test_and_has_to_be_gone_for_a_while_before_that_counts() -> None:
    one = judge(up_after=10.0)
    assert one.observe("it", BROKEN, 0.0) is not None
    assert one.observe("it", None, 1.0) is None
    assert one.observe("it", BROKEN, 5.0) is None
    assert one.observe("it", None, 6.0) is None
    assert not one.status(15.0).is_ok("it")
    change = one.observe("it", None, 16.0)
    assert change is not None
    assert change.problem is None
    assert one.status(16.0).is_ok("it")


def test_the_words_of_a_problem_are_the_newest() -> None:
    one = judge()
    one.observe("it", BROKEN, 0.0)
    assert one.observe("it", Problem("worse", "hurry"), 1.0) is None
    assert one.status(1.0).checks[0].reason == "worse"


@pytest.mark.parametrize(("is_needed", "word"), [(True, "not_ready"), (False, "degraded")])
def test_what_is_not_needed_only_degrades(is_needed: bool, word: str) -> None:
    one = judge(is_needed=is_needed)
    assert one.status(0.0).readiness == "ready"
    one.observe("it", BROKEN, 0.0)
    assert one.status(0.0).readiness == word


def test_an_unknown_check_is_an_error_not_a_silence() -> None:
    with pytest.raises(KeyError):
        judge().observe("another", None, 0.0)


# (check, sessions are open, what is not SERVING)
TABLE: list[tuple[str, bool, set[str]]] = [
    (checks.STORE, False, {"", GATEWAY, GALAXY, READY}),
    (checks.STORE, True, {"", GATEWAY, GALAXY, READY}),
    (checks.WORKERS, False, {"", GATEWAY, READY}),
    (checks.WORKERS, True, {READY}),
    (checks.GALAXY, False, {GALAXY}),
    (checks.LOOP, False, {READY}),
    (checks.AUDIT, False, {READY}),
    (checks.DISK, False, set()),
    (checks.CERTIFICATE, False, set()),
    (checks.ALARMS, False, {ALARMS}),
    (checks.STOPPING, True, {READY}),
]


@pytest.mark.parametrize(("name", "has_sessions", "silent"), TABLE)
def test_what_each_check_takes_from_which_service(name: str, has_sessions: bool, silent: set[str]) -> None:
    """Nothing but what cannot work without it, and never the liveness."""
    all_checks = Judge(ALL, 0.0)
    all_checks.observe(name, BROKEN, 0.0)
    all_checks.observe(name, BROKEN, 100.0)
    found = serving(all_checks.status(100.0), has_sessions=has_sessions)
    assert set(found) == {"", GATEWAY, GALAXY, LIVE, READY, ALARMS}
    assert {service for service, is_serving in found.items() if not is_serving} == silent


def test_every_check_has_its_line_in_the_table() -> None:
    assert {name for name, _, _ in TABLE} == {rule.name for rule in ALL}


def test_a_galaxy_that_is_asked_for_decides() -> None:
    strict = Judge(checks.rules(galaxy_is_needed=True, audit_is_needed=False), 0.0)
    for now in (0.0, 60.0):
        strict.observe(checks.GALAXY, BROKEN, now)
    assert strict.status(60.0).readiness == "not_ready"


def test_what_is_found_names_the_setting_and_the_remedy() -> None:
    """Each finding at its border: just good, and just not."""
    assert checks.store_problem(5.0) is None
    assert "authentication.database" in _remedy(checks.store_problem(5.1))
    assert checks.workers_problem(True, "old news") is None
    assert "doctor" in _remedy(checks.workers_problem(False, "ended with 3"))
    assert [checks.galaxy_problem(status, "") for status in ("healthy", "stale", "unknown")] == [None] * 3
    assert "galaxy.connection_string" in _remedy(checks.galaxy_problem("unavailable", "no route"))
    assert checks.loop_problem(0.99) is None
    assert "CPU" in _remedy(checks.loop_problem(1.0))
    assert checks.audit_problem(9_999, 0) is None
    assert "authentication.database" in _remedy(checks.audit_problem(10_000, 0))
    assert "authentication.database" in _remedy(checks.audit_problem(0, 1))
    assert checks.disk_problem(64 * 1024 * 1024, "/state") is None
    assert "state_dir" in _remedy(checks.disk_problem(64 * 1024 * 1024 - 1, "/state"))
    assert "state_dir" in _remedy(checks.disk_problem(None, "/state"))
    assert checks.certificate_problem(30 * 86_400, 30, "") is None
    for left, problem in ((30 * 86_400 - 1, ""), (0, ""), (86_400 * 90, "not PEM")):
        assert "mxgateway cert renew" in _remedy(checks.certificate_problem(left, 30, problem))


def _remedy(problem: Problem | None) -> str:
    assert problem is not None
    return problem.remedy
