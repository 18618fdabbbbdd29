"""What a change and an entry of the list say of an alarm, under the same numbers: as bytes, by hand.

They are written ten thousand times a second; tests hold them to what protobuf's own serialiser writes.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache

from google.protobuf.timestamp_pb2 import Timestamp

from mxgateway_contract.filetime import NS_PER_SECOND
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
_NANOS = key(Timestamp.NANOS_FIELD_NUMBER, _VARINT)
_GUID = key(_Event.ALARM_GUID_FIELD_NUMBER, _BYTES)
_DESCRIPTION = key(_Event.DESCRIPTION_FIELD_NUMBER, _BYTES)
_VALUE = key(_Event.CURRENT_VALUE_FIELD_NUMBER, _BYTES)
_LIMIT = key(_Event.LIMIT_VALUE_FIELD_NUMBER, _BYTES)
_USER = key(_Event.OPERATOR_USER_FIELD_NUMBER, _BYTES)
_COMMENT = key(_Event.OPERATOR_COMMENT_FIELD_NUMBER, _BYTES)
_USUAL_LENGTH = 36
_USUAL_GUID = _GUID + varint(_USUAL_LENGTH)


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


def with_facts(source: bytes, how: bytes, alarm: Alarm, sequence: int) -> bytes:
    """A message about an alarm at one moment, as bytes.

    Args:
        source: what `source_facts` says of its source.
        how: what else the message says, before the rest.
    """
    guid, description, priority = alarm.guid, alarm.description, alarm.priority
    changed_ns, raised_ns = alarm.changed_ns, alarm.raised_ns
    acknowledged_ns, cleared_ns = alarm.acknowledged_ns, alarm.cleared_ns
    user, comment, value, limit = alarm.operator_user, alarm.comment, alarm.value, alarm.limit
    return b"".join(
        (
            source,
            how,
            _SEVERITY + varint(priority),
            _STATES[alarm.state],
            _PROVIDERS[alarm.provider_mode],
            _MODES[alarm.mode],
            _guid(guid) if guid else b"",
            _description(description) if description else b"",
            delimited(_USER, user.encode()) if user else b"",
            delimited(_COMMENT, comment.encode()) if comment else b"",
            _moment(_CHANGED, changed_ns) if changed_ns else b"",
            _moment(_RAISED, raised_ns) if raised_ns else b"",
            _moment(_ACKNOWLEDGED, acknowledged_ns) if acknowledged_ns else b"",
            _moment(_CLEARED, cleared_ns) if cleared_ns else b"",
            delimited(_VALUE, value) if value else b"",
            delimited(_LIMIT, limit) if limit else b"",
            _SEQUENCE + varint(sequence) if sequence else b"",
            _rare_facts(alarm) if _has_rare_facts(alarm) else b"",
        )
    )


def _guid(guid: str) -> bytes:
    data = guid.encode()
    return (_USUAL_GUID if len(data) == _USUAL_LENGTH else _GUID + varint(len(data))) + data


@lru_cache(maxsize=1024)
def _description(text: str) -> bytes:
    """The same for all the changes of an alarm, and for those of many alarms."""
    return delimited(_DESCRIPTION, text.encode())


@lru_cache(maxsize=1024)
def _second(seconds: int) -> bytes:
    """The seconds of a Timestamp; in a storm everything happens in a few of them."""
    return timestamp(seconds * NS_PER_SECOND)


def _moment(field_key: bytes, unix_ns: int) -> bytes:
    seconds, nanos = divmod(unix_ns, NS_PER_SECOND)
    start = _second(seconds)
    end = _NANOS + varint(nanos) if nanos else b""
    return field_key + varint(len(start) + len(end)) + start + end


def _has_rare_facts(alarm: Alarm) -> bool:
    """Whether there is something that most alarms have nothing of."""
    return bool(
        alarm.is_guid_derived
        or alarm.is_degraded
        or alarm.is_uncertain
        or alarm.is_shelved
        or alarm.raw_state
        or alarm.operator_node
        or alarm.operator_domain
        or alarm.operator_full_name
        or alarm.shelved_until_ns
    )


def _rare_facts(alarm: Alarm) -> bytes:
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
    until = _moment(_SHELVED_UNTIL, alarm.shelved_until_ns) if alarm.shelved_until_ns else b""
    return rare.SerializeToString() + until
