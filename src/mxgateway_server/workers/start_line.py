"""The line of callers in front of worker starts: who is let in, and when the others should come back.

A start costs processor time, so a machine does so many in a second and no more. Whoever could not be served before he
gives up is told so at once, with a time of his own to come back: many who wait until their deadlines help nobody.
"""

from __future__ import annotations

import math

from mxgateway_server.errors import SessionStartBusyError

FIRST_GUESS = 0.5
"""Seconds that a start takes as long as none was seen."""
LONGEST_RETRY = 60.0
_WEIGHT = 0.2
_MARGIN = 1.0
_MARGIN_SHARE = 0.2


class StartLine:
    """Decides; `now` and `deadline` are monotonic times in seconds.

    Args:
        simultaneous: starts that go on at the same time.
    """

    def __init__(self, simultaneous: int) -> None:
        self._simultaneous = simultaneous
        self._typical = FIRST_GUESS
        self._inside = 0
        self._promised = 0.0

    def __len__(self) -> int:
        """How many wait or start."""
        return self._inside

    @property
    def typical(self) -> float:
        """How long a start takes now, in seconds, beside as many others as there are."""
        return self._typical

    def join(self, now: float, deadline: float | None) -> None:
        """Takes a place at the end of the line; `leave` gives it back.

        Raises:
            SessionStartBusyError: the caller would give up before it is his turn.
        """
        if deadline is not None and now + self._until_started(self._inside) > last_moment(now, deadline):
            raise self.busy(now)
        self._inside += 1

    def leave(self, seconds: float | None = None) -> None:
        """A caller is served, or gave up; `seconds` is how long the start took, None when there was none."""
        self._inside -= 1
        if seconds is not None:
            self._typical += _WEIGHT * (seconds - self._typical)

    def busy(self, now: float) -> SessionStartBusyError:
        """The refusal of one caller, with a time to come back that no other was told."""
        self._promised = max(self._promised, now + self._until_started(self._inside))
        self._promised += self._typical / self._simultaneous
        wait = min(LONGEST_RETRY, max(1.0, self._promised - now))
        if wait == LONGEST_RETRY:
            self._promised = now + LONGEST_RETRY
        return SessionStartBusyError(
            f"{self._inside} workers are starting or wait for it, {self._simultaneous} at a time (setting "
            f"worker.simultaneous_starts); come back in {wait:.0f} s",
            retry_after=round(wait, 1),
        )

    def _until_started(self, ahead: int) -> float:
        return math.ceil((ahead + 1) / self._simultaneous) * self._typical


def last_moment(now: float, deadline: float) -> float:
    """When an answer has to be sent to reach a caller before his deadline."""
    return deadline - min(_MARGIN, _MARGIN_SHARE * max(0.0, deadline - now))
