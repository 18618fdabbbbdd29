"""Streams with equal filters and rights, which are told the same: each change is judged once for all of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from mxgateway_server.alarms.book import AlarmBook
from mxgateway_server.alarms.filters import ALL, MAX_PRIORITY, AlarmFilter, Sieve
from mxgateway_server.alarms.model import Alarm, AlarmSource, Change, Kind
from mxgateway_server.alarms.notes import NoteBoard
from mxgateway_server.alarms.telling import (
    LeftReason,
    Portion,
    Told,
    ToldAlarm,
    ToldChange,
    ToldFlood,
    ToldLeft,
    ToldStatus,
)


class Viewer(Protocol):
    """What a caller may see."""

    @property
    def number(self) -> int:
        """64 bits that tell what may be seen apart; 0 for everything."""

    @property
    def least_urgent(self) -> int:
        """The least urgent priority that is seen."""

    def sees_source(self, source: AlarmSource) -> bool:
        """Whether this alarm is seen in some state."""

    def sees(self, alarm: Alarm) -> bool:
        """Whether the alarm is seen as it is here."""


class Everything:
    """May see every alarm."""

    number = 0
    least_urgent = MAX_PRIORITY

    def sees_source(self, source: AlarmSource) -> bool:
        return True

    def sees(self, alarm: Alarm) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class PortionLimits:
    """Bounds of one portion.

    Attributes:
        messages: how many it may have.
        max_bytes: about how many bytes they may take.
        judged: changes or alarms that are looked at for one portion, so that none takes long.
    """

    messages: int = 500
    max_bytes: int = 256 * 1024
    judged: int = 4000


# Readers that keep up ask for the newest one or two; one that lags makes its own.
_KEPT_PORTIONS = 4
_MOST_VERDICTS = 10_000

# To readers who know only the original's kinds.
_AS_CLEAR = frozenset({Kind.REMOVE, Kind.LATCH, Kind.DISMISS})
_FIRST_EXTENDED = Kind.SHELVE


class FilterGroup:
    """One filter under one set of rights, for readers who know all kinds of change or only the original's."""

    def __init__(
        self,
        wanted: AlarmFilter,
        viewer: Viewer,
        book: AlarmBook,
        notes: NoteBoard,
        limits: PortionLimits,
        *,
        is_extended: bool,
    ) -> None:
        self.is_extended = is_extended
        # Equal rights and filters give equal numbers in every run, so that a position outlives a restart.
        self.number = wanted.number ^ viewer.number
        self.members = 0
        self._sieve = Sieve(wanted)
        self._viewer = viewer
        self._takes_all = wanted == ALL and not viewer.number
        # Judged by names and areas alone, an alarm is in the group's list as long as it is in the gateway's.
        self._is_of_sources = is_extended and self._sieve.is_of_sources and not viewer.number
        self._verdicts: dict[AlarmSource, bool] = {}
        self._book = book
        self._notes = notes
        self._limits = limits
        self._portions: OrderedDict[tuple[int, int, int, int], tuple[Portion | None, int, int]] = OrderedDict()

    def takes(self, alarm: Alarm) -> bool:
        """Whether this alarm, as it is here, is in the group's list."""
        if self._takes_all:
            return True
        return self._takes_source(alarm.source) and self._sieve.takes_moment(alarm) and self._viewer.sees(alarm)

    def portion(self, after: int, note: int, messages: int, until: int) -> tuple[Portion | None, int, int]:
        """What follows in the log, the same object for all who ask for the same.

        Args:
            after: sequence that the reader has.
            note: number of the last note that he has.
            messages: most messages that he wants at once; 0 for the usual number.
            until: sequence beyond which nothing is told yet.

        Returns:
            What he is told, None when the group has nothing to do with it; and his sequence and note after it.
        """
        most = min(messages or self._limits.messages, self._limits.messages)
        place = (after, note, most, until)
        kept = self._portions.get(place)
        if kept is None:
            kept = self._portions[place] = self._make(after, note, most, until)
            if len(self._portions) > _KEPT_PORTIONS:
                self._portions.popitem(last=False)
        return kept

    def forget(self) -> None:
        """What may be seen has changed: nothing that was judged before is used again."""
        self._portions.clear()

    def _takes_source(self, source: AlarmSource) -> bool:
        """What the sieve says of it; what it said before is at hand sooner than many globs."""
        verdict = self._verdicts.get(source)
        if verdict is None:
            if len(self._verdicts) >= _MOST_VERDICTS:
                self._verdicts.clear()
            verdict = self._verdicts[source] = self._sieve.takes_source(source)
        return verdict

    def _make(self, after: int, note: int, most: int, until: int) -> tuple[Portion | None, int, int]:
        if self._is_of_sources and note >= self._notes.newest:
            found = self._make_of_sources(after, note, most, until)
            if found is not None:
                return found
        items: list[tuple[Told, int | None]] = []
        cost, sequence = 0, after
        for sequence, news in self._news(after, note, until):
            if not isinstance(news, Change):
                note += 1
                # A flood's count is one of alarms that not everybody may see.
                if isinstance(news, ToldStatus) or (self.is_extended and not self._viewer.number):
                    items.append((news, sequence))
                continue
            told = self._told(news)
            items += [(each, sequence) for each in told]
            cost += news.size() if told else 0
            if len(items) >= most or cost >= self._limits.max_bytes:
                break
        if not items:
            return None, sequence, note
        if items[-1][1] != sequence:
            # What follows is none of this group's, and the reader need not see it again.
            items[-1] = (items[-1][0], sequence)
        return Portion(items, self._book.log.epoch, self.number), sequence, note

    def _make_of_sources(self, after: int, note: int, most: int, until: int) -> tuple[Portion | None, int, int] | None:
        """The same as `_make` does, for a group of sources, and where there is nothing but changes.

        None where the list before a change decides what is told of it.
        """
        told: list[Change] = []
        cost, sequence, takes, takes_all = 0, after, self._takes_source, self._takes_all
        for change in self._book.log.after(after, min(self._limits.judged, until - after)):
            before, source = change.before, change.alarm.source
            if before is None:
                if not (change.is_listed and change.is_before_known):
                    return None
            elif before.source is not source and not takes_all:
                return None
            sequence = change.sequence
            if takes_all or takes(source):
                told.append(change)
                cost += change.size()
                if len(told) >= most or cost >= self._limits.max_bytes:
                    break
        if not told:
            return None, sequence, note
        return Portion.of_changes(told, sequence, self._book.log.epoch, self.number), sequence, note

    def _news(self, after: int, note: int, until: int) -> Iterator[tuple[int, Change | ToldStatus | ToldFlood]]:
        """Changes and notes in the order in which they came, each with the sequence after it."""
        changes = self._book.log.after(after, min(self._limits.judged, until - after))
        notes = iter(self._notes.after(note))
        at, told = next(notes, (None, None))
        sequence = after
        for change in changes:
            while told is not None and at is not None and at < change.sequence:
                yield sequence, told
                at, told = next(notes, (None, None))
            sequence = change.sequence
            yield sequence, change
        while told is not None and at is not None and at <= sequence:
            yield sequence, told
            at, told = next(notes, (None, None))

    def told_of(self, change: Change) -> list[Told]:
        """What the group's readers are told of a change."""
        return self._told(change)

    def _told(self, change: Change) -> list[Told]:
        if self._takes_all:
            is_news = change.is_listed or change.before is not None or not change.is_before_known
            return self._as_told(change) if is_news else []
        alarm = change.alarm
        is_in = change.is_listed and self.takes(alarm)
        if not change.is_before_known:
            return self._told_without_before(change, is_in=is_in)
        before = change.before
        was_in = before is not None and self.takes(before)
        if was_in and is_in:
            return self._as_told(change)
        if was_in:
            if not self._viewer.sees(alarm):
                return self._hiding(change)
            return self._leaving(change, LeftReason.FILTER) if change.is_listed else self._as_told(change)
        if not is_in:
            return []
        return self._as_told(change) if before is None else self._entering(change)

    def _told_without_before(self, change: Change, *, is_in: bool) -> list[Told]:
        """From the history: who has not got the alarm is told that it left, which does him no harm."""
        if is_in:
            return self._as_told(change)
        if not self._viewer.sees(change.alarm):
            return []
        return self._leaving(change, LeftReason.FILTER) if change.is_listed else self._as_told(change)

    def _as_told(self, change: Change) -> list[Told]:
        kind = change.kind
        if self.is_extended or (kind < _FIRST_EXTENDED and kind is not Kind.UNKNOWN):
            return [ToldChange(change, kind)]
        return [ToldChange(change, Kind.CLEAR)] if kind in _AS_CLEAR else []

    def _leaving(self, change: Change, reason: LeftReason) -> list[Told]:
        if self.is_extended:
            return [ToldLeft(change.alarm.source.reference, reason)]
        # Its state goes along, so that this is no false news to those who can read it.
        return [ToldChange(change, Kind.CLEAR)]

    def _hiding(self, change: Change) -> list[Told]:
        """The alarm has become one that is not to be seen: nothing of what it is now is told."""
        if self.is_extended:
            return [ToldLeft(change.alarm.source.reference, LeftReason.HIDDEN)]
        assert change.before is not None
        return [ToldChange(replace(change, alarm=change.before, transition_bytes=b""), Kind.CLEAR)]

    def _entering(self, change: Change) -> list[Told]:
        alarm = change.alarm
        if self.is_extended:
            return [ToldAlarm(alarm, alarm.is_uncertain)]
        told: list[Told] = []
        if alarm.state.is_active:
            # A returned alarm is none to a reader who does not know that state.
            told.append(ToldChange(change, Kind.RAISE))
            if alarm.state.is_acknowledged:
                told.append(ToldChange(change, Kind.ACKNOWLEDGE))
        return told
