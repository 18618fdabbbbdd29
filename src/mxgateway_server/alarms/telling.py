"""What a stream of alarms is told: the messages before they are bytes, and the portions in which they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from mxgateway_server.alarms.model import Alarm, Change, Kind, Provider


class MonitorState(IntEnum):
    """What the monitor is doing."""

    DISABLED = 1
    STARTING = 2
    SYNCING = 3
    LIVE = 4
    DEGRADED = 5
    LOST = 6
    FAILED = 7


class Reason(IntEnum):
    """Why the provider is what it is; the numbers of the contract."""

    NONE = 0
    STARTED = 1
    FORCED = 2
    SUBSCRIBE_FAILED = 3
    POLL_FAILED = 4
    POLL_TOO_SLOW = 5
    BROKEN_RECORDS = 6
    RECOVERED = 7
    WORKER_LOST = 8
    EVENTS_LOST = 9
    NO_SNAPSHOT = 10
    MISCONFIGURED = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderStatus:
    """Who tells the alarms, and whether he does.

    Attributes:
        is_uncertain: the list is the last known, not whole, or there is none yet.
        since_ns: when it became so.
    """

    state: MonitorState
    provider: Provider = Provider.NONE
    is_degraded: bool = False
    is_forced: bool = False
    is_uncertain: bool = True
    reason: Reason = Reason.NONE
    text: str = ""
    hresult: int | None = None
    since_ns: int = 0

    def says_the_same(self, other: ProviderStatus) -> bool:
        """Whether a reader learns nothing new from it."""
        return self.told() == other.told()

    def told(self) -> tuple[object, ...]:
        return (self.provider, self.is_degraded, self.is_forced, self.is_uncertain, self.reason)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a log, taken under a filter."""

    epoch: str
    sequence: int
    filter_number: int = 0


class Reach(NamedTuple):
    """How far streams are told at the moment.

    Attributes:
        sequence: number of the last change.
        note: of the last note.
    """

    sequence: int
    note: int


class GapReason(IntEnum):
    """Why a stream has a gap; the names go over the wire in lower case."""

    LAGGED = 1
    EPOCH = 2
    FUTURE = 3
    FILTER = 4
    EXPIRED = 5
    RIGHTS = 6


class LeftReason(IntEnum):
    """Why an alarm left a stream's list; the numbers of the contract."""

    FILTER = 1
    REMOVED = 2
    HIDDEN = 3


@dataclass(slots=True, frozen=True)
class ToldAlarm:
    """An alarm that is in the list, as part of a snapshot or because it entered the filter."""

    alarm: Alarm
    is_uncertain: bool = False


@dataclass(slots=True, frozen=True)
class ToldMarker:
    """The snapshot is complete."""


class ToldChange(NamedTuple):
    """A change; under another kind where the reader does not know its own."""

    change: Change
    kind: Kind


@dataclass(slots=True, frozen=True)
class ToldLeft:
    """An alarm that left the stream's list and not the gateway's."""

    reference: str
    reason: LeftReason


@dataclass(slots=True, frozen=True)
class ToldStatus:
    status: ProviderStatus


@dataclass(slots=True, frozen=True)
class ToldGap:
    """Changes that are not told one by one; `lost` is 0 when their number is not known."""

    requested: Position
    oldest: Position
    lost: int
    reason: GapReason


@dataclass(slots=True, frozen=True)
class ToldPosition:
    """Nothing has happened up to here, or the stream has caught up."""


@dataclass(slots=True, frozen=True)
class ToldFlood:
    """A flood of alarms at an operator's position; it goes on while `ended_ns` is 0."""

    position: str
    began_ns: int
    ended_ns: int
    count: int


Told: TypeAlias = ToldAlarm | ToldMarker | ToldChange | ToldLeft | ToldStatus | ToldGap | ToldPosition | ToldFlood
Note: TypeAlias = ToldStatus | ToldFlood
"""What is told at a place of the log without being a change of the list."""


class Portion:
    """Messages that go out together.

    Args:
        items: the messages, each with the sequence after it; None before the snapshot is complete.
        filter_number: of the positions in it.

    Attributes:
        changes: when it is nothing but changes, told as they are; its items are made when somebody asks for them.
        sequence: where the stream stands after it.
        batch_bytes: kept here by whoever serialises it, and shared by all who are told the same.
        message_bytes: likewise, one by one.
    """

    __slots__ = ("_items", "batch_bytes", "changes", "epoch", "filter_number", "message_bytes", "sequence")

    def __init__(self, items: Sequence[tuple[Told, int | None]], epoch: str, filter_number: int) -> None:
        self._items: Sequence[tuple[Told, int | None]] | None = items
        self.changes: Sequence[Change] = ()
        self.sequence = items[-1][1] if items else None
        self.epoch = epoch
        self.filter_number = filter_number
        self.batch_bytes = b""
        self.message_bytes: tuple[bytes, ...] = ()

    @classmethod
    def of_changes(cls, changes: Sequence[Change], sequence: int, epoch: str, filter_number: int) -> Portion:
        """Changes as they are, one at least.

        Args:
            sequence: up to which there is no other for this stream.
        """
        portion = cls((), epoch, filter_number)
        portion._items, portion.changes, portion.sequence = None, changes, sequence
        return portion

    @property
    def is_empty(self) -> bool:
        return not (self._items or self.changes)

    @property
    def items(self) -> Sequence[tuple[Told, int | None]]:
        """The messages, each with the sequence after it."""
        if self._items is None:
            items: list[tuple[Told, int | None]] = [
                (ToldChange(each, each.kind), each.sequence) for each in self.changes
            ]
            items[-1] = (items[-1][0], self.sequence)
            self._items = items
        return self._items
