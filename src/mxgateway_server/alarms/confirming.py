"""Acknowledgements and shelvings that wait for their change to come, and how they know it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from mxgateway_server.alarms.model import Alarm, Change, Kind
from mxgateway_server.alarms.occurrences import is_same_occurrence
from mxgateway_server.alarms.telling import ProviderStatus


class Wanted(Enum):
    """What is waited for."""

    ACKNOWLEDGED = auto()
    DISMISSED = auto()
    SHELVED = auto()
    UNSHELVED = auto()


class Seen(Enum):
    """How the wait ended."""

    CONFIRMED = auto()
    OTHER_OCCURRENCE = auto()
    """The change came, and it was another occurrence's."""
    GONE = auto()
    """The alarm left the list in another way."""


@dataclass(slots=True, eq=False)
class Expectation:
    """A wait for one change.

    Attributes:
        alarm: as it was when the wait began.
        is_first: nobody else waited for the same when it began.
        on_seen: called once when it has ended.
        change: the change that ended it.
    """

    alarm: Alarm
    wanted: Wanted
    is_first: bool = True
    on_seen: Callable[[], None] = field(default=lambda: None)
    seen: Seen | None = None
    change: Change | None = None

    def take(self, change: Change) -> bool:
        """Looks at a change of the alarm; whether the wait is over with it."""
        self.seen = self._judge(change)
        if self.seen is None:
            return False
        self.change = change
        return True

    def _judge(self, change: Change) -> Seen | None:
        if not self._is_it(change):
            return Seen.GONE if change.kind is Kind.REMOVE else None
        return Seen.CONFIRMED if self._is_same(change.alarm) else Seen.OTHER_OCCURRENCE

    def _is_it(self, change: Change) -> bool:
        kind, alarm = change.kind, change.alarm
        if self.wanted is Wanted.ACKNOWLEDGED:
            # Acknowledged and returned in one step shows as a clear that owes nothing.
            return kind is not Kind.REMOVE and alarm.state.is_acknowledged and not _was_acknowledged(change)
        if self.wanted is Wanted.DISMISSED:
            return kind is Kind.DISMISS
        if self.wanted is Wanted.SHELVED:
            return alarm.is_shelved and kind in (Kind.SHELVE, Kind.UPDATE)
        return not alarm.is_shelved and kind is Kind.UNSHELVE

    def _is_same(self, alarm: Alarm) -> bool:
        # By GUID where there are any: an acknowledgement of another occurrence is not this one's.
        guids, others = set(self.alarm.all_guids), set(alarm.all_guids)
        return bool(guids & others) if guids and others else is_same_occurrence(self.alarm, alarm)


def _was_acknowledged(change: Change) -> bool:
    return change.before is not None and change.before.state.is_acknowledged


class Confirmations:
    """All waits, by alarm."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Expectation]] = {}
        self.unconfirmed = 0
        """Acknowledgements that the provider took and whose change did not come in time."""

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def expect(self, alarm: Alarm, wanted: Wanted) -> Expectation:
        """Begins a wait; it has to begin before the provider is asked, as the change may come before its answer."""
        others = self._waiting.setdefault(alarm.key, [])
        expectation = Expectation(alarm, wanted, is_first=not any(each.wanted is wanted for each in others))
        others.append(expectation)
        return expectation

    def forget(self, expectation: Expectation) -> None:
        """Ends a wait; one that is over already, too."""
        waiting = self._waiting.get(expectation.alarm.key, [])
        if expectation in waiting:
            waiting.remove(expectation)
            if not waiting:
                del self._waiting[expectation.alarm.key]

    # ------------------------------------------------------------------------------------------------------- observing

    def adopted(self, alarms: Sequence[Alarm], sequence: int) -> None: ...

    def changed(self, change: Change) -> None:
        if not self._waiting:
            return
        for expectation in tuple(self._waiting.get(change.alarm.key, ())):
            if expectation.take(change):
                self.forget(expectation)
                expectation.on_seen()

    def status_changed(self, status: ProviderStatus) -> None: ...
