"""From findings to a verdict, with patience both ways: what flickers is not told.

Pure: it is given findings and the time, and keeps what they add up to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Readiness(Enum):
    """Whether new clients are welcome.

    DEGRADED: they are, and something wants somebody's attention.
    """

    READY = "ready"
    DEGRADED = "degraded"
    NOT_READY = "not_ready"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and what to do about it."""

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one check is judged.

    Attributes:
        name: for the log and the status, such as `workers`.
        is_needed: whether the gateway is not ready without it; else it is degraded.
        down_after: seconds that a problem must last before it counts.
        up_after: seconds that it must have been gone before that counts.
    """

    name: str
    is_needed: bool
    down_after: float = 0.0
    up_after: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStatus:
    """One check.

    Attributes:
        is_ok: the verdict, which follows the findings with the patience of its rule.
        since_seconds: how long the verdict has been so.
        reason: what is wrong; empty when nothing is.
        remedy: what to do about it.
    """

    name: str
    is_ok: bool
    is_needed: bool
    since_seconds: float
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthStatus:
    """All checks, and what they come to: `ready`, `degraded` or `not_ready`."""

    readiness: str
    checks: tuple[CheckStatus, ...]

    def is_ok(self, name: str) -> bool:
        """The verdict of one check; true for one that is not made."""
        return all(check.is_ok for check in self.checks if check.name == name)


@dataclass(frozen=True, slots=True)
class Change:
    """A verdict that has changed; `problem` is None when all is well again."""

    name: str
    problem: Problem | None


class _Check:
    def __init__(self, rule: Rule, now: float) -> None:
        self.rule = rule
        self.since = now
        self.verdict: Problem | None = None
        self._differs_since: float | None = None

    def observe(self, problem: Problem | None, now: float) -> bool:
        if (problem is None) == (self.verdict is None):
            # The newest words for the same verdict.
            self.verdict = problem
            self._differs_since = None
            return False
        if self._differs_since is None:
            self._differs_since = now
        patience = self.rule.up_after if problem is None else self.rule.down_after
        if now - self._differs_since < patience:
            return False
        self.verdict, self.since, self._differs_since = problem, now, None
        return True

    def status(self, now: float) -> CheckStatus:
        return CheckStatus(
            name=self.rule.name,
            is_ok=self.verdict is None,
            is_needed=self.rule.is_needed,
            since_seconds=round(max(0.0, now - self.since), 3),
            reason=self.verdict.reason if self.verdict else "",
            remedy=self.verdict.remedy if self.verdict else "",
        )


class Judge:
    """Keeps the verdict of each rule; all are well at the beginning."""

    def __init__(self, rules: Iterable[Rule], now: float) -> None:
        self._checks = {rule.name: _Check(rule, now) for rule in rules}

    def observe(self, name: str, problem: Problem | None, now: float) -> Change | None:
        """A finding at a monotonic time in seconds; the change that it makes to the verdict, if any.

        Raises:
            KeyError: there is no rule of this name.
        """
        return Change(name, problem) if self._checks[name].observe(problem, now) else None

    def status(self, now: float) -> HealthStatus:
        """The verdicts at a monotonic time in seconds."""
        checks = tuple(check.status(now) for check in self._checks.values())
        bad = [check for check in checks if not check.is_ok]
        if any(check.is_needed for check in bad):
            readiness = Readiness.NOT_READY
        else:
            readiness = Readiness.DEGRADED if bad else Readiness.READY
        return HealthStatus(readiness=readiness.value, checks=checks)
