"""From what streams are told to bytes: made once, and shared by all who are told the same."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.varints import varint
from mxgateway_protocol.wire import delimited, key
from mxgateway_server.alarms.model import Alarm, Change, Kind, State
from mxgateway_server.alarms.telling import (
    Portion,
    Position,
    ProviderStatus,
    Told,
    ToldAlarm,
    ToldChange,
    ToldFlood,
    ToldGap,
    ToldLeft,
    ToldMarker,
    ToldPosition,
    ToldStatus,
)

Feed = pb.AlarmFeedMessage

_ACTIVE_ALARM = key(Feed.ACTIVE_ALARM_FIELD_NUMBER, 2)
_TRANSITION = key(Feed.TRANSITION_FIELD_NUMBER, 2)
_POSITION = key(Feed.POSITION_FIELD_NUMBER, 2)
_AT = key(Feed.AT_FIELD_NUMBER, 2)
_MARKER = Feed(snapshot_complete=True).SerializeToString()
_MESSAGES = key(pb.AlarmFeedBatch.MESSAGES_FIELD_NUMBER, 2)
_BATCH_AT = key(pb.AlarmFeedBatch.AT_FIELD_NUMBER, 2)
# Of a field that occurs twice the last one counts.
_UNCERTAIN = pb.ActiveAlarmSnapshot(uncertain=True).SerializeToString()
_AS_KIND = {
    kind: pb.OnAlarmTransitionEvent(transition_kind=pb.AlarmTransitionKind.ValueType(kind)).SerializeToString()
    for kind in Kind
}

_CONDITIONS: dict[State, Any] = {
    State.UNACK_ALM: pb.ALARM_CONDITION_STATE_ACTIVE,
    State.ACK_ALM: pb.ALARM_CONDITION_STATE_ACTIVE_ACKED,
    State.UNACK_RTN: pb.ALARM_CONDITION_STATE_INACTIVE,
    State.ACK_RTN: pb.ALARM_CONDITION_STATE_INACTIVE,
    State.LATCHED: pb.ALARM_CONDITION_STATE_INACTIVE,
}


def snapshot_bytes(alarm: Alarm, *, is_uncertain: bool = False) -> bytes:
    """The alarm as a serialised ActiveAlarmSnapshot."""
    if not alarm.snapshot_bytes:
        message = pb.ActiveAlarmSnapshot(current_state=_CONDITIONS.get(alarm.state, 0), sequence=alarm.sequence)
        _fill(message, alarm)
        if alarm.changed_ns:
            message.last_transition_timestamp.FromNanoseconds(alarm.changed_ns)
        alarm.snapshot_bytes = message.SerializeToString()
    return alarm.snapshot_bytes + _UNCERTAIN if is_uncertain else alarm.snapshot_bytes


def transition_bytes(change: Change) -> bytes:
    """The change as a serialised OnAlarmTransitionEvent."""
    if not change.transition_bytes:
        alarm = change.alarm
        message = pb.OnAlarmTransitionEvent(
            transition_kind=pb.AlarmTransitionKind.ValueType(change.kind),
            origin=pb.AlarmOrigin.ValueType(change.origin),
            sequence=change.sequence,
        )
        _fill(message, alarm)
        if alarm.changed_ns:
            message.transition_timestamp.FromNanoseconds(alarm.changed_ns)
        change.transition_bytes = message.SerializeToString()
    return change.transition_bytes


def status_message(status: ProviderStatus) -> pb.AlarmProviderStatus:
    """The provider's status."""
    message = pb.AlarmProviderStatus(
        mode=pb.AlarmProviderMode.ValueType(status.provider),
        degraded=status.is_degraded,
        reason=status.text or status.reason.name.lower(),
        reason_code=pb.AlarmProviderReason.ValueType(status.reason),
        forced=status.is_forced,
        uncertain=status.is_uncertain,
        state=pb.AlarmMonitorState.ValueType(status.state),
    )
    if status.hresult is not None:
        message.hresult = status.hresult
    if status.since_ns:
        message.since.FromNanoseconds(status.since_ns)
    return message


def position_message(position: Position) -> pb.AlarmPosition:
    """A place in the log."""
    return pb.AlarmPosition(epoch=position.epoch, sequence=position.sequence, filter_hash=position.filter_number)


def messages_of(portion: Portion) -> tuple[bytes, ...]:
    """The portion as serialised AlarmFeedMessages, each with its position."""
    if not portion.message_bytes:
        portion.message_bytes = tuple(
            _message(told) + _at(portion, sequence) if sequence is not None else _message(told)
            for told, sequence in portion.items
        )
    return portion.message_bytes


