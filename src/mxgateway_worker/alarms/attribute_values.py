"""From the attributes of alarms to records: what InAlarm, Acked and the times together mean.

The attributes of one alarm change one after the other in one batch, in any order: they are looked at when the batch is
over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import NAMESPACE_OID, uuid5

from mxgateway_protocol.alarms.records import ACK_ALM, ACK_RTN, UNACK_ALM, UNACK_RTN, AlarmRecord, split_reference


class Role:
    """What an attribute says about its alarm."""

    ACTIVE = "active"
    ACKED = "acked"
    PRIORITY = "priority"
    TIME_ON = "time_on"
    TIME_OFF = "time_off"
    TIME_ACKED = "time_acked"


TIMES = (Role.TIME_ON, Role.TIME_OFF, Role.TIME_ACKED)


class Watched(NamedTuple):
    """One alarm of the watch list.

    Attributes:
        attributes: by role, the full references that are watched.
        comment: full reference that acknowledges when it is written; empty for none.
    """

    reference: str
    source: str
    area: str
    attributes: tuple[tuple[str, str], ...]
    comment: str


class Seen(NamedTuple):
    """The last value of an attribute; None while there is none."""

    value: object
    is_good: bool
    time_ns: int


@dataclass(slots=True)
class WatchedAlarm:
    """One alarm, as far as its attributes have told."""

    watched: Watched
    seen: dict[str, Seen] = field(default_factory=dict)
    record: AlarmRecord | None = None
    was_in_alarm: bool = False
    # A start that the alarm still tells after it came up again, and when it did.
    _stale_on: int = 0
    _came_up_ns: int = 0

    @property
    def has_told(self) -> bool:
        """Whether every attribute has had its first callback."""
        return len(self.seen) == len(self.watched.attributes)

    def _value(self, role: str) -> object:
        seen = self.seen.get(role)
        return seen.value if seen is not None else None

    def _time(self, role: str) -> int:
        value = self._value(role)
        return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0

    @property
    def tells_times(self) -> bool:
        """Whether returned alarms can be told from those at rest."""
        return any(role == Role.TIME_ON for role, _ in self.watched.attributes)

    def settle(self) -> AlarmRecord | None:
        """The record now that the batch is over; None for an alarm that is not in the list and never was."""
        parts = split_reference(self.watched.reference) or ("Galaxy", self.watched.area, self.watched.source)
        active, acked = self.seen.get(Role.ACTIVE), self.seen.get(Role.ACKED)
        if active is None or acked is None or not (active.is_good and acked.is_good):
            return self._uncertain()
        time_on = self._time_on(active)
        state = self._state(bool(active.value), bool(acked.value), time_on)
        if state is None:
            self.record = None
            return None
        on_ns = time_on or (active.time_ns if active.value else 0)
        if not on_ns and self.record is not None:
            on_ns = self.record.raised_ns
        off_ns = self._time(Role.TIME_OFF) or (0 if active.value else active.time_ns)
        acked_ns = self._time(Role.TIME_ACKED) or acked.time_ns
        changed = {UNACK_ALM: on_ns, ACK_ALM: acked_ns, UNACK_RTN: off_ns, ACK_RTN: max(off_ns, acked_ns)}[state]
        priority = self._value(Role.PRIORITY)
        self.was_in_alarm = True
        self.record = AlarmRecord(
            provider=parts[0],
            group=parts[1],
            name=parts[2],
            state=state,
            guid=str(uuid5(NAMESPACE_OID, f"{self.watched.reference.casefold()}/{on_ns}")),
            priority=max(1, min(priority, 999)) if isinstance(priority, int) else 500,
            value="true" if active.value else "false",
            changed_ns=changed,
            raised_ns=on_ns,
            acked_ns=acked_ns if state in (ACK_ALM, ACK_RTN) else 0,
            cleared_ns=off_ns if state in (UNACK_RTN, ACK_RTN) else 0,
            is_guid_derived=True,
        )
        return self.record

    def _time_on(self, active: Seen) -> int:
        """When it came up, as it tells; 0 when it does not.

        Its attributes may come apart: then it is in alarm again, and still tells the start of the time before.
        """
        told, before = self._time(Role.TIME_ON), self.record
        if not told:
            return 0
        has_returned = before is not None and before.state in (UNACK_RTN, ACK_RTN)
        if active.value and before is not None and has_returned and active.time_ns > before.raised_ns:
            self._stale_on, self._came_up_ns = (
                (told, active.time_ns) if told in (before.raised_ns, self._stale_on) else (0, 0)
            )
        return self._came_up_ns if told == self._stale_on else told

    def _state(self, active: bool, acked: bool, time_on: int) -> str | None:
        before = self.record
        if active:
            if acked:
                return ACK_ALM
            # Acked alone turning false says nothing; with another start it is another occurrence.
            is_same = before is not None and before.state == ACK_ALM and time_on in (0, before.raised_ns)
            return ACK_ALM if is_same else UNACK_ALM
        if acked:
            return ACK_RTN if self.was_in_alarm else None
        if before is not None and before.state in (UNACK_ALM, UNACK_RTN):
            return UNACK_RTN
        if before is not None and before.state == ACK_ALM and time_on in (0, before.raised_ns):
            return ACK_RTN
        # At first sight: only the times tell what returned unacknowledged from what never was in alarm.
        return UNACK_RTN if time_on and time_on > self._time(Role.TIME_ACKED) else None

    def _uncertain(self) -> AlarmRecord | None:
        if self.record is not None and not self.record.is_uncertain:
            self.record = self.record._replace(is_uncertain=True)
        return self.record
