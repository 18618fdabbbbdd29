"""What the events of a session mean for a subscription: position, gaps, and the marks of a change.

Without I/O and clock: events and read results in, changes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Protocol

from mxgateway.data_change import DataChange, change_of, live_changes_of
from mxgateway.tables import failures
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp


_DATA_CHANGE = pb.MX_EVENT_FAMILY_ON_DATA_CHANGE
_KEYS: Mapping[tuple[bool, bool], Callable[[pb.MxEvent], tuple[int, ...]]] = {
    (is_numbering, has_origins): attrgetter(
        "server_handle", "client_handle" if is_numbering else "item_handle", "family", *(["origin"] * has_origins)
    )
    for is_numbering in (False, True)
    for has_origins in (False, True)
}
"""All that matters of an event but its position and its value, in one call: each field costs a tenth of a change."""


class Tags(Protocol):
    """Which item belongs to which tag."""

    @property
    def version(self) -> int:
        """Another one whenever `tag_of` may tell another tag, or none, of an event that it has told one of.

        What it tells depends on the handles of an event alone.
        """

    @property
    def is_numbering(self) -> bool:
        """Whether an event's client handle tells its tag, where it has one; else its item handle does. By version."""

    def tag_of(self, event: pb.MxEvent) -> str | None:
        """The wanted tag that an event belongs to."""

    def may_come_to_know(self, event: pb.MxEvent) -> bool:
        """Whether the reply that names the event's item may still be under way."""