def batch_of(portion: Portion) -> bytes:
    """The portion as a serialised AlarmFeedBatch."""
    if not portion.batch_bytes:
        parts = [delimited(_MESSAGES, _message(told)) for told, _ in portion.items]
        if portion.sequence is not None:
            parts.append(delimited(_BATCH_AT, _place(portion, portion.sequence)))
        portion.batch_bytes = b"".join(parts)
    return portion.batch_bytes


def _message(told: Told) -> bytes:
    if isinstance(told, ToldChange):
        data = transition_bytes(told.change)
        if told.kind is not told.change.kind:
            data += _AS_KIND[told.kind]
        return delimited(_TRANSITION, data)
    if isinstance(told, ToldAlarm):
        return delimited(_ACTIVE_ALARM, snapshot_bytes(told.alarm, is_uncertain=told.is_uncertain))
    if isinstance(told, ToldMarker):
        return _MARKER
    return _rare_message(told).SerializeToString()


def _rare_message(told: ToldStatus | ToldGap | ToldLeft | ToldPosition | ToldFlood) -> Feed:
    if isinstance(told, ToldStatus):
        return Feed(provider_status=status_message(told.status))
    if isinstance(told, ToldGap):
        gap = pb.AlarmGap(
            requested=position_message(told.requested),
            oldest=position_message(told.oldest),
            lost=told.lost,
            reason=told.reason.name.lower(),
        )
        return Feed(gap=gap)
    if isinstance(told, ToldLeft):
        reason = pb.AlarmLeftReason.ValueType(told.reason)
        return Feed(left=pb.AlarmLeft(alarm_full_reference=told.reference, reason=reason))
    if isinstance(told, ToldFlood):
        flood = pb.AlarmFlood(position=told.position, count=told.count)
        flood.began.FromNanoseconds(told.began_ns)
        if told.ended_ns:
            flood.ended.FromNanoseconds(told.ended_ns)
        return Feed(flood=flood)
    return Feed(position=pb.AlarmPosition())


@lru_cache(maxsize=512)
def _start_of_place(epoch: str, filter_number: int) -> bytes:
    return pb.AlarmPosition(epoch=epoch, filter_hash=filter_number).SerializeToString()


_SEQUENCE = key(pb.AlarmPosition.SEQUENCE_FIELD_NUMBER, 0)


def _place(portion: Portion, sequence: int) -> bytes:
    return _start_of_place(portion.epoch, portion.filter_number) + _SEQUENCE + varint(sequence)


def _at(portion: Portion, sequence: int) -> bytes:
    return delimited(_AT, _place(portion, sequence))


def _fill(message: pb.OnAlarmTransitionEvent | pb.ActiveAlarmSnapshot, alarm: Alarm) -> None:
    """What both messages have under the same numbers."""
    source = alarm.source
    message.alarm_full_reference = source.reference
    message.source_object_reference = source.object_reference
    message.alarm_type_name = source.type_name
    message.severity = alarm.priority
    message.category = source.area
    message.provider_name, message.group_name, message.alarm_name = source.provider, source.group, source.name
    message.alarm_class = source.alarm_class
    message.area_path.extend(source.area_path)
    message.alarm_guid, message.guid_derived = alarm.guid, alarm.is_guid_derived
    message.state = pb.AlarmState.ValueType(alarm.state)
    message.operator_user, message.operator_comment = alarm.operator_user, alarm.comment
    message.operator_node, message.operator_domain = alarm.operator_node, alarm.operator_domain
    message.operator_full_name = alarm.operator_full_name
    message.description = alarm.description
    message.degraded = alarm.is_degraded
    message.source_provider = pb.AlarmProviderMode.ValueType(alarm.provider_mode)
    message.mode = pb.AlarmMode.ValueType(alarm.mode)
    message.uncertain = alarm.is_uncertain
    message.raw_state = alarm.raw_state
    if alarm.value:
        message.current_value.ParseFromString(alarm.value)
    if alarm.limit:
        message.limit_value.ParseFromString(alarm.limit)
    if alarm.is_shelved:
        message.shelved = True
        message.shelve_user, message.shelve_node = alarm.shelve_user, alarm.shelve_node
        message.shelve_reason = alarm.shelve_reason
    for moment, name in (
        (alarm.raised_ns, "original_raise_timestamp"),
        (alarm.acknowledged_ns, "acknowledged_timestamp"),
        (alarm.cleared_ns, "cleared_timestamp"),
        (alarm.shelved_until_ns, "shelved_until"),
    ):
        if moment:
            getattr(message, name).FromNanoseconds(moment)
