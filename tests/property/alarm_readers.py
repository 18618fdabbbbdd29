"""Readers of alarm streams that keep a list from what they are told, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.support.alarm_plant import Facts

from mxgateway_server.alarms.feed import AlarmFeed, Wish
from mxgateway_server.alarms.model import Alarm, Kind, State
from mxgateway_server.alarms.subscriber import Subscriber
from mxgateway_server.alarms.telling import (
    Portion,
    Position,
    ToldAlarm,
    ToldChange,
    ToldGap,
    ToldLeft,
    ToldMarker,
    ToldPosition,
    ToldStatus,
)


def facts_of(alarm: Alarm) -> Facts:
    state = "" if alarm.state is State.ACK_RTN else alarm.state.name
    return Facts(
        alarm.source.reference,
        state,
        alarm.priority,
        alarm.is_shelved,
        int(alarm.mode),
        alarm.description,
    )


@dataclass
class Reader:
    """A program with a stream.

    Attributes:
        listed: its list, once the first snapshot is complete.
        sequence: up to which it is good.
    """

    wish: Wish
    stream: Subscriber | None = None
    listed: dict[str, Facts] = field(default_factory=dict)
    sequence: int | None = None
    position: Position | None = None
    transitions: list[tuple[str, Kind]] = field(default_factory=list)
    statuses: int = 0
    gaps: int = 0
    markers: int = 0
    _coming: dict[str, Facts] | None = None

    def open(self, feed: AlarmFeed, now: float) -> None:
        resume = self.position if self.wish.snapshot_on_gap else None
        wish = Wish(
            filter=self.wish.filter,
            viewer=self.wish.viewer,
            resume_after=resume,
            snapshot_on_gap=self.wish.snapshot_on_gap,
            is_extended=self.wish.is_extended,
            policy=self.wish.policy,
            position_interval=self.wish.position_interval,
        )
        if resume is None:
            self.sequence = None
        self.stream = feed.join("key", wish, now)
        self._coming = None

    def close(self, feed: AlarmFeed) -> None:
        if self.stream is not None:
            feed.leave(self.stream)
        self.stream = None

    def take(self, portion: Portion) -> None:
        for told, sequence in portion.items:
            self._take(told)
            if sequence is not None:
                self.sequence = sequence
                self.position = Position(portion.epoch, sequence, portion.filter_number)

    def _take(self, told: object) -> None:
        if isinstance(told, ToldAlarm):
            if self.sequence is None and self._coming is None:
                self._coming = {}
            target = self.listed if self._coming is None else self._coming
            target[told.alarm.source.reference.casefold()] = facts_of(told.alarm)
        elif isinstance(told, ToldMarker):
            self.markers += 1
            self.listed, self._coming = self._coming or {}, None
        elif isinstance(told, ToldChange):
            self._take_change(told)
        elif isinstance(told, ToldLeft):
            self.listed.pop(told.reference.casefold(), None)
        elif isinstance(told, ToldGap):
            # What follows is a snapshot; what there was is not to be trusted.
            self.gaps += 1
            self.sequence, self._coming = None, {}
        elif isinstance(told, ToldStatus):
            self.statuses += 1
        else:
            assert isinstance(told, ToldPosition)

    def _take_change(self, told: ToldChange) -> None:
        alarm = told.change.alarm
        key = alarm.source.reference.casefold()
        self.transitions.append((key, told.kind))
        if told.change.is_listed:
            self.listed[key] = facts_of(alarm)
        else:
            self.listed.pop(key, None)


@dataclass
class OldReader(Reader):
    """A program that knows only the original's messages, fields and kinds: which alarms are in alarm, and acknowledged.

    Its list is made of `acknowledged` by reference.
    """

    rows: dict[str, str] = field(default_factory=dict)
    _rows_coming: dict[str, str] | None = None

    def take(self, portion: Portion) -> None:
        for told, sequence in portion.items:
            if isinstance(told, ToldAlarm):
                if self._rows_coming is None:
                    self._rows_coming = {}
                state = {State.UNACK_ALM: "ACTIVE", State.ACK_ALM: "ACTIVE_ACKED"}.get(told.alarm.state, "INACTIVE")
                self._rows_coming[told.alarm.key] = state
            elif isinstance(told, ToldMarker):
                self.rows, self._rows_coming = self._rows_coming or {}, None
            elif isinstance(told, ToldChange):
                self._old_change(told.change.alarm.key, told.kind)
            else:
                assert isinstance(told, ToldStatus), told
            if sequence is not None:
                self.sequence = sequence

    def open(self, feed: AlarmFeed, now: float) -> None:
        super().open(feed, now)
        self._rows_coming = None

    def _old_change(self, key: str, kind: Kind) -> None:
        assert kind in (Kind.RAISE, Kind.ACKNOWLEDGE, Kind.CLEAR, Kind.RETRIGGER)
        if kind in (Kind.RAISE, Kind.RETRIGGER):
            self.rows[key] = "ACTIVE"
        elif kind is Kind.CLEAR:
            self.rows.pop(key, None)
        elif self.rows.get(key) == "ACTIVE":
            self.rows[key] = "ACTIVE_ACKED"
        else:
            # Acknowledged after its return: it is over.
            self.rows.pop(key, None)

    def in_alarm(self) -> dict[str, str]:
        return {key: state for key, state in self.rows.items() if state != "INACTIVE"}