class ChangeReader:
    """Where a subscription stands in its session's events, and what it has missed.

    Args:
        tags: which item belongs to which tag.
        take_lost: gives what was lost before the next change, which an event that has to wait takes with it.
    """

    def __init__(self, tags: Tags, take_lost: Callable[[], int] = int) -> None:
        self._tags = tags
        self._take_lost = take_lost
        self.position = 0
        """worker_sequence of the youngest event; 0 before the first one of a session."""
        self.gaps = 0
        """How often changes were lost."""
        self.lost = 0
        """Events that are known to be lost."""
        self.unresolved: dict[str, str] = {}
        """Tags whose first value says that they have none, with the reason; until a value without a failure comes."""
        self._seen: set[str] = set()
        # Tags whose next change is just that: nothing is to be judged, compared or marked about it.
        self._plain: set[str] = set()
        # Their tags by what their events say of themselves, as far as known since the set or the items last changed.
        self._tag_by_key: dict[tuple[int, ...], str] = {}
        self._known_version = -1
        self._key_of = _KEYS[False, True]
        # Whether an event that has a position may be another than a live one.
        self._has_origins = False
        # Source time (ns) of the value that was read again, by tag: older events than that are history.
        self._read_at: dict[str, int] = {}
        # Tags whose next value replaces what was missed.
        self._renewed: set[str] = set()
        # A first value may overtake the reply that tells which tag its item is; with what was lost before it.
        self._early: list[tuple[pb.MxEvent, bool, int]] = []

    def begin_session(self, *, renewed: Iterable[str] = ()) -> int:
        """A session that has no history yet takes the place of the former one, if there was one.

        Args:
            renewed: tags whose first value here is marked `recovered`.

        Returns:
            What was lost before events that have waited in vain.
        """
        lost = sum(lost for _, _, lost in self._early)
        self.position = 0
        self.unresolved.clear()
        self._seen.clear()
        self._plain.clear()
        self._tag_by_key.clear()
        self._read_at.clear()
        self._early.clear()
        self._renewed = set(renewed)
        self._set_origins(False)
        return lost

    def resume(self) -> None:
        """The session's events come on another stream from here: from the replay ring first, as each of them says."""
        self._set_origins(True)

    def _set_origins(self, has_origins: bool) -> None:
        self._has_origins = has_origins
        self._known_version = -1

    def forget(self, tags: Iterable[str]) -> None:
        """These tags are wanted no more."""
        for tag in tags:
            self._renewed.discard(tag)
            self._read_at.pop(tag, None)
            self._seen.discard(tag)
            self._plain.discard(tag)
            self.unresolved.pop(tag, None)
        self._tag_by_key.clear()

    def is_new(self, event: pb.MxEvent) -> bool:
        """Whether the event is beyond the position, which it moves; a gateway may replay more than was asked for."""
        sequence = event.worker_sequence
        if sequence:
            if sequence <= self.position:
                return False
            self.position = sequence
        return True

    def live_changes(
        self, batch: Sequence[pb.MxEvent], start: int, events: Iterator[pb.MxEvent], received: Timestamp | None
    ) -> tuple[list[DataChange], pb.MxEvent | None]:
        """The changes of the next events, up to one that is more than the next value of a tag, which comes with them.

        Nearly all events are no more than that, so nothing stands here that these do not need: each call and each field
        of an event is a good part of what it costs to take one. What the others are, `is_new` and `change` tell.

        Args:
            batch: all events that came together, which nobody may change from now on.
            start: where in it the next event stands, at least behind the replayed ones.
            events: what is left of it from there; up to the one that comes with the changes they are taken from it.
            received: when the gateway received them, where the events themselves do not say so.
        """
        if self._known_version != (version := self._tags.version):
            self._known_version = version
            self._tag_by_key.clear()
            self._key_of = _KEYS[self._tags.is_numbering, self._has_origins]
        tags: list[str] = []
        other: pb.MxEvent | None = None
        position, known, key_of, add = self.position, self._tag_by_key.get, self._key_of, tags.append
        for event in events:
            sequence = event.worker_sequence
            tag = known(key_of(event)) or self._plain_tag_of(event)
            if tag is None or sequence <= position:
                other = event
                break
            position = sequence
            add(tag)
        self.position = position
        return live_changes_of(tags, batch, start, received), other

    def _plain_tag_of(self, event: pb.MxEvent) -> str | None:
        """The tag of an event that is no more than its next value; None for any other."""
        tag = self._tags.tag_of(event)
        if tag is None or tag not in self._plain or event.family != _DATA_CHANGE or event.origin:
            return None
        if event.client_handle or not self._tags.is_numbering:
            self._tag_by_key[self._key_of(event)] = tag
        return tag

    def change(self, event: pb.MxEvent, is_replayed: bool, received: Timestamp | None = None) -> DataChange | None:
        """The change of an OnDataChange or a recovered value; None when it is of no wanted tag, as far as is known now.

        Args:
            event: of the family OnDataChange.
            is_replayed: whether it comes from the gateway's replay ring.
            received: when the gateway received it, where the event itself does not say so.
        """
        if received is not None:
            event.gateway_receive_timestamp.CopyFrom(received)
        tag = self._tags.tag_of(event)
        if tag is not None:
            is_sent_again = event.origin == pb.MX_EVENT_ORIGIN_RECOVERED
            return self.read_again(tag, event) if is_sent_again else self._marked(tag, event, is_replayed)
        if self._tags.may_come_to_know(event):
            self._early.append((event, is_replayed, self._take_lost()))
        return None

    def early_changes(self) -> list[tuple[int, DataChange | None]]:
        """What overtook its reply, once that is there: how many were lost before an event, and its change if any."""
        early, self._early = self._early, []
        return [(lost, self.change(event, is_replayed)) for event, is_replayed, lost in early]

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
        self._plain.discard(tag)
        # Events of before it may follow, and say so.
        self._set_origins(True)
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
        if tag not in self.unresolved and tag not in self._read_at:
            self._plain.add(tag)
        return change_of(tag, event, sequence=event.worker_sequence, replayed=is_replayed, recovered=is_recovered)

    def _judge(self, tag: str, event: pb.MxEvent) -> None:
        # MXAccess takes any reference; whether it exists shows only here.
        if failed := failures(event.statuses):
            self.unresolved[tag] = failed
        else:
            self.unresolved.pop(tag, None)
