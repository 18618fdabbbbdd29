"""What a key may do with one alarm, and by which rule: the alarm calls' own questions, asked one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mxgateway_contract.references import ItemReference
from mxgateway_protocol.alarms.records import split_reference
from mxgateway_server.access.constraints import TagLookup, area_denial, priority_denial, read_denial, write_denial
from mxgateway_server.access.explain import ALLOWED, Answer
from mxgateway_server.access.records import KeyRecord
from mxgateway_server.access.scopes import allows, scopes_of_rpc
from mxgateway_server.alarms.rights import AlarmLookup

_SERVICE = "/mxaccess_gateway.v1.MxAccessGateway/"

ALARM_CALLS: Mapping[str, str] = {
    "StreamAlarms": "",
    "StreamAlarmBatches": "",
    "QueryActiveAlarms": "",
    "QueryAlarmHistory": "",
    "GetAlarmStatistics": "",
    "AcknowledgeAlarm": "AckMsg",
    "AcknowledgeAlarms": "AckMsg",
    "ShelveAlarms": "AlarmShelveCmd",
}
"""The calls that have to do with single alarms, each with the attribute that it writes; empty for those that read."""


@dataclass(frozen=True, slots=True)
class AskedAlarm:
    """An alarm that somebody asks about.

    Attributes:
        source: object and attribute.
        areas: its area, and those around it.
        priority: 1 (most urgent) to 999.
    """

    source: str
    areas: Sequence[str]
    priority: int


def area_of(reference: str) -> str:
    """The area in a full reference, `Provider!Area.Object.Attribute`.

    Raises:
        ValueError: it is none.
    """
    return _parts(reference)[1]


def source_of(reference: str) -> str:
    """Object and attribute in a full reference.

    Raises:
        ValueError: it is none.
    """
    return _parts(reference)[2]


def _parts(reference: str) -> tuple[str, str, str]:
    found = split_reference(reference)
    if found is None:
        raise ValueError(f"{reference!r} names no alarm: write Provider!Area.Object.Attribute")
    return found


def explain_alarm(
    key: KeyRecord,
    call: str,
    alarm: AskedAlarm | None,
    lookup: TagLookup,
    *,
    now_ns: int,
    gateway_is_read_only: bool = False,
) -> Answer:
    """The rule that decides about this call on this alarm, in the order in which the gateway asks.

    Args:
        call: one of ALARM_CALLS.
        alarm: None to ask about the call alone.
    """
    attribute = ALARM_CALLS[call]
    refusal = key.refusal(now_ns)
    if refusal is not None:
        return Answer("key-state", f"the key is not valid: {refusal}")
    needed = scopes_of_rpc(_SERVICE + call)
    if not allows(key.scopes, needed):
        return Answer("scope", f"it needs the scope {' or '.join(sorted(needed))}")
    if attribute and gateway_is_read_only:
        return Answer("read_only", "the gateway writes nothing (setting read_only)")
    if attribute and key.constraints.read_only:
        return Answer("read_only", "the key is read-only, whatever its scopes")
    return Answer(ALLOWED) if alarm is None else _of_alarm(key, attribute, alarm, AlarmLookup(lookup))


def _of_alarm(key: KeyRecord, attribute: str, alarm: AskedAlarm, lookup: TagLookup) -> Answer:
    limits = key.constraints
    if denial := priority_denial(limits, alarm.priority):
        return Answer("alarm_min_priority", denial)
    if denial := read_denial(limits, ItemReference(f"{alarm.source}.InAlarm"), lookup):
        return Answer("read_subtrees, read_tag_globs", f"the alarm's InAlarm: {denial}")
    if denial := area_denial(limits, alarm.areas):
        return Answer("alarm_areas", denial)
    if attribute and (denial := write_denial(limits, ItemReference(f"{alarm.source}.{attribute}"), lookup)):
        return Answer("write_subtrees, write_tag_globs, max_write_classification", f"its {attribute}: {denial}")
    return Answer(ALLOWED)
