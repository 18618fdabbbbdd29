"""What a change and an entry of the list say of an alarm, under the same numbers: as bytes, by hand.

They are written ten thousand times a second; tests hold them to what protobuf's own serialiser writes.
"""

from __future__ import annotations

from enum import IntEnum

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.varints import varint
from mxgateway_protocol.wire import delimited, key, timestamp
from mxgateway_server.alarms.model import Alarm, AlarmSource, Mode, Provider, State

_Event = pb.OnAlarmTransitionEvent
_VARINT, _BYTES = 0, 2
_SEVERITY = key(_Event.SEVERITY_FIELD_NUMBER, _VARINT)
_SEQUENCE = key(_Event.SEQUENCE_FIELD_NUMBER, _VARINT)
_CHANGED = key(_Event.TRANSITION_TIMESTAMP_FIELD_NUMBER, _BYTES)
_RAISED = key(_Event.ORIGINAL_RAISE_TIMESTAMP_FIELD_NUMBER, _BYTES)
_ACKNOWLEDGED = key(_Event.ACKNOWLEDGED_TIMESTAMP_FIELD_NUMBER, _BYTES)
_CLEARED = key(_Event.CLEARED_TIMESTAMP_FIELD_NUMBER, _BYTES)
_SHELVED_UNTIL = key(_Event.SHELVED_UNTIL_FIELD_NUMBER, _BYTES)
_GUID = key(_Event.ALARM_GUID_FIELD_NUMBER, _BYTES)
_DESCRIPTION = key(_Event.DESCRIPTION_FIELD_NUMBER, _BYTES)
_VALUE = key(_Event.CURRENT_VALUE_FIELD_NUMBER, _BYTES)
_LIMIT = key(_Event.LIMIT_VALUE_FIELD_NUMBER, _BYTES)
_USER = key(_Event.OPERATOR_USER_FIELD_NUMBER, _BYTES)
_COMMENT = key(_Event.OPERATOR_COMMENT_FIELD_NUMBER, _BYTES)


def _numbers(field: int, words: type[IntEnum]) -> dict[IntEnum, bytes]:
    """The field for each word; nothing for the one that a reader takes for granted."""
    return {each: key(field, _VARINT) + varint(each) if each else b"" for each in words}


_STATES = _numbers(_Event.STATE_FIELD_NUMBER, State)
_MODES = _numbers(_Event.MODE_FIELD_NUMBER, Mode)
_PROVIDERS = _numbers(_Event.SOURCE_PROVIDER_FIELD_NUMBER, Provider)


def source_facts(source: AlarmSource) -> bytes:
    """What stays the same from one change of an alarm to the next."""
    return _Event(
        alarm_full_reference=source.reference,
        source_object_reference=source.object_reference,
        alarm_type_name=source.type_name,
        category=source.area,
        provider_name=source.provider,
        group_name=source.group,
        alarm_name=source.name,
        alarm_class=source.alarm_class,
        area_path=source.area_path,
    ).SerializeToString()


def alarm_facts(alarm: Alarm, sequence: int) -> bytes:
    """The alarm at one moment, but for its source."""
    parts = [_SEVERITY + varint(alarm.priority), _STATES[alarm.state], _PROVIDERS[alarm.provider_mode]]
    parts.append(_MODES[alarm.mode])
    if alarm.guid:
        parts.append(delimited(_GUID, alarm.guid.encode()))
    if alarm.description:
        parts.append(delimited(_DESCRIPTION, alarm.description.encode()))
    if alarm.operator_user:
        parts.append(delimited(_USER, alarm.operator_user.encode()))
    if alarm.comment:
        parts.append(delimited(_COMMENT, alarm.comment.encode()))
    for field, moment in (
        (_CHANGED, alarm.changed_ns),
        (_RAISED, alarm.raised_ns),
        (_ACKNOWLEDGED, alarm.acknowledged_ns),
        (_CLEARED, alarm.cleared_ns),
    ):
        if moment:
            parts.append(delimited(field, timestamp(moment)))
    if alarm.value:
        parts.append(delimited(_VALUE, alarm.value))
    if alarm.limit:
        parts.append(delimited(_LIMIT, alarm.limit))
    if sequence:
        parts.append(_SEQUENCE + varint(sequence))
    parts.append(_rare_facts(alarm))
    return b"".join(parts)


def _rare_facts(alarm: Alarm) -> bytes:
    """What most alarms have nothing of."""
    if not (
        alarm.is_guid_derived
        or alarm.is_degraded
        or alarm.is_uncertain
        or alarm.is_shelved
        or alarm.raw_state
        or alarm.operator_node
        or alarm.operator_domain
        or alarm.operator_full_name
        or alarm.shelved_until_ns
    ):
        return b""
    rare = _Event(
        guid_derived=alarm.is_guid_derived,
        degraded=alarm.is_degraded,
        uncertain=alarm.is_uncertain,
        raw_state=alarm.raw_state,
        operator_node=alarm.operator_node,
        operator_domain=alarm.operator_domain,
        operator_full_name=alarm.operator_full_name,
    )
    if alarm.is_shelved:
        rare.shelved = True
        rare.shelve_user, rare.shelve_node = alarm.shelve_user, alarm.shelve_node
        rare.shelve_reason = alarm.shelve_reason
    until = delimited(_SHELVED_UNTIL, timestamp(alarm.shelved_until_ns)) if alarm.shelved_until_ns else b""
    return rare.SerializeToString() + until
