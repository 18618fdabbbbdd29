"""The bounded queue between a subscription and its consumer. Without I/O: what is full is met by a named policy."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from mxgateway.errors import MxGatewayOverflowError
from mxgateway.quality import is_good, is_status_failure, quality_name
from mxgateway.replies import status_text
from mxgateway.values import from_mx_value

if TYPE_CHECKING:
    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


class OverflowPolicy(Enum):
    """What happens when a subscription's queue is full because its consumer is too slow."""

    DROP_OLDEST = "drop_oldest"
    """The oldest change is dropped; `lost_before` of the next one says how many were."""
    DROP_NEWEST = "drop_newest"
    """The new change is dropped; `lost_before` of the next one that is kept says how many were."""
    WARN = "warn"
    """Nothing is dropped: the queue grows, and a warning is logged each time its length has doubled."""
    DISCONNECT = "disconnect"
    """The subscription ends with MxGatewayOverflowError, after the changes that are in the queue."""


@dataclass(frozen=True, slots=True)
class DataChange:
    """One value of one tag.

    Attributes:
        tag: reference as it was subscribed.
        value: Python value, see `from_mx_value`.
        quality: OPC quality word; 192 is good.
        source_timestamp: UTC, to the microsecond; `raw` has the nanoseconds. None when there is none.
        statuses: MxStatusProxy entries; a failed one says why the reference has no value.
        worker_sequence: position in the session's events; 0 for a value that was read again.
        replayed: it happened while the connection was interrupted and comes late, or is older than a value that was
            delivered already.
        recovered: it was read again because changes had been lost; what came between is not known.
        lost_before: changes known to be lost directly before this one: by the gateway, or by the overflow policy.
        raw: the generated event or read result.
    """

    tag: str
    value: Any
    quality: int
    source_timestamp: datetime | None
    statuses: tuple[pb.MxStatusProxy, ...]
    worker_sequence: int
    replayed: bool
    recovered: bool
    lost_before: int
    raw: pb.MxEvent | pb.BulkReadResult

    @property
    def is_good(self) -> bool:
        """Whether the quality is good and no status reports a failure."""
        return is_good(self.quality) and not any(is_status_failure(status) for status in self.statuses)

    def __repr__(self) -> str:
        marks = [name for name in ("replayed", "recovered") if getattr(self, name)]
        if self.lost_before:
            marks.append(f"{self.lost_before} lost before")
        when = self.source_timestamp.isoformat() if self.source_timestamp is not None else "no time"
        failed = [status_text(status) for status in self.statuses if is_status_failure(status)]
        parts = [f"{self.tag}={self.value!r}", quality_name(self.quality), when, *failed, *marks]
        return f"<DataChange {', '.join(parts)}>"

    def _repr_html_(self) -> str:
        from mxgateway.results import DataChanges

        return DataChanges([self])._repr_html_()


def change_of(
    tag: str, raw: pb.MxEvent | pb.BulkReadResult, *, sequence: int = 0, replayed: bool = False, recovered: bool = False
) -> DataChange:
    """The DataChange of an OnDataChange event or of a read result."""
    stamped = raw.HasField("source_timestamp")
    return DataChange(
        tag=tag,
        value=from_mx_value(raw.value),
        quality=raw.quality,
        source_timestamp=raw.source_timestamp.ToDatetime(tzinfo=UTC) if stamped else None,
        statuses=tuple(raw.statuses),
        worker_sequence=sequence,
        replayed=replayed,
        recovered=recovered,
        lost_before=0,
        raw=raw,
    )


class ChangeQueue:
    """Changes that wait for the consumer. Counts what it drops; nothing is lost without a trace."""

    def __init__(self, capacity: int, policy: OverflowPolicy) -> None:
        if capacity < 1:
            raise ValueError(f"queue_size is {capacity}, but at least one change has to fit")
        self._capacity = capacity
        self._policy = policy
        self._changes: deque[DataChange] = deque()
        self._lost_next = 0
        self._warn_at = capacity
        self.dropped = 0
        """Changes that the policy dropped since the beginning."""

    def __len__(self) -> int:
        return len(self._changes)

    def lose(self, count: int) -> None:
        """Notes changes that were lost before they came here, for the next change's `lost_before`."""
        self._lost_next += count

    def put(self, change: DataChange) -> str:
        """Takes a change, and returns a warning to log, or nothing.

        Raises:
            MxGatewayOverflowError: the queue is full and the policy is DISCONNECT.
        """
        if len(self._changes) < self._capacity or self._policy is OverflowPolicy.WARN:
            self._append(change)
            if len(self._changes) <= self._warn_at:
                return ""
            self._warn_at *= 2
            return f"{len(self._changes)} changes wait; the consumer of the subscription is too slow"
        if self._policy is OverflowPolicy.DISCONNECT:
            raise MxGatewayOverflowError(
                f"{self._capacity} changes wait and the overflow policy is DISCONNECT: the consumer is too slow"
            )
        self.dropped += 1
        if self._policy is OverflowPolicy.DROP_NEWEST:
            self._lost_next += 1
            return ""
        oldest = self._changes.popleft()
        self._append(change)
        # The gap is where the dropped change stood: before the one that is now the oldest.
        head = self._changes[0]
        self._changes[0] = replace(head, lost_before=head.lost_before + oldest.lost_before + 1)
        return ""

    def discard(self, tags: Iterable[str]) -> None:
        """Removes the changes of some tags that wait. What was lost before them was so before the next change."""
        gone = set(tags)
        waiting, self._changes = self._changes, deque()
        lost = 0
        for change in waiting:
            if change.tag in gone:
                lost += change.lost_before
            else:
                self._changes.append(replace(change, lost_before=change.lost_before + lost) if lost else change)
                lost = 0
        self._lost_next += lost

    def take(self) -> DataChange | None:
        """The oldest change, or None when none waits."""
        return self._changes.popleft() if self._changes else None

    def _append(self, change: DataChange) -> None:
        if self._lost_next:
            change = replace(change, lost_before=change.lost_before + self._lost_next)
            self._lost_next = 0
        self._changes.append(change)
