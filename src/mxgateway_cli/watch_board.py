"""What a live table shows: the last value of each tag, its quality, its age, its rate. Without clock and terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from mxgateway import is_good, is_status_failure, quality_name
from mxgateway.house import status_text
from mxgateway_cli.value_text import mx_text
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from mxgateway import DataChange

KeyT = TypeVar("KeyT", int, str)

RATE_WINDOW = 10.0
"""Seconds that the rate of a tag looks back."""

MAX_EARLY = 10_000
"""Items whose values are kept before the reply that names them."""


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
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=1000))

    def take(self, event: pb.MxEvent | pb.BulkReadResult, now: float) -> None:
        """Takes a data change of this tag, or what was read of it."""
        failed = [status for status in event.statuses if is_status_failure(status)]
        self.raw = event.value
        self.quality = event.quality
        self.failure = status_text(failed[0]) if failed else ""
        self.source_timestamp_ns = event.source_timestamp.ToNanoseconds()
        self.changed_at = now
        self.changes += 1
        self.recent.append(now)

    @property
    def text(self) -> str:
        """The value for people."""
        return mx_text(self.raw)

    @property
    def quality_text(self) -> str:
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
        """Changes a second over the last RATE_WINDOW seconds."""
        while self.recent and self.recent[0] < now - RATE_WINDOW:
            self.recent.popleft()
        return len(self.recent) / RATE_WINDOW


class Rows(Generic[KeyT]):
    """Rows by a key, and their totals."""

    def __init__(self) -> None:
        self.rows: dict[KeyT, Row] = {}
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


class Board(Rows[int]):
    """The rows of the subscribed tags by item handle, fed with events."""

    def __init__(self) -> None:
        super().__init__()
        self._early: dict[int, tuple[pb.MxEvent, float]] = {}

    def subscribe(self, results: Sequence[pb.SubscribeResult]) -> None:
        """Adds a row for each subscribed tag; a refused one keeps its reason.

        A first value may come before the reply that tells its handle: it was kept, and is taken here.
        """
        for index, result in enumerate(results):
            row = Row(result.tag_address)
            key = result.item_handle
            if not result.was_successful:
                row.failure = result.error_message or "refused"
                row.quality = 0
                key = -(len(self.rows) + index + 1)
            self.rows[key] = row
            early = self._early.pop(key, None)
            if early is not None:
                row.take(*early)

    def apply(self, event: pb.MxEvent, now: float) -> Row | None:
        """Takes an event; the row when it was a data change of a subscribed tag."""
        if event.HasField("replay_gap"):
            self.lost += event.replay_gap.dropped_events
            return None
        self.events += 1
        if event.family != pb.MX_EVENT_FAMILY_ON_DATA_CHANGE:
            return None
        row = self.rows.get(event.item_handle)
        if row is None:
            if event.item_handle in self._early or len(self._early) < MAX_EARLY:
                self._early[event.item_handle] = (event, now)
            return None
        row.take(event, now)
        return row


class TagBoard(Rows[str]):
    """The rows of a subscription by tag, fed with its changes."""

    def __init__(self, tags: Iterable[str]) -> None:
        super().__init__()
        self.rows = {tag: Row(tag) for tag in tags}

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
        if change.replayed and change.raw.source_timestamp.ToNanoseconds() < row.source_timestamp_ns:
            row.changes += 1
        else:
            row.take(change.raw, now)
        return row
