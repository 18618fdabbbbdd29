"""Whether the executor thread hangs. Reports only: what follows is the gateway's decision."""

from __future__ import annotations


class Watchdog:
    """Tells a hung executor from one that works on a long command.

    Args:
        grace: seconds without activity after which an idle executor counts as hung.
        ceiling: seconds after which a running command counts as hung, too.
    """

    def __init__(self, grace: float, ceiling: float) -> None:
        self._grace = grace
        self._ceiling = ceiling
        self._is_reported = False
        self._last_check: float | None = None
        self._watching_since = 0.0

    def due(self, last_activity: float, command_started: float | None) -> float:
        """The first moment at which an executor that does nothing from now on will count as hung."""
        idle = max(last_activity, self._watching_since) + self._grace
        return idle if command_started is None else max(idle, command_started + self._ceiling)

    def check(self, now: float, last_activity: float, command_started: float | None) -> str | None:
        """The reason to report, once; None while all is well or when it is reported already.

        All times are seconds of one monotonic clock; checks come more often than the grace is long. A recovered
        executor may be reported again.
        """
        # Nobody watched for longer than the grace: this process itself was frozen, and the executor with it.
        if self._last_check is not None and now - self._last_check > self._grace:
            self._watching_since = now
        self._last_check = now
        idle = now - max(last_activity, self._watching_since)
        if command_started is None:
            hung = idle > self._grace
            reason = f"the executor thread shows no activity for {idle:.1f} s; the grace is {self._grace:g} s"
        else:
            running = now - command_started
            hung = running > self._ceiling and idle > self._grace
            reason = f"a command is running for {running:.1f} s; the ceiling is {self._ceiling:g} s"
        if not hung:
            self._is_reported = False
            return None
        if self._is_reported:
            return None
        self._is_reported = True
        return reason
