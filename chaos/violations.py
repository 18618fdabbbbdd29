"""What the oracle reports, and the trace that led there."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

TRACE_LENGTH = 40
MOST_OF_A_KIND = 5


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise.

    Attributes:
        rule: which promise, as one word.
        actor: whose.
        at: seconds since the storm began.
        trace: what that actor did and met before, oldest first.
    """

    rule: str
    actor: str
    at: float
    text: str
    trace: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "actor": self.actor,
            "at": round(self.at, 3),
            "text": self.text,
            "trace": list(self.trace),
        }


@dataclass(slots=True)
class Journal:
    """The last things that each actor did and met, and the violations found. Times are seconds since the beginning."""

    violations: list[Violation] = field(default_factory=list)
    count: int = 0
    _traces: dict[str, deque[str]] = field(default_factory=dict)

    def note(self, actor: str, now: float, text: str) -> None:
        trace = self._traces.get(actor)
        if trace is None:
            trace = self._traces[actor] = deque(maxlen=TRACE_LENGTH)
        trace.append(f"{now:9.3f} {text}")

    def note_all(self, now: float, text: str) -> None:
        """Notes what concerns every actor known so far."""
        for actor in self._traces:
            self.note(actor, now, text)

    def violation(self, rule: str, actor: str, now: float, text: str) -> None:
        self.count += 1
        # One cause can break a promise at every event; the first ones tell it all.
        if sum(v.rule == rule and v.actor == actor for v in self.violations) < MOST_OF_A_KIND:
            self.violations.append(Violation(rule, actor, now, text, tuple(self._traces.get(actor, ()))))
        self.note(actor, now, f"VIOLATION {rule}: {text}")
