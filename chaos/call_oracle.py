"""Judges calls: each ends in a typed outcome within its deadline, and fails only for an actor that a fault touches."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from chaos.violations import Journal

EVERYBODY = "*"


class Ending(Enum):
    """How a call or a stream ended."""

    OK = "ok"
    TYPED = "typed"
    """With one of the client library's errors."""
    UNTYPED = "untyped"
    """With anything else, or not at all."""


@dataclass(slots=True)
class Call:
    """One call under way. Times are seconds."""

    actor: str
    what: str
    begin: float
    deadline: float


@dataclass(slots=True, eq=False)
class Excuse:
    """A fault that may make an actor's calls fail.

    Attributes:
        begin: when it was injected.
        over: when its cause was gone; None while it lasts.
        end: when the actor was at work again; None while it is not.
    """

    actor: str
    fault: str
    begin: float
    over: float | None = None
    end: float | None = None


@dataclass(slots=True)
class CallOracle:
    """Judges the calls of all actors.

    Args:
        slack: seconds that an answer may come after its deadline, for a busy machine.
        recovery: seconds from the end of a fault within which the actor must be at work again.
        aftermath: seconds after that in which the fault still excuses what it broke before.
    """

    journal: Journal
    slack: float = 3.0
    recovery: float = 25.0
    aftermath: float = 5.0
    calls: dict[str, int] = field(default_factory=lambda: {ending.value: 0 for ending in Ending})
    slowest_recovery: float = 0.0
    _under_way: dict[int, Call] = field(default_factory=dict)
    _excuses: dict[str, list[Excuse]] = field(default_factory=dict)

    # ---------------------------------------------------------------------------------------------------- excuses

    def excuse(self, actor: str, fault: str, now: float) -> Excuse:
        """A fault begins that may touch the actor, or EVERYBODY known so far."""
        excuse = Excuse(actor, fault, now)
        self._excuses.setdefault(actor, []).append(excuse)
        if actor != EVERYBODY:
            self.journal.note(actor, now, f"fault {fault} begins")
        return excuse

    def over(self, excuse: Excuse, now: float) -> None:
        """The fault's cause is gone; from now on the actor has to recover."""
        if excuse.over is None:
            excuse.over = now
            if excuse.actor != EVERYBODY:
                self.journal.note(excuse.actor, now, f"fault {excuse.fault} is over")

    def progress(self, actor: str, now: float) -> None:
        """The actor does its work: everything that it does together has succeeded just now."""
        for excuse in self._excuses.get(actor, ()):
            if excuse.over is not None and excuse.end is None:
                excuse.end = now
                last = max((now if other.over is None else other.over for other in self._excuses[actor]), default=now)
                self.slowest_recovery = max(self.slowest_recovery, now - last)
                self.journal.note(actor, now, f"recovered from {excuse.fault}")

    def check_recovery(self, now: float) -> None:
        """Finds actors that should be at work again."""
        for actor, excuses in self._excuses.items():
            keep = []
            # Nobody recovers from one fault while another one lasts.
            last = max((now if excuse.over is None else excuse.over for excuse in excuses), default=now)
            for excuse in excuses:
                if excuse.over is not None and excuse.end is None and now - last > self.recovery:
                    self.journal.violation(
                        "recovery", actor, now, f"not at work again {now - last:.1f} s after {excuse.fault} was over"
                    )
                    excuse.end = now
                if excuse.end is None or now - excuse.end < self.recovery:
                    keep.append(excuse)
            self._excuses[actor] = keep

    def waiting_for(self, now: float) -> list[Excuse]:
        """Faults that some actor has not recovered from."""
        return [e for excuses in self._excuses.values() for e in excuses if e.end is None and e.begin <= now]

    def is_excused(self, actor: str, begin: float, end: float) -> bool:
        """Whether a fault touched the actor at any time from `begin` to `end`."""
        return any(
            excuse.begin <= end and (excuse.end is None or excuse.end + self.aftermath >= begin)
            for excuse in (*self._excuses.get(actor, ()), *self._excuses.get(EVERYBODY, ()))
        )

    # ------------------------------------------------------------------------------------------------------ calls

    def begin(self, actor: str, what: str, now: float, timeout: float) -> Call:
        call = Call(actor, what, now, now + timeout)
        self._under_way[id(call)] = call
        return call

    def end(self, call: Call, now: float, ending: Ending, detail: str = "") -> None:
        """The call ended; `detail` names the error."""
        self._under_way.pop(id(call), None)
        self.calls[ending.value] += 1
        actor, what = call.actor, call.what
        if ending is not Ending.OK:
            self.journal.note(actor, now, f"{what} failed after {now - call.begin:.3f} s: {detail}")
        if now > call.deadline + self.slack:
            self.journal.violation(
                "deadline", actor, now, f"{what} ended {now - call.deadline:.1f} s after its deadline: {detail or 'ok'}"
            )
        if ending is Ending.UNTYPED:
            self.journal.violation("untyped", actor, now, f"{what} ended with {detail}")
        elif ending is Ending.TYPED and not self.is_excused(actor, call.begin, now):
            self.journal.violation("unharmed", actor, now, f"{what} failed though no fault touched it: {detail}")

    def put_off(self, seconds: float) -> None:
        """Calls under way get so much longer: the judge itself did not run meanwhile."""
        for call in self._under_way.values():
            call.deadline += seconds

    def forget(self, call: Call) -> None:
        """The call was given up by whoever made it; it has no outcome to judge."""
        self._under_way.pop(id(call), None)

    def broke(self, actor: str, what: str, now: float, ending: Ending, detail: str) -> None:
        """Something without a deadline ended, such as a stream."""
        self.journal.note(actor, now, f"{what} ended: {detail}")
        if ending is Ending.UNTYPED:
            self.journal.violation("untyped", actor, now, f"{what} ended with {detail}")
        elif not self.is_excused(actor, now, now):
            self.journal.violation("unharmed", actor, now, f"{what} ended though no fault touched it: {detail}")

    def check_overdue(self, now: float) -> None:
        """Finds calls that are still under way though they should have ended."""
        for key, call in list(self._under_way.items()):
            if now > call.deadline + self.slack:
                del self._under_way[key]
                self.journal.violation(
                    "deadline",
                    call.actor,
                    now,
                    f"{call.what} has not ended {now - call.deadline:.1f} s after its deadline",
                )

    @property
    def under_way(self) -> int:
        return len(self._under_way)
