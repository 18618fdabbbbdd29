"""How long to wait before the next try, after a row of failures."""

from __future__ import annotations

from collections.abc import Callable

WAITS = (1.0, 2.0, 5.0, 10.0, 30.0)
SPREAD = 0.2
GOOD_AFTER = 30.0
"""Seconds of success after which a failure is the first one again."""


class BackOff:
    """Waits of 1, 2, 5, 10 and then 30 seconds, each up to a fifth shorter or longer.

    Args:
        chance: a number from 0 to 1, for the spread.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._failures = 0
        self._good_since: float | None = None

    def succeeded(self, now: float) -> None:
        """It works from now on."""
        if self._good_since is None:
            self._good_since = now

    def failed(self, now: float) -> float:
        """Seconds until the next try."""
        if self._good_since is not None and now - self._good_since >= GOOD_AFTER:
            self._failures = 0
        self._good_since = None
        wait = WAITS[min(self._failures, len(WAITS) - 1)]
        self._failures += 1
        return wait * (1 - SPREAD + 2 * SPREAD * self._chance())
