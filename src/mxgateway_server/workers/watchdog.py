"""Whether a worker is alive: heartbeats with a grace, more patience while a call runs, and an end to patience."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WatchdogLimits:
    """In seconds.

    Attributes:
        grace: silence after which an idle worker counts as hung.
        stuck_ceiling: silence, or age of one call, after which a busy one does.
    """

    grace: float = 15.0
    stuck_ceiling: float = 75.0


class Watchdog:
    """Judges one worker from what comes over its pipe."""

    def __init__(self, limits: WatchdogLimits, now: float) -> None:
        self._limits = limits
        self._last_seen = now
        self._call_started: float | None = None

    def seen(self, now: float) -> None:
        """Something came from the worker."""
        self._last_seen = now

    def heartbeat(self, now: float, command_age: float | None) -> None:
        """A heartbeat came; `command_age` is how long the running call has been running, None when none is."""
        self._last_seen = now
        self._call_started = None if command_age is None else now - command_age

    def verdict(self, now: float, commands_in_flight: int) -> str | None:
        """Why the worker counts as hung now; None while it does not.

        A slow call must not cost a healthy worker its life, so silence is forgiven while commands are in flight; but a
        stuck one must be seen, so not beyond the ceiling.
        """
        limits = self._limits
        silence = now - self._last_seen
        if self._call_started is not None and commands_in_flight:
            age = now - self._call_started
            if age > limits.stuck_ceiling:
                ceiling = limits.stuck_ceiling
                return f"the worker hangs: one call has been running for {age:.0f} s; the ceiling is {ceiling:.0f} s"
        if silence <= limits.grace:
            return None
        if commands_in_flight and silence <= limits.stuck_ceiling:
            return None
        allowed = limits.stuck_ceiling if commands_in_flight else limits.grace
        return f"the worker hangs: nothing came from it for {silence:.0f} s; {allowed:.0f} s are allowed"


class StallGuard:
    """Says when silence may be held against the workers: not while this process itself stood still.

    Asked at every tick. A process that was frozen (by a debugger, a paused machine, a swap storm) finds every worker
    silent when it goes on, before it has read what they said; and they may have been frozen with it.

    Args:
        period: seconds between ticks.
        allowance: seconds after a stall in which nobody is judged; long enough for a heartbeat.
    """

    def __init__(self, period: float, allowance: float, now: float) -> None:
        self._period = period
        self._allowance = allowance
        self._last = self._from = now

    def may_judge(self, now: float) -> bool:
        """Whether this tick may look for hung workers."""
        if now - self._last > 2 * self._period:
            self._from = now + self._allowance
        self._last = now
        return now >= self._from
