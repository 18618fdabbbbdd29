"""All streams of alarms: how each begins, and who shares what it is told with whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from mxgateway_server.alarms.book import AlarmBook
from mxgateway_server.alarms.filters import ALL, MAX_PRIORITY, AlarmFilter
from mxgateway_server.alarms.groups import Everything, FilterGroup, PortionLimits, Viewer
from mxgateway_server.alarms.notes import NoteBoard
from mxgateway_server.alarms.subscriber import LagPolicy, Subscriber
from mxgateway_server.alarms.telling import GapReason, Position, ToldGap
from mxgateway_server.errors import AlarmStreamLimitError

MOST_FROM_HISTORY = 100_000
"""Changes that one stream gets out of the history; for more a snapshot is quicker."""


@dataclass(frozen=True, slots=True)
class FeedLimits:
    """Bounds of all streams together.

    Attributes:
        streams_of_key: streams that one key may have at once.
        groups: different filters, times rights, that may be in use at once.
        portion: of one portion.
    """

    streams_of_key: int = 16
    groups: int = 256
    portion: PortionLimits = field(default_factory=PortionLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a caller wants his stream.

    Attributes:
        resume_after: the last position that he has.
        snapshot_on_gap: no snapshot when the stream can go on after that position.
        is_extended: he knows all kinds of change, and what is told beside them.
        position_interval: seconds between two signs of life; 0 for none.
        max_messages: of one portion; 0 for the usual number.
    """

    filter: AlarmFilter = ALL
    viewer: Viewer = field(default_factory=Everything)
    resume_after: Position | None = None
    snapshot_on_gap: bool = False
    is_extended: bool = False
    policy: LagPolicy = LagPolicy.RESYNC
    position_interval: float = 0.0
    max_messages: int = 0


class _Place(NamedTuple):
    """What makes streams the same."""

    filter: AlarmFilter
    viewer: int
    is_extended: bool


class AlarmFeed:
    """The streams of alarms. Single-threaded."""

    def __init__(self, book: AlarmBook, notes: NoteBoard, limits: FeedLimits) -> None:
        self._book = book
        self._notes = notes
        self._limits = limits
        self._groups: dict[_Place, FilterGroup] = {}
        self._of_key: dict[str, int] = {}
        self._subscribers: dict[Subscriber, tuple[str, _Place]] = {}
        self.oldest_in_history: int | None = None
        """Number of the change after which the history has all; None without a history."""

    def __len__(self) -> int:
        return len(self._subscribers)

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        return tuple(self._subscribers)

    @property
    def lag(self) -> int:
        """Changes that the slowest stream has not got yet."""
        return max((each.lag for each in self._subscribers), default=0)

    @property
    def groups(self) -> int:
        """How many different streams there are."""
        return len(self._groups)

    def join(self, key_id: str, wish: Wish, now: float) -> Subscriber:
        """Begins a stream.

        Raises:
            AlarmStreamLimitError: the key has its number of streams, or there are too many different filters.
        """
        of_key = self._of_key.get(key_id, 0)
        if of_key >= self._limits.streams_of_key:
            raise AlarmStreamLimitError(
                f"this API key has its {of_key} alarm streams (setting alarms.streams.per_key); end one, or share it"
            )
        place = _Place(wish.filter, wish.viewer.number, wish.is_extended)
        group = self._group(place, wish)
        subscriber = Subscriber(
            group,
            self._book,
            self._notes,
            self._limits.portion,
            policy=wish.policy,
            knows_gaps=wish.is_extended or wish.snapshot_on_gap or wish.policy is not LagPolicy.RESYNC,
            position_interval=wish.position_interval if wish.is_extended else 0.0,
            max_messages=wish.max_messages,
            now=now,
        )
        self._begin(subscriber, wish)
        group.members += 1
        self._of_key[key_id] = of_key + 1
        self._subscribers[subscriber] = (key_id, place)
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        """Ends a stream; doing so again does nothing."""
        left = self._subscribers.pop(subscriber, None)
        if left is None:
            return
        key_id, place = left
        self._of_key[key_id] -= 1
        if not self._of_key[key_id]:
            del self._of_key[key_id]
        subscriber.group.members -= 1
        if not subscriber.group.members:
            del self._groups[place]

    def sight_changed(self) -> None:
        """What limited keys may see is judged anew: their streams begin with the list once more."""
        for place, group in self._groups.items():
            if place.viewer:
                group.forget()
        for subscriber, (_, place) in self._subscribers.items():
            if place.viewer:
                subscriber.restart()

    # ---------------------------------------------------------------------------------------------------------- details

    def _group(self, place: _Place, wish: Wish) -> FilterGroup:
        group = self._groups.get(place)
        if group is None:
            if len(self._groups) >= self._limits.groups:
                raise AlarmStreamLimitError(
                    f"{len(self._groups)} different alarm filters are in use, as many as there may be (setting "
                    "alarms.streams.filter_groups)",
                    retry_after=5.0,
                )
            group = self._groups[place] = FilterGroup(
                wish.filter,
                wish.viewer,
                self._book,
                self._notes,
                self._limits.portion,
                is_extended=wish.is_extended,
            )
        return group

    def _begin(self, subscriber: Subscriber, wish: Wish) -> None:
        after = wish.resume_after
        if after is None or not wish.snapshot_on_gap:
            return
        log, number = self._book.log, subscriber.group.number
        reason: GapReason | None = None
        if after.epoch != log.epoch:
            reason = GapReason.EPOCH
        elif after.sequence > log.newest:
            reason = GapReason.FUTURE
        elif after.filter_number != number:
            reason = GapReason.FILTER
        elif after.sequence >= log.oldest - 1:
            subscriber.resume(after.sequence)
            return
        elif self._history_has(after.sequence) and wish.viewer.least_urgent == MAX_PRIORITY:
            # Whether an alarm was seen before a change of its priority is not in the history.
            subscriber.resume_from_past(after.sequence, log.oldest - 1)
            return
        else:
            reason = GapReason.EXPIRED
        lost = log.newest - after.sequence if reason in (GapReason.EXPIRED, GapReason.FILTER) else 0
        subscriber.begin_with_gap(ToldGap(after, Position(log.epoch, log.newest, number), lost, reason))

    def _history_has(self, sequence: int) -> bool:
        oldest = self.oldest_in_history
        return oldest is not None and oldest <= sequence and self._book.log.newest - sequence <= MOST_FROM_HISTORY
