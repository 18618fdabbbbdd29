"""An alarm of the plant as a record of the alarm manager's list."""

from __future__ import annotations

from typing import Any

from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_simulator.plant.alarms.alarm import Alarm, AlarmSituation
from mxgateway_simulator.plant.alarms.making import area_of
from mxgateway_simulator.plant.alarms.states import AlarmState

PROVIDER = "Galaxy"
_NODE = "localhost"
_RETURNED = (AlarmState.UNACK_RTN, AlarmState.LATCHED)


def group_of(alarm: Alarm) -> str:
    """The alarm's group: its area, or for what is in none the object itself."""
    area = area_of(alarm.owner)
    return (area or alarm.owner).object.tag_name


def record_of(alarm: Alarm, now: AlarmSituation) -> AlarmRecord:
    """The record of an alarm that is in the list."""
    status, ack, shelved = now.status, now.status.acknowledgement, now.shelved
    alarm_class, type_name = alarm.alarm_class
    areas = tuple(owner.object.tag_name for owner in alarm.owner.areas)
    return AlarmRecord(
        provider=PROVIDER,
        group=group_of(alarm),
        name=alarm.reference,
        state=status.state.name,
        guid=alarm.guid(status.occurrence_ns),
        node=_NODE,
        priority=now.priority,
        type_name=type_name,
        alarm_class=alarm_class,
        value=text_of(status.value),
        limit=text_of(alarm.condition.judge.limit(status.changed_ns)),
        description=alarm.description,
        changed_ns=status.changed_ns,
        raised_ns=status.on_ns,
        acked_ns=ack.time_ns if ack else 0,
        cleared_ns=status.off_ns if status.state in _RETURNED else 0,
        user=ack.user if ack else "",
        user_node=ack.node if ack else "",
        domain=ack.domain if ack else "",
        full_name=ack.full_name if ack else "",
        comment=ack.comment if ack else "",
        mode=now.mode.name,
        shelved_until_ns=shelved.until_ns if shelved else 0,
        shelve_user=shelved.user if shelved else "",
        shelve_node=shelved.node if shelved else "",
        shelve_reason=shelved.reason if shelved else "",
        area_path=areas,
    )


def text_of(value: Any) -> str:
    """A value as records carry it: a static text of the moment."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
