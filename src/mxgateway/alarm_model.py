"""Alarms as programs want them: what an alarm is, what happened to it, and lists of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from mxgateway.members import known
from mxgateway.received_values import datetime_of, from_mx_value
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


class AlarmState(IntEnum):
    """The state of an alarm as the alarm manager knows it.

    UNKNOWN: the gateway's alarm provider told a state that is not understood; `Alarm.raw.raw_state` has its word.
    UNACK_ALM: in alarm, not acknowledged.
    ACK_ALM: in alarm, acknowledged.
    UNACK_RTN: returned, not acknowledged: it stays in the list.
    ACK_RTN: returned and acknowledged: not in the list any more.
    LATCHED: returned and acknowledged, and in the list until it is dismissed.
    """

    UNKNOWN = 0
    UNACK_ALM = 1
    ACK_ALM = 2
    UNACK_RTN = 3
    ACK_RTN = 4
    LATCHED = 5


class AlarmMode(IntEnum):
    """The most restrictive of the alarm's own command, its inhibit, and the modes around it."""

    UNKNOWN = 0
    ENABLED = 1
    SILENCED = 2
    DISABLED = 3


class AlarmChangeKind(IntEnum):
    """What happened to an alarm.

    RAISE: it came up. RETRIGGER: it came up again while it still was in the list.
    UPDATE: priority, text or value changed, its state did not. MODE: it was enabled, silenced or disabled.
    REMOVE: it left the list without a clear: undeployed, disabled, or not watched any more.
    ENTERED, LEFT: nothing happened to it, but a filter takes it now, or does not any more.
    """

    UNKNOWN = 0
    RAISE = 1
    ACKNOWLEDGE = 2
    CLEAR = 3
    RETRIGGER = 4
    SHELVE = 100
    UNSHELVE = 101
    MODE = 102
    UPDATE = 103
    REMOVE = 104
    LATCH = 105
    DISMISS = 106
    ENTERED = 1001
    LEFT = 1002


