"""From the messages of an alarm stream to a list that is always whole, and to what happened. Without I/O and clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from mxgateway.alarm_model import (
    Alarm,
    AlarmChange,
    AlarmChangeKind,
    AlarmGap,
    AlarmOrigin,
    AlarmProviderChanged,
    AlarmsSynced,
    AlarmState,
    alarm_of,
)
from mxgateway.members import known
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

AlarmEvent: TypeAlias = AlarmChange | AlarmGap | AlarmsSynced | AlarmProviderChanged
"""What a feed tells."""

_ENDINGS = (AlarmChangeKind.REMOVE, AlarmChangeKind.DISMISS)


class AlarmReader:
    """The list of one feed, over all the streams that it has had one after the other."""

    def __init__(self) -> None:
        self._alarms: dict[str, Alarm] = {}
        self._building: dict[str, Alarm] | None = None
        self._is_whole = False
        self.position: pb.AlarmPosition | None = None
        """Where the stream can be resumed; None before the first list is whole, and with a gateway that has none."""
        self.provider: AlarmProviderChanged | None = None
        """The provider, as it was told last."""

    @property
    def alarms(self) -> Mapping[str, Alarm]:
        """The list by key: the last one that was whole, brought up to date. Not to be changed."""
        return MappingProxyType(self._alarms)

    @property
    def is_synced(self) -> bool:
        """Whether the list is whole and no other is under way."""
        return self._is_whole and self._building is None

    def begin(self, *, resumed: bool) -> None:
        """A stream begins.

        Args:
            resumed: it was asked to go on after `position`; then it sends a list only if it says that there is a gap.
        """
        self._building = None if resumed else {}

    def read(self, message: pb.AlarmFeedMessage) -> Iterator[AlarmEvent]:
        """What a message tells; the list is up to date when all of it has been taken."""
        if message.HasField("at"):
            self.position = message.at
        arm = message.WhichOneof("payload")
        if arm == "active_alarm":
            yield from self._alarm(alarm_of(message.active_alarm))
        elif arm == "snapshot_complete":
            yield from self._complete()
        elif arm == "transition":
            yield from self._transition(message.transition)
        elif arm == "provider_status":
            yield self._provider(message.provider_status)
        elif arm == "gap":
            # What follows is a list, as the feed asks for one.
            self._building = {}
            yield AlarmGap(message.gap.reason, message.gap.lost)
        elif arm == "left":
            previous = self._alarms.pop(message.left.alarm_full_reference.casefold(), None)
            if previous is not None:
                yield AlarmChange(AlarmChangeKind.LEFT, previous, previous, 0, AlarmOrigin.LIVE)

    def _alarm(self, alarm: Alarm) -> Iterator[AlarmChange]:
        if self._building is not None:
            self._building[alarm.key] = alarm
            return
        previous = self._alarms.get(alarm.key)
        self._alarms[alarm.key] = alarm
        yield AlarmChange(AlarmChangeKind.ENTERED, alarm, previous, 0, AlarmOrigin.LIVE)

    def _complete(self) -> Iterator[AlarmEvent]:
        found, self._building = self._building, None
        if found is not None:
            before, self._alarms = self._alarms, found
            if self._is_whole:
                yield from compared(before.values(), found)
            self._is_whole = True
        yield AlarmsSynced(len(self._alarms))

    def _transition(self, event: pb.OnAlarmTransitionEvent) -> Iterator[AlarmChange]:
        alarm = alarm_of(event)
        kind = known(AlarmChangeKind, event.transition_kind)
        # Before the list is whole, what happens is told all the same: it belongs to the list that is under way.
        alarms = self._alarms if self._building is None else self._building
        previous = alarms.get(alarm.key)
        if alarm.listed and kind not in _ENDINGS:
            alarms[alarm.key] = alarm
        else:
            alarms.pop(alarm.key, None)
        yield AlarmChange(kind, alarm, previous, event.sequence, known(AlarmOrigin, event.origin))

    def _provider(self, status: pb.AlarmProviderStatus) -> AlarmProviderChanged:
        self.provider = AlarmProviderChanged(status.degraded, status.forced, status.uncertain, status.reason)
        return self.provider


def compared(before: Iterable[Alarm], now: Mapping[str, Alarm]) -> Iterator[AlarmChange]:
    """What must have happened between two lists: one change, of the origin RECONCILE, for each alarm that differs."""
    known_before: dict[str, Alarm] = {}
    for alarm in before:
        known_before[alarm.key] = alarm
        if alarm.key not in now:
            yield AlarmChange(AlarmChangeKind.CLEAR, alarm, alarm, 0, AlarmOrigin.RECONCILE)
    for key, alarm in now.items():
        previous = known_before.get(key)
        kind = AlarmChangeKind.RAISE if previous is None else _between(previous, alarm)
        if kind is not None:
            yield AlarmChange(kind, alarm, previous, 0, AlarmOrigin.RECONCILE)


def _between(before: Alarm, now: Alarm) -> AlarmChangeKind | None:
    if before == now:
        return None
    if now.guid and before.guid and now.guid != before.guid and now.raised != before.raised:
        return AlarmChangeKind.RETRIGGER
    if before.state is now.state:
        return _beside_the_state(before, now)
    if now.state is AlarmState.UNACK_ALM:
        return AlarmChangeKind.RETRIGGER
    if now.state is AlarmState.LATCHED:
        return AlarmChangeKind.LATCH
    return AlarmChangeKind.ACKNOWLEDGE if now.state is AlarmState.ACK_ALM else AlarmChangeKind.CLEAR


def _beside_the_state(before: Alarm, now: Alarm) -> AlarmChangeKind:
    if before.shelved != now.shelved:
        return AlarmChangeKind.SHELVE if now.shelved else AlarmChangeKind.UNSHELVE
    return AlarmChangeKind.MODE if before.mode is not now.mode else AlarmChangeKind.UPDATE
