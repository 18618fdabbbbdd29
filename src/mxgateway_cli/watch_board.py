"""What a live table shows: the last value of each tag, its quality, its age, its rate. Without clock and terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mxgateway import is_good, is_status_failure, quality_name
from mxgateway.house import status_text
from mxgateway_cli.moments import nanoseconds
from mxgateway_cli.value_text import mx_text
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from mxgateway import DataChange

RATE_WINDOW = 10.0
"""Seconds that the rate of a tag looks back."""


@dataclass
class Row:
    """One tag. Times are seconds of the caller's monotonic clock."""

    tag: str
    raw: pb.MxValue = field(default_factory=pb.MxValue)
    quality: int | None = None
    source_timestamp_ns: int = 0
    changed_at: float | None = None
    changes: int = 0
    failure: str = ""
    first_at: float = 0.0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=1000))

    def take(self, event: pb.MxEvent | pb.BulkReadResult, now: float, is_late: bool = False) -> bool:
        """Takes a data change of this tag, or what was read of it.

        What comes late and is older than the value shown only counts; False then.
        """
        self.changes += 1
        if is_late and nanoseconds(event.source_timestamp) < self.source_timestamp_ns:
            return False
        failed = [status for status in event.statuses if is_status_failure(status)]
        self.raw = event.value
        self.quality = event.quality
        self.failure = status_text(failed[0]) if failed else ""
        self.source_timestamp_ns = nanoseconds(event.source_timestamp)
        if self.changed_at is None:
            # The present value, which no change brought.
            self.first_at = now
        else:
            self.recent.append(now)
        self.changed_at = now
        return True

    @property
    def text(self) -> str:
        """The value for people."""
        return mx_text(self.raw)

    @property
    def quality_word(self) -> str:
        """The quality's name; the reason of a failure stands in `failure`."""
        return "waiting" if self.quality is None else quality_name(self.quality)

    @property
    def quality_text(self) -> str:
        """The quality's name, or why there is no value."""
        if self.quality is None:
            return "waiting"
        return self.failure or quality_name(self.quality)

    @property
    def good(self) -> bool:
        return self.quality is not None and not self.failure and is_good(self.quality)

    def age(self, now: float) -> float | None:
        """Seconds since the last change; None before the first."""
        return None if self.changed_at is None else max(0.0, now - self.changed_at)

    def rate(self, now: float) -> float:
        """Changes a second over the last RATE_WINDOW seconds, or since the first value."""
        while self.recent and self.recent[0] < now - RATE_WINDOW:
            self.recent.popleft()
        return len(self.recent) / min(RATE_WINDOW, max(1.0, now - self.first_at))


class TagBoard:
    """The rows of a subscription by tag, fed with its changes, and their totals."""

    def __init__(self, tags: Iterable[str]) -> None:
        self.rows = {tag: Row(tag) for tag in tags}
        self.events = 0
        self.lost = 0
        self.is_stale = False
        """Whether the values are those from before an interruption that goes on."""

    @property
    def good(self) -> int:
        """Tags whose last value is good."""
        return sum(row.good for row in self.rows.values())

    @property
    def waiting(self) -> int:
        """Tags without a value so far."""
        return sum(row.quality is None for row in self.rows.values())

    def refuse(self, failures: Mapping[str, str]) -> None:
        """Notes which tags cannot be subscribed, and why."""
        for tag, reason in failures.items():
            row = self.rows.setdefault(tag, Row(tag))
            row.failure, row.quality = reason, 0

    def take(self, change: DataChange, now: float) -> Row:
        """Takes a change, and returns its row. What is older than the value shown only counts."""
        self.events += 1
        self.lost += change.lost_before
        row = self.rows.setdefault(change.tag, Row(change.tag))
        row.take(change.raw, now, change.replayed)
        return row