class AlarmOrigin(IntEnum):
    """Where a change comes from.

    LIVE: the provider told it when it happened.
    RECONCILE: found when lists were compared, in the gateway or after an interruption of this feed.
    SWITCH: found after the gateway's alarm provider was switched.
    INFERRED: a step that nobody saw but that must have been there.
    RESTART: found after the gateway or its worker was started again.
    """

    LIVE = 0
    RECONCILE = 1
    SWITCH = 2
    INFERRED = 3
    RESTART = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm at one moment. Times are aware datetimes in UTC, None where they are not known.

    Attributes:
        reference: `Provider!Group.Tag`, as the provider spells it.
        object_reference: object and attribute, such as `Pump_001.Pressure.Hi`.
        area: the area that it belongs to, and `area_path` that area and those around it, from the inside out.
        priority: 1 (most urgent) to 999.
        guid: names this occurrence; empty when it is not known.
        raised: start of this occurrence. changed: the provider's time of the last change.
        operator: who acknowledged it, as he said; `comment` is what he said about it.
        value, limit: as the alarm carries them, Python values; None without one.
        uncertain: the provider is silent: this is the last known state.
        degraded: told by watched attributes, since the alarm manager does not answer.
        raw: the generated message.
    """

    reference: str
    object_reference: str = ""
    area: str = ""
    area_path: tuple[str, ...] = ()
    type_name: str = ""
    alarm_class: str = ""
    priority: int = 0
    state: AlarmState = AlarmState.UNKNOWN
    mode: AlarmMode = AlarmMode.UNKNOWN
    guid: str = ""
    raised: datetime | None = None
    changed: datetime | None = None
    acknowledged_at: datetime | None = None
    cleared_at: datetime | None = None
    operator: str = ""
    operator_node: str = ""
    comment: str = ""
    description: str = ""
    value: Any = None
    limit: Any = None
    shelved: bool = False
    shelved_until: datetime | None = None
    shelve_user: str = ""
    shelve_reason: str = ""
    uncertain: bool = False
    degraded: bool = False
    raw: pb.ActiveAlarmSnapshot | pb.OnAlarmTransitionEvent | None = field(default=None, repr=False, compare=False)

    @property
    def key(self) -> str:
        """What alarms are told apart by: the reference without case."""
        return self.reference.casefold()

    @property
    def object(self) -> str:
        """Name of the object that has the alarm."""
        return self.object_reference.partition(".")[0]

    @property
    def active(self) -> bool:
        """Whether it is in alarm now."""
        return self.state in (AlarmState.UNACK_ALM, AlarmState.ACK_ALM)

    @property
    def acknowledged(self) -> bool:
        """Whether somebody has acknowledged this occurrence."""
        return self.state in (AlarmState.ACK_ALM, AlarmState.ACK_RTN, AlarmState.LATCHED)

    @property
    def listed(self) -> bool:
        """Whether it belongs into the list of active alarms."""
        return self.state is not AlarmState.ACK_RTN

    def age(self, now: datetime) -> timedelta | None:
        """Time since it came up; None when that is not known."""
        return None if self.raised is None else now - self.raised

    def __str__(self) -> str:
        since = f" since {self.raised:%Y-%m-%d %H:%M:%S} UTC" if self.raised else ""
        text = f": {self.description}" if self.description else ""
        return f"{self.reference} {self.state.name} priority {self.priority}{since}{text}"


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """Something that happened to an alarm, or to its place in this feed's list.

    Attributes:
        alarm: as it is now; when it left the list, as it was last.
        previous: as this feed knew it before; None when it did not.
        sequence: the gateway's number of the change; 0 for one that this feed found by comparing lists.
    """

    kind: AlarmChangeKind
    alarm: Alarm
    previous: Alarm | None
    sequence: int
    origin: AlarmOrigin


@dataclass(frozen=True, slots=True)
class AlarmGap:
    """Changes are missing: what they came to is told by changes of the origin RECONCILE that follow.

    Attributes:
        reason: `lagged`, `epoch`, `future`, `filter`, `expired`, `rights` when what the key may see was judged anew,
            `unsupported` by a gateway without positions.
        lost: changes of the gateway's whole log that are missing; 0 when that is not known.
    """

    reason: str
    lost: int


@dataclass(frozen=True, slots=True)
class AlarmsSynced:
    """The list is whole: `count` alarms are in it."""

    count: int


@dataclass(frozen=True, slots=True)
class AlarmProviderChanged:
    """Who tells the gateway the alarms, and whether he does.

    Attributes:
        degraded: by watched attributes, since the alarm manager does not answer.
        forced: the gateway's settings ask for this provider.
        uncertain: nobody tells them now: the list is the last known.
        reason: in words.
    """

    degraded: bool
    forced: bool
    uncertain: bool
    reason: str


def alarm_of(message: pb.ActiveAlarmSnapshot | pb.OnAlarmTransitionEvent) -> Alarm:
    """The alarm of a generated message. Never raises: what this library does not know becomes UNKNOWN."""
    if isinstance(message, pb.ActiveAlarmSnapshot):
        stamp = message.last_transition_timestamp
    else:
        stamp = message.transition_timestamp
    return Alarm(
        reference=message.alarm_full_reference,
        object_reference=message.source_object_reference,
        area=message.category,
        area_path=tuple(message.area_path),
        type_name=message.alarm_type_name,
        alarm_class=message.alarm_class,
        priority=message.severity,
        state=_state(message),
        mode=known(AlarmMode, message.mode),
        guid=message.alarm_guid,
        raised=_time(message, "original_raise_timestamp"),
        changed=_moment(stamp),
        acknowledged_at=_time(message, "acknowledged_timestamp"),
        cleared_at=_time(message, "cleared_timestamp"),
        operator=message.operator_user,
        operator_node=message.operator_node,
        comment=message.operator_comment,
        description=message.description,
        value=from_mx_value(message.current_value) if message.HasField("current_value") else None,
        limit=from_mx_value(message.limit_value) if message.HasField("limit_value") else None,
        shelved=message.shelved,
        shelved_until=_time(message, "shelved_until"),
        shelve_user=message.shelve_user,
        shelve_reason=message.shelve_reason,
        uncertain=message.uncertain,
        degraded=message.degraded,
        raw=message,
    )


# What an original gateway, which knows no states, tells by its own words.
_BY_CONDITION = {
    pb.ALARM_CONDITION_STATE_ACTIVE: AlarmState.UNACK_ALM,
    pb.ALARM_CONDITION_STATE_ACTIVE_ACKED: AlarmState.ACK_ALM,
    pb.ALARM_CONDITION_STATE_INACTIVE: AlarmState.UNACK_RTN,
}
_BY_KIND = {
    pb.ALARM_TRANSITION_KIND_RAISE: AlarmState.UNACK_ALM,
    pb.ALARM_TRANSITION_KIND_RETRIGGER: AlarmState.UNACK_ALM,
    pb.ALARM_TRANSITION_KIND_ACKNOWLEDGE: AlarmState.ACK_ALM,
    pb.ALARM_TRANSITION_KIND_CLEAR: AlarmState.ACK_RTN,
}


def _state(message: pb.ActiveAlarmSnapshot | pb.OnAlarmTransitionEvent) -> AlarmState:
    if message.state or message.raw_state:
        return known(AlarmState, message.state)
    if isinstance(message, pb.ActiveAlarmSnapshot):
        return _BY_CONDITION.get(message.current_state, AlarmState.UNKNOWN)
    return _BY_KIND.get(message.transition_kind, AlarmState.UNKNOWN)


def _time(message: pb.ActiveAlarmSnapshot | pb.OnAlarmTransitionEvent, name: str) -> datetime | None:
    return _moment(getattr(message, name)) if message.HasField(name) else None  # type: ignore[arg-type]


def _moment(stamp: Timestamp) -> datetime | None:
    return datetime_of(stamp) if stamp.seconds or stamp.nanos else None
