"""When a Galaxy that could not be read is read again: a decision without clock and I/O."""

from __future__ import annotations

from datetime import datetime


class ReadRetry:
    """Spaces out reads of the whole Galaxy that fail again and again for one and the same deployment.

    A Galaxy that holds rubbish, or is too slow to be read, would else be read in full at each look. Another deploy time
    is another Galaxy and is read at once.

    Args:
        first: seconds until the second try; doubled with each further one.
        longest: seconds that it is never more than.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first = min(first, longest)
        self._longest = longest
        self._deploy_time: datetime | None = None
        self.delay = 0.0
        """Seconds from the last failure to the next try; 0 when there is nothing to wait for."""
        self._due = 0.0

    def may_read(self, deploy_time: datetime | None, now: float) -> bool:
        """Whether this deployment may be read at `now` (monotonic seconds)."""
        return not self.delay or deploy_time != self._deploy_time or now >= self._due

    def failed(self, deploy_time: datetime | None, now: float) -> None:
        """Reading this deployment failed at `now`."""
        again = self.delay > 0 and deploy_time == self._deploy_time
        self.delay = min(self.delay * 2, self._longest) if again else self._first
        self._deploy_time = deploy_time
        self._due = now + self.delay

    def forget(self) -> None:
        """The next read may come at once: one succeeded, or the database was away and may be another by now."""
        self.delay = 0.0
