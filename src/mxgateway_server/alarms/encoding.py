"""From what streams are told to bytes: made once, and shared by all who are told the same."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.varints import varint
from mxgateway_protocol.wire import delimited, key
from mxgateway_server.alarms.facts import source_facts, with_facts
from mxgateway_server.alarms.model import Alarm, Change, Kind, Origin, State
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
_AS_ORIGIN = {
    origin: pb.OnAlarmTransitionEvent(origin=pb.AlarmOrigin.ValueType(origin)).SerializeToString() for origin in Origin
}
_CONDITIONS = {
    state: pb.ActiveAlarmSnapshot(current_state=condition).SerializeToString()
    for state, condition in (
        (State.UNACK_ALM, pb.ALARM_CONDITION_STATE_ACTIVE),
        (State.ACK_ALM, pb.ALARM_CONDITION_STATE_ACTIVE_ACKED),
        (State.UNACK_RTN, pb.ALARM_CONDITION_STATE_INACTIVE),
        (State.ACK_RTN, pb.ALARM_CONDITION_STATE_INACTIVE),
        (State.LATCHED, pb.ALARM_CONDITION_STATE_INACTIVE),
    )
}
_remembered_facts = lru_cache(maxsize=4096)(source_facts)


def snapshot_bytes(alarm: Alarm, *, is_uncertain: bool = False) -> bytes:
    """The alarm as a serialised ActiveAlarmSnapshot."""
    if not alarm.snapshot_bytes:
        # A long list would push out of memory what a storm has use for.
        alarm.snapshot_bytes = with_facts(
            source_facts(alarm.source), _CONDITIONS.get(alarm.state, b""), alarm, alarm.sequence
        )
    return alarm.snapshot_bytes + _UNCERTAIN if is_uncertain else alarm.snapshot_bytes


def transition_bytes(change: Change) -> bytes:
    """The change as a serialised OnAlarmTransitionEvent."""
    if not change.transition_bytes:
        alarm = change.alarm
        how = _AS_KIND[change.kind] + _AS_ORIGIN[change.origin]
        change.transition_bytes = with_facts(_remembered_facts(alarm.source), how, alarm, change.sequence)
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
        parts = _framed(portion.changes) or [delimited(_MESSAGES, _message(told)) for told, _ in portion.items]
        if portion.sequence is not None:
            parts.append(delimited(_BATCH_AT, _place(portion, portion.sequence)))
        portion.batch_bytes = b"".join(parts)
    return portion.batch_bytes


def _framed(changes: Sequence[Change]) -> list[bytes]:
    """The changes as elements of a batch, each in two parts, so that nothing is copied before they are joined."""
    parts: list[bytes] = []
    for change in changes:
        data = change.transition_bytes or transition_bytes(change)
        parts += (_frame(len(data)), data)
    return parts


@lru_cache(maxsize=1024)
def _frame(size: int) -> bytes:
    """What goes before a transition of so many bytes in a batch."""
    start = _TRANSITION + varint(size)
    return _MESSAGES + varint(len(start) + size) + start


def _message(told: Told) -> bytes:
    if isinstance(told, ToldChange):
        change, kind = told
        data = change.transition_bytes or transition_bytes(change)
        if kind is not change.kind:
            data += _AS_KIND[kind]
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
