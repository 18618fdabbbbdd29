"""Whether the alarm manager's consumer may be used: one that takes its worker with it again and again is left alone for
a while, and the watched attributes speak in its place. Pure; times are monotonic seconds."""

from __future__ import annotations

from collections import deque

WINDOW = 600.0
"""Seconds within which losses count together."""
GOOD_AFTER = 60.0
"""Seconds that a trial has to last."""
LONGEST_WAIT = 3600.0


class ManagerTrust:
    """Counts the workers that are lost while they use the alarm manager.

    Args:
        losses: how many within ten minutes are too many.
        first_wait: seconds until the first trial; each that fails doubles them, up to an hour.

    Attributes:
        text: why it is avoided; empty while it is not.
    """

    def __init__(self, losses: int, first_wait: float) -> None:
        self.text = ""
        self._losses = losses
        self._first_wait = self._wait = first_wait
        self._lost: deque[float] = deque(maxlen=losses)
        self._try_at = 0.0
        self._trial_since: float | None = None

    @property
    def is_avoided(self) -> bool:
        """Whether the attributes are to speak alone; not while it is tried."""
        return bool(self.text) and self._trial_since is None

    def is_due(self, now: float) -> bool:
        """Whether it is avoided, and time for a trial."""
        return self.is_avoided and now >= self._try_at

    def begin_trial(self, now: float) -> None:
        self._trial_since = now

    def worker_lost(self, text: str, now: float) -> None:
        """A worker that used it is gone."""
        self._lost.append(now)
        if self._trial_since is not None:
            self._trial_since = None
            self._wait = min(2 * self._wait, LONGEST_WAIT)
        elif self.text or len(self._lost) < self._losses or now - self._lost[0] > WINDOW:
            return
        self._try_at = now + self._wait
        self.text = (
            f"the worker ended {self._losses} times with the alarm manager ({text}); the attributes speak without it, "
            f"and it is tried again after {self._wait:g} s"
        )

    def is_well(self, now: float) -> bool:
        """The worker is live; whether a trial has been passed with that."""
        if self._trial_since is None or now - self._trial_since < GOOD_AFTER:
            return False
        self.text, self._trial_since, self._wait = "", None, self._first_wait
        self._lost.clear()
        return True
