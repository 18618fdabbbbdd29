"""What the events of a session mean for a subscription: position, gaps, and the marks of a change.

Without I/O and clock: events and read results in, changes out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from mxgateway.data_change import DataChange, change_of
from mxgateway.tables import failures
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp


class Tags(Protocol):
    """Which item belongs to which tag."""

    def tag_of(self, event: pb.MxEvent) -> str | None:
        """The wanted tag that an event belongs to."""

    def may_come_to_know(self, event: pb.MxEvent) -> bool:
        """Whether the reply that names the event's item may still be under way."""


class ChangeReader:
    """Where a subscription stands in its session's events, and what it has missed."""

    def __init__(self, tags: Tags) -> None:
        self._tags = tags
        self.position = 0
        """worker_sequence of the youngest event; 0 before the first one of a session."""
        self.gaps = 0
        """How often changes were lost."""
        self.lost = 0
        """Events that are known to be lost."""
        self.unresolved: dict[str, str] = {}
        """Tags whose first value says that they have none, with the reason; until a value without a failure comes."""
        self._seen: set[str] = set()
        # Source time (ns) of the value that was read again, by tag: older events than that are history.
        self._read_at: dict[str, int] = {}
        # Tags whose next value replaces what was missed.
        self._renewed: set[str] = set()
        # A first value may overtake the reply that tells which tag its item is.
        self._early: list[tuple[pb.MxEvent, bool]] = []

    def begin_session(self, *, renewed: Iterable[str] = ()) -> None:
        """A session that has no history yet takes the place of the former one, if there was one.

        Args:
            renewed: tags whose first value here is marked `recovered`.
        """
        self.position = 0
        self.unresolved.clear()
        self._seen.clear()
        self._read_at.clear()
        self._early.clear()
        self._renewed = set(renewed)

    def forget(self, tags: Iterable[str]) -> None:
        """These tags are wanted no more."""
        for tag in tags:
            self._renewed.discard(tag)
            self._read_at.pop(tag, None)
            self._seen.discard(tag)
            self.unresolved.pop(tag, None)

    def is_new(self, event: pb.MxEvent) -> bool:
        """Whether the event is beyond the position, which it moves; a gateway may replay more than was asked for."""
        sequence = event.worker_sequence
        if sequence:
            if sequence <= self.position:
                return False
            self.position = sequence
        return True

    def change(self, event: pb.MxEvent, is_replayed: bool, received: Timestamp | None = None) -> DataChange | None:
        """The change of an OnDataChange, or None when it belongs to no wanted tag (as far as is known now).

        Args:
            event: of the family OnDataChange.
            is_replayed: whether it comes from the gateway's replay ring.
            received: when the gateway received it, where the event itself does not say so.
        """
        if received is not None:
            event.gateway_receive_timestamp.CopyFrom(received)
        tag = self._tags.tag_of(event)
        if tag is not None:
            return self._marked(tag, event, is_replayed)
        if self._tags.may_come_to_know(event):
            self._early.append((event, is_replayed))
        return None

    def early_changes(self) -> list[DataChange]:
        """The changes that overtook their reply, once it is there."""
        early, self._early = self._early, []
        return [change for event, is_replayed in early if (change := self.change(event, is_replayed)) is not None]

    def has_to_read(self, gap: pb.ReplayGap, *, is_first: bool, is_conflated: bool) -> bool:
        """Whether current values may be newer than what comes after a gap.

        Under `conflate` what was dropped was replaced by a younger value of its item, which is in the stream; the
        first gap of a stream is another matter.
        """
        return is_first or not (is_conflated and gap.dropped_events > 0)

    def lose(self, gap: pb.ReplayGap) -> int:
        """Counts a gap and returns how many events are known to be lost in it."""
        self.gaps += 1
        lost = gap.dropped_events or max(gap.oldest_available_sequence - gap.requested_after_sequence - 1, 0)
        self.lost += lost
        return lost

    def read_again(self, tag: str, result: pb.BulkReadResult | pb.MxEvent) -> DataChange:
        """The change that stands for what was lost: the value as it is now, read or sent once more."""
        self._read_at[tag] = result.source_timestamp.ToNanoseconds()
        return change_of(tag, result, recovered=True)

    def _marked(self, tag: str, event: pb.MxEvent, is_replayed: bool) -> DataChange:
        if tag not in self._seen or tag in self.unresolved:
            self._seen.add(tag)
            self._judge(tag, event)
        is_recovered = tag in self._renewed
        self._renewed.discard(tag)
        if self._read_at and (read_at := self._read_at.get(tag)) is not None:
            if event.source_timestamp.ToNanoseconds() < read_at:
                is_replayed = True
            else:
                del self._read_at[tag]
        return change_of(tag, event, sequence=event.worker_sequence, replayed=is_replayed, recovered=is_recovered)

    def _judge(self, tag: str, event: pb.MxEvent) -> None:
        # MXAccess takes any reference; whether it exists shows only here.
        if failed := failures(event.statuses):
            self.unresolved[tag] = failed
        else:
            self.unresolved.pop(tag, None)
