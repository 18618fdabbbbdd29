"""One stream of alarms: a cursor into the log. It has no queue, so a slow reader costs nobody anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from mxgateway_server.alarms.book import AlarmBook
from mxgateway_server.alarms.groups import FilterGroup, PortionLimits
from mxgateway_server.alarms.model import Alarm, Change
from mxgateway_server.alarms.notes import NoteBoard
from mxgateway_server.alarms.telling import (
    GapReason,
    Portion,
    Position,
    ProviderStatus,
    Reach,
    Told,
    ToldAlarm,
    ToldGap,
    ToldMarker,
    ToldPosition,
    ToldStatus,
)
from mxgateway_server.errors import AlarmLagError


class LagPolicy(IntEnum):
    """What happens when the log has gone past the cursor; the numbers of the contract."""

    RESYNC = 0
    DISCONNECT = 1
    GAP = 2


@dataclass(frozen=True, slots=True)
class Past:
    """Changes that only the history has: after `sequence`, up to `until`."""

    sequence: int
    until: int


@dataclass(slots=True)
class _Waiting:
    """There is no list yet."""


@dataclass(slots=True)
class _Cutting:
    """A snapshot is under way."""

    alarms: list[Alarm]
    sequence: int
    place: int = 0


@dataclass(slots=True)
class _Live:
    pass


Phase: TypeAlias = _Waiting | _Cutting | Past | _Live


class Subscriber:
    """What one stream has got, and what comes next. `now` is a monotonic time in seconds.

    Args:
        group: whom it is told the same as.
        policy: what happens when it is too slow.
        knows_gaps: whether its reader knows what a gap is.
        position_interval: seconds between two signs of life; 0 for none.
        max_messages: most messages at once; 0 for the usual number.
    """

    def __init__(
        self,
        group: FilterGroup,
        book: AlarmBook,
        notes: NoteBoard,
        limits: PortionLimits,
        *,
        policy: LagPolicy,
        knows_gaps: bool,
        position_interval: float,
        max_messages: int,
        now: float,
    ) -> None:
        self.group = group
        self.policy = policy
        self._book = book
        self._notes = notes
        self._limits = limits
        self._knows_gaps = knows_gaps
        self._interval = position_interval
        self._most = max_messages
        self._told_at = now
        self._phase: Phase = _Waiting()
        self._sequence = 0
        self._note = 0
        self._first: list[Told] = []
        self._has_told_status = False
        self._catches_up_to: int | None = None

    # ------------------------------------------------------------------------------------------------------------ begin

    def resume(self, sequence: int) -> None:
        """Goes on after this change, which the log still has the next of."""
        self._sequence = sequence
        self._begin_live()
        self._catches_up_to = self._book.log.newest

    def resume_from_past(self, sequence: int, until: int) -> None:
        """Goes on after this change with what the history has, up to `until`, and then with the log."""
        self._phase = Past(sequence, until)
        self._catches_up_to = self._book.log.newest

    def begin_with_gap(self, gap: ToldGap | None) -> None:
        """Begins with the list, after word of a gap where there is one."""
        if gap is not None:
            self._first.append(gap)

    # ------------------------------------------------------------------------------------------------------------- what

    @property
    def sequence(self) -> int:
        """The last change that it has."""
        return self._sequence

    @property
    def lag(self) -> int:
        """Changes that it has not got yet; none while it gets the whole list."""
        if isinstance(self._phase, Past):
            return self._book.log.newest - self._phase.sequence
        return self._book.log.newest - self._sequence if self.is_live else 0

    @property
    def past(self) -> Past | None:
        """What it needs of the history now."""
        return self._phase if isinstance(self._phase, Past) else None

    @property
    def is_live(self) -> bool:
        """Whether it has the whole list, up to its sequence."""
        return isinstance(self._phase, _Live)

    def next_sign(self, now: float) -> float | None:
        """Seconds until it has to be told that it is alive; None when it wants no such signs."""
        return max(0.0, self._told_at + self._interval - now) if self._interval and self.is_live else None

    def restart(self) -> None:
        """Begins with the list once more: what may be seen has changed."""
        if isinstance(self._phase, _Waiting):
            return
        log, number = self._book.log, self.group.number
        if self._knows_gaps:
            requested = Position(log.epoch, self._sequence, number)
            newest = Position(log.epoch, log.newest, number)
            self._first.append(ToldGap(requested, newest, 0, GapReason.RIGHTS))
        self._phase = _Waiting()
        self._catches_up_to = None

    def take(self, status: ProviderStatus, now: float, *, has_list: bool, reach: Reach | None = None) -> Portion | None:
        """What is to be sent now; None when there is nothing, and an empty one when it has to look on.

        Args:
            status: the provider's.
            has_list: whether there is a list at all.
            reach: how far a stream that has its list may go; None for as far as there is anything.

        Raises:
            AlarmLagError: the log has gone past the cursor, and the policy is to end.
        """
        portion = self._take(status, reach or Reach(self._book.log.newest, self._notes.newest), has_list=has_list)
        if portion is not None:
            self._told_at = now
        elif self._interval and self.is_live and now - self._told_at >= self._interval:
            self._told_at = now
            portion = self._portion([(ToldPosition(), self._sequence)])
        return portion

    def take_past(self, changes: Sequence[Change]) -> Portion | None:
        """Takes what the history had of `past`, the next of it in order; none when it has no more."""
        assert isinstance(self._phase, Past)
        numbers = range(self._phase.sequence + 1, self._phase.sequence + 1 + len(changes))
        if not changes or [change.sequence for change in changes] != list(numbers):
            # The history has lost some, or cannot be had: never in silence.
            self.lose_past()
            return self._portion([])
        items: list[tuple[Told, int | None]] = []
        for change in changes:
            items += [(told, change.sequence) for told in self.group.told_of(change)]
        reached = changes[-1].sequence
        if reached >= self._phase.until:
            self._sequence = self._phase.until
            self._begin_live()
        else:
            self._phase = Past(reached, self._phase.until)
        return self._portion(items) if items else None

    def lose_past(self) -> None:
        """The history cannot give what it needs: word of a gap, and the list."""
        assert isinstance(self._phase, Past)
        log, number = self._book.log, self.group.number
        requested = Position(log.epoch, self._phase.sequence, number)
        newest = Position(log.epoch, log.newest, number)
        self._first.append(ToldGap(requested, newest, log.newest - self._phase.sequence, GapReason.EXPIRED))
        self._phase, self._catches_up_to = _Waiting(), None

    # ---------------------------------------------------------------------------------------------------------- details

    def _take(self, status: ProviderStatus, reach: Reach, *, has_list: bool) -> Portion | None:
        if self._first:
            first, self._first = self._first, []
            return self._portion([(told, None) for told in first])
        if isinstance(self._phase, _Waiting):
            if not has_list:
                return self._status_once(status)
            # The cut and the cursor in one step: nothing twice, and nothing missing.
            self._phase = _Cutting(self._book.cut(), self._book.log.newest)
        if isinstance(self._phase, _Cutting):
            return self._take_of_cut(self._phase, status)
        if isinstance(self._phase, Past):
            return self._status_once(status)
        return self._take_of_log(status, reach)

    def _status_once(self, status: ProviderStatus) -> Portion | None:
        if self._has_told_status and self._note == self._notes.newest:
            return None
        self._has_told_status, self._note = True, self._notes.newest
        return self._portion([(ToldStatus(status), None)])

    def _take_of_cut(self, cut: _Cutting, status: ProviderStatus) -> Portion:
        items: list[tuple[Told, int | None]] = []
        cost = 0
        end = min(cut.place + self._limits.judged, len(cut.alarms))
        most = min(self._most or self._limits.messages, self._limits.messages)
        while cut.place < end and len(items) < most and cost < self._limits.max_bytes:
            alarm = cut.alarms[cut.place]
            cut.place += 1
            if self.group.takes(alarm):
                items.append((ToldAlarm(alarm, status.is_uncertain or alarm.is_uncertain), None))
                cost += alarm.cost()
        if cut.place == len(cut.alarms):
            self._sequence = cut.sequence
            self._note = self._notes.newest
            self._has_told_status = True
            items += [(ToldMarker(), cut.sequence), (ToldStatus(status), cut.sequence)]
            self._phase = _Live()
        return self._portion(items)

    def _begin_live(self) -> None:
        self._phase = _Live()
        self._note = self._notes.newest
        self._has_told_status = False

    def _take_of_log(self, status: ProviderStatus, reach: Reach) -> Portion | None:
        log = self._book.log
        if not self._has_told_status:
            self._has_told_status, self._note = True, self._notes.newest
            return self._portion([(ToldStatus(status), self._sequence)])
        if self._sequence < log.oldest - 1:
            return self._lagged()
        portion: Portion | None = None
        if self._has_new(reach):
            portion, self._sequence, self._note = self.group.portion(
                self._sequence, self._note, self._most, reach.sequence
            )
            if portion is None and self._has_new(reach):
                # Nothing for this stream so far; others have their turn before it looks on.
                return self._portion([])
        if portion is None and self._catches_up_to is not None and self._sequence >= self._catches_up_to:
            self._catches_up_to = None
            return self._portion([(ToldPosition(), self._sequence)])
        return portion

    def _has_new(self, reach: Reach) -> bool:
        """Whether there is something that it has not seen; it may be that nothing of it is for this stream."""
        return self._sequence < reach.sequence or self._note < reach.note

    def _lagged(self) -> Portion | None:
        log, number = self._book.log, self.group.number
        requested = Position(log.epoch, self._sequence, number)
        kept = log.oldest - 1
        if self.policy is LagPolicy.DISCONNECT:
            raise AlarmLagError(log.epoch, self._sequence, kept)
        gap = ToldGap(requested, Position(log.epoch, kept, number), kept - self._sequence, GapReason.LAGGED)
        self._catches_up_to = None
        if self.policy is LagPolicy.RESYNC:
            self._phase = _Waiting()
            at = None
        else:
            self._sequence = at = kept
        return self._portion([(gap, at)]) if self._knows_gaps else self._portion([])

    def _portion(self, items: Sequence[tuple[Told, int | None]]) -> Portion:
        return Portion(items, self._book.log.epoch, self.group.number)
