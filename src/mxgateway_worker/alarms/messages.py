"""Alarms and their changes as messages of the contract."""

from __future__ import annotations

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.alarms.records import ACK_ALM, IN_ALARM, STATES, AlarmRecord
from mxgateway_protocol.values import timestamp_from_ns, to_wire
from mxgateway_protocol.variants import DataType, Variant, VarType
from mxgateway_worker.alarms.changes import Change
from mxgateway_worker.alarms.failover import Speaker, Switch

_MODES = {
    "ENABLED": pb.ALARM_MODE_ENABLED,
    "SILENCED": pb.ALARM_MODE_SILENCED,
    "DISABLED": pb.ALARM_MODE_DISABLED,
}
_STATES = {name: number for number, name in enumerate(STATES, 1)}


def transition_event(session_id: str, change: Change, speaker: Speaker, now_ns: int) -> bytes:
    """A change as a serialised MxEvent that lacks its worker_sequence."""
    event = pb.MxEvent(family=pb.MX_EVENT_FAMILY_ON_ALARM_TRANSITION, session_id=session_id)
    event.worker_timestamp.CopyFrom(timestamp_from_ns(now_ns))
    transition = event.on_alarm_transition
    transition.transition_kind = pb.AlarmTransitionKind.ValueType(change.kind)
    transition.origin = pb.AlarmOrigin.ValueType(change.origin)
    if change.at_ns:
        transition.transition_timestamp.CopyFrom(timestamp_from_ns(change.at_ns))
    _fill(transition, change.alarm, speaker)
    return event.SerializeToString()


def mode_changed_event(session_id: str, switch: Switch, at_ns: int, now_ns: int) -> bytes:
    """A change of the speaker as a serialised MxEvent that lacks its worker_sequence."""
    event = pb.MxEvent(family=pb.MX_EVENT_FAMILY_ON_ALARM_PROVIDER_MODE_CHANGED, session_id=session_id)
    event.worker_timestamp.CopyFrom(timestamp_from_ns(now_ns))
    changed = event.on_alarm_provider_mode_changed
    changed.mode = pb.AlarmProviderMode.ValueType(switch.speaker)
    changed.reason = switch.text
    changed.reason_code = pb.AlarmProviderReason.ValueType(switch.reason)
    changed.forced = switch.is_forced
    if switch.hresult is not None:
        changed.hresult = switch.hresult
    changed.at.CopyFrom(timestamp_from_ns(at_ns))
    return event.SerializeToString()


def snapshot(record: AlarmRecord, speaker: Speaker) -> pb.ActiveAlarmSnapshot:
    """An alarm of the list."""
    message = pb.ActiveAlarmSnapshot(current_state=_condition_state(record.state))
    if record.changed_ns:
        message.last_transition_timestamp.CopyFrom(timestamp_from_ns(record.changed_ns))
    _fill(message, record, speaker)
    return message


def _condition_state(state: str) -> pb.AlarmConditionState.ValueType:
    if state not in STATES:
        return pb.ALARM_CONDITION_STATE_UNSPECIFIED
    if state not in IN_ALARM:
        return pb.ALARM_CONDITION_STATE_INACTIVE
    return pb.ALARM_CONDITION_STATE_ACTIVE_ACKED if state == ACK_ALM else pb.ALARM_CONDITION_STATE_ACTIVE


def _fill(message: pb.OnAlarmTransitionEvent | pb.ActiveAlarmSnapshot, record: AlarmRecord, speaker: Speaker) -> None:
    """What transitions and snapshots have in common."""
    message.alarm_full_reference = record.reference
    message.source_object_reference = record.name
    message.alarm_type_name = record.type_name
    message.severity = record.priority
    message.operator_user = record.user
    message.operator_comment = record.comment
    message.category = record.group
    message.description = record.description
    if record.value:
        message.current_value.CopyFrom(_text(record.value))
    if record.limit:
        message.limit_value.CopyFrom(_text(record.limit))
    message.degraded = speaker is Speaker.ATTRIBUTES
    message.source_provider = pb.AlarmProviderMode.ValueType(speaker)
    message.alarm_guid = record.guid
    message.state = pb.AlarmState.ValueType(_STATES.get(record.state, 0))
    message.provider_name, message.group_name, message.alarm_name = record.provider, record.group, record.name
    message.alarm_class = record.alarm_class
    # Who knows the areas around is told nothing here by those who do not.
    message.area_path.extend(record.area_path)
    message.operator_node = record.user_node
    message.operator_domain = record.domain
    message.operator_full_name = record.full_name
    message.mode = _MODES.get(record.mode, pb.ALARM_MODE_UNSPECIFIED)
    message.shelved = bool(record.shelved_until_ns)
    message.shelve_user, message.shelve_node = record.shelve_user, record.shelve_node
    message.shelve_reason = record.shelve_reason
    message.uncertain = record.is_uncertain
    message.guid_derived = record.is_guid_derived
    if record.state not in STATES:
        message.raw_state = record.state
    for field, at_ns in (
        (message.original_raise_timestamp, record.raised_ns),
        (message.acknowledged_timestamp, record.acked_ns),
        (message.cleared_timestamp, record.cleared_ns),
        (message.shelved_until, record.shelved_until_ns),
    ):
        if at_ns:
            field.CopyFrom(timestamp_from_ns(at_ns))


def _text(text: str) -> pb.MxValue:
    return to_wire(Variant(VarType.VT_BSTR, text, DataType.STRING))
