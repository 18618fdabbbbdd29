"""The bounded queue between a subscription and its consumer. Without I/O: what is full is met by a named policy."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

from mxgateway.errors import MxGatewayOverflowError

if TYPE_CHECKING:
    from mxgateway.data_change import DataChange


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


class ChangeQueue:
    """Changes that wait for the consumer. Counts what it drops; nothing is lost without a trace."""

    def __init__(self, capacity: int, policy: OverflowPolicy) -> None:
        if capacity < 1:
            raise ValueError(f"queue_size is {capacity}, but at least one change has to fit")
        self._asked_capacity = self._capacity = capacity
        self._policy = policy
        self._changes: deque[DataChange] = deque()
        self._lost_next = 0
        self._warn_at = capacity
        self.is_filling = False
        """Whether tags are being subscribed, so that nobody can consume yet: then the latest of each tag is kept."""
        self.dropped = 0
        """Changes that the policy dropped since the beginning."""

    def __len__(self) -> int:
        return len(self._changes)

    def make_room(self, tags: int) -> None:
        """Sees to it that the present value of each of so many tags fits, however little was asked for."""
        # Twice, so that keeping the latest of each tag frees half of it.
        self._capacity = max(self._asked_capacity, tags if tags < 2 else 2 * tags)

    def lose(self, count: int) -> None:
        """Notes changes that were lost before they came here, for the next change's `lost_before`."""
        self._lost_next += count

    def take_lost(self) -> int:
        """What was noted for the next change, which from now on the caller answers for."""
        lost, self._lost_next = self._lost_next, 0
        return lost

    def put(self, change: DataChange) -> str:
        """Takes a change, and returns a warning to log, or nothing.

        Raises:
            MxGatewayOverflowError: the queue is full and the policy is DISCONNECT.
        """
        if self.is_filling and len(self._changes) >= self._capacity and self._policy is not OverflowPolicy.WARN:
            self._keep_latest()
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

    def put_all(self, changes: Sequence[DataChange]) -> bool:
        """Takes changes in their order where all of them just fit; else none, and `put` decides about each."""
        if self._lost_next or len(self._changes) + len(changes) > min(self._capacity, self._warn_at):
            return False
        self._changes.extend(changes)
        return True

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

    def take_all(self) -> list[DataChange]:
        """All changes that wait, the oldest first."""
        changes = list(self._changes)
        self._changes.clear()
        return changes

    def _keep_latest(self) -> None:
        """Drops each change that a younger one of its tag follows, which says how many were lost before it."""
        last = {change.tag: position for position, change in enumerate(self._changes)}
        lost: dict[str, int] = {}
        kept: deque[DataChange] = deque()
        for position, change in enumerate(self._changes):
            if last[change.tag] != position:
                lost[change.tag] = lost.get(change.tag, 0) + change.lost_before + 1
                self.dropped += 1
            elif count := lost.get(change.tag):
                kept.append(replace(change, lost_before=change.lost_before + count))
            else:
                kept.append(change)
        self._changes = kept

    def _append(self, change: DataChange) -> None:
        if self._lost_next:
            change = replace(change, lost_before=change.lost_before + self._lost_next)
            self._lost_next = 0
        self._changes.append(change)
