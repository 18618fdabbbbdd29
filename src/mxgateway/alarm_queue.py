"""What a feed of alarms has to tell and nobody has taken yet. Without I/O and clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import Enum

from mxgateway.alarm_model import Alarm, AlarmChange
from mxgateway.alarm_reader import AlarmEvent
from mxgateway.errors import MxGatewayOverflowError
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


class AlarmOverflow(Enum):
    """What happens when changes are not taken as fast as they come.

    CONFLATE: of each alarm only the newest change waits.
    FAIL: the feed ends with MxGatewayOverflowError.
    """

    CONFLATE = "conflate"
    FAIL = "fail"


class AlarmQueue:
    """Events in their order, and up to which place of the gateway's log they have been taken.

    Attributes:
        conflated: changes that a newer one of the same alarm has replaced.
        taken: whoever goes on here misses nothing that he has not taken; None before there is such a place.

    Raises:
        ValueError: there is no room for even one.
    """

    def __init__(self, size: int, overflow: AlarmOverflow, taken: pb.AlarmPosition | None) -> None:
        if size < 1:
            raise ValueError(f"queue_size is {size}, but at least one change has to fit")
        # Places stand behind the events that lead to them, so that the first entry never is one.
        self._entries: deque[AlarmEvent | pb.AlarmPosition] = deque()
        self._events = 0
        self._size = size
        self._overflow = overflow
        self.conflated = 0
        self.taken = taken

    def __len__(self) -> int:
        return self._events

    def take(self) -> AlarmEvent:
        """The oldest; there has to be one."""
        event = self._entries.popleft()
        assert not isinstance(event, pb.AlarmPosition)
        self._events -= 1
        while self._entries and isinstance(self._entries[0], pb.AlarmPosition):
            place = self._entries.popleft()
            assert isinstance(place, pb.AlarmPosition)
            self.taken = place
        return event

    def reached(self, place: pb.AlarmPosition) -> None:
        """The events so far lead to this place of the log."""
        if not self._entries:
            self.taken = place
            return
        if self.taken is None:
            # What waits comes after the first list, which can be looked at without taking anything.
            self.taken = place
        if isinstance(self._entries[-1], pb.AlarmPosition):
            self._entries.pop()
        self._entries.append(place)

    def put_all(self, events: Iterable[AlarmEvent]) -> None:
        """Adds events for which room is made, however many they are."""
        for event in events:
            self._entries.append(event)
            self._events += 1
        self._size = max(self._size, 2 * self._events)

    def put(self, event: AlarmEvent) -> None:
        """Adds an event.

        Raises:
            MxGatewayOverflowError: there is no room, and that is to be an error.
        """
        self._entries.append(event)
        self._events += 1
        if self._events <= self._size:
            return
        if self._overflow is AlarmOverflow.FAIL:
            raise MxGatewayOverflowError(
                f"{self._size} changes of alarms wait and the overflow policy is FAIL: the consumer is too slow"
            )
        before = self._events
        self._entries = _conflated(self._entries)
        self._events = sum(not isinstance(entry, pb.AlarmPosition) for entry in self._entries)
        self.conflated += before - self._events
        # Each alarm has its place, so that not every further change is looked at with all the others.
        self._size = max(self._size, 2 * self._events)


def _conflated(entries: deque[AlarmEvent | pb.AlarmPosition]) -> deque[AlarmEvent | pb.AlarmPosition]:
    """Of each alarm the newest change, which says what was before the oldest; of the rest the newest of its kind."""
    last: dict[object, int] = {}
    first_before: dict[object, Alarm | None] = {}
    for place, entry in enumerate(entries):
        key = _key(entry)
        last[key] = place
        if isinstance(entry, AlarmChange):
            first_before.setdefault(key, entry.previous)
    kept: deque[AlarmEvent | pb.AlarmPosition] = deque()
    for place, entry in enumerate(entries):
        key = _key(entry)
        if last[key] != place:
            continue
        if isinstance(entry, AlarmChange) and entry.previous is not first_before[key]:
            entry = AlarmChange(entry.kind, entry.alarm, first_before[key], entry.sequence, entry.origin)
        kept.append(entry)
    return kept


def _key(entry: AlarmEvent | pb.AlarmPosition) -> object:
    return entry.alarm.key if isinstance(entry, AlarmChange) else type(entry)
