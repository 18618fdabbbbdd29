"""Changes as rows of the history, and rows as changes again: nothing is lost on the way. Pure."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

from mxgateway_server.alarms.model import Alarm, AlarmSource, Change, Kind, Mode, Origin, Provider, State

SOURCE_COLUMNS = ("key", "reference", "provider", "group_name", "name", "object", "area", "area_path", "class", "type")
STATE_COLUMNS = (
    *("alarm", "at", "state", "priority", "mode", "provider", "guid", "raised", "acknowledged", "cleared"),
    *("operator", "comment", "description", "value", "limit_value", "rest"),
)
NULLABLE = frozenset({"guid", "value", "limit_value", "rest"})
"""Columns that may have nothing in them. A row to be written has an empty text there."""
CHANGE_COLUMNS = ("sequence", "received", "kind", "origin", "listed", *STATE_COLUMNS)

# What most changes do not have; together in one column.
_RARE: Mapping[str, Any] = {
    "operator_node": "",
    "operator_domain": "",
    "operator_full_name": "",
    "is_shelved": False,
    "shelved_until_ns": 0,
    "shelve_user": "",
    "shelve_node": "",
    "shelve_reason": "",
    "is_guid_derived": False,
    "former_guids": (),
    "is_degraded": False,
    "is_uncertain": False,
    "raw_state": "",
}
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_rare_of = attrgetter(*_RARE)
_USUAL = tuple(_RARE.values())


def source_row(source: AlarmSource) -> tuple[Any, ...]:
    """Values of SOURCE_COLUMNS."""
    return (
        source.key,
        source.reference,
        source.provider,
        source.group,
        source.name,
        source.object_reference,
        source.area,
        json.dumps(source.area_path, ensure_ascii=False),
        source.alarm_class,
        source.type_name,
    )


def source_of(row: Sequence[Any]) -> AlarmSource:
    """The source of a row of SOURCE_COLUMNS."""
    _, reference, provider, group, name, object_reference, area, area_path, alarm_class, type_name = row
    return AlarmSource(
        reference,
        provider=provider,
        group=group,
        name=name,
        object_reference=object_reference,
        type_name=type_name,
        alarm_class=alarm_class,
        area=area,
        area_path=tuple(json.loads(area_path)),
    )


def state_row(alarm: Alarm, source_id: int, comment: int, description: int) -> tuple[Any, ...]:
    """Values of STATE_COLUMNS, to be written.

    SQLite's driver looks at plain numbers, texts and byte arrays only once. What else it is given it asks how it wants
    to be stored, None and bytes included, and that takes longer than storing it.

    Args:
        comment: number of its text; 0 for none.
        description: likewise.
    """
    value, limit = alarm.value, alarm.limit
    # Adding nothing makes a plain number of an enum's.
    return (
        source_id,
        alarm.changed_ns,
        alarm.state + 0,
        alarm.priority,
        alarm.mode + 0,
        alarm.provider_mode + 0,
        _guid_bytes(alarm.guid),
        alarm.raised_ns,
        alarm.acknowledged_ns,
        alarm.cleared_ns,
        alarm.operator_user,
        comment,
        description,
        bytearray(value) if value else "",
        bytearray(limit) if limit else "",
        _rare(alarm),
    )


def change_row(change: Change, source_id: int, comment: int, description: int) -> tuple[Any, ...]:
    """Values of CHANGE_COLUMNS, to be written."""
    told = (change.sequence, change.received_ns, change.kind + 0, change.origin + 0, change.is_listed + 0)
    return told + state_row(change.alarm, source_id, comment, description)


def is_shelved(rest: str) -> bool:
    """Whether a row's rare facts say that its alarm was shelved."""
    return bool(json.loads(rest).get("is_shelved"))


def alarm_of(row: Sequence[Any], source: AlarmSource, comment: str, description: str, sequence: int = 0) -> Alarm:
    """The alarm of a row of STATE_COLUMNS."""
    rest = json.loads(row[15]) if row[15] else {}
    if "former_guids" in rest:
        rest["former_guids"] = tuple(rest["former_guids"])
    return Alarm(
        source,
        state=State(row[2]),
        priority=row[3],
        mode=Mode(row[4]),
        provider_mode=Provider(row[5]),
        guid=_guid_text(row[6]),
        raised_ns=row[7],
        changed_ns=row[1],
        acknowledged_ns=row[8],
        cleared_ns=row[9],
        operator_user=row[10],
        comment=comment,
        description=description,
        value=row[13] or b"",
        limit=row[14] or b"",
        sequence=sequence,
        **rest,
    )


def change_of(row: Sequence[Any], source: AlarmSource, comment: str, description: str) -> Change:
    """The change of a row of CHANGE_COLUMNS; what was before it is not kept."""
    sequence, received, kind, origin, listed, *state = row
    return Change(
        sequence,
        Kind(kind),
        Origin(origin),
        alarm_of(state, source, comment, description, sequence),
        None,
        bool(listed),
        received_ns=received,
        is_before_known=False,
    )


def _rare(alarm: Alarm) -> str:
    values = _rare_of(alarm)
    if values == _USUAL:
        return ""
    found = {name: value for name, value, usual in zip(_RARE, values, _USUAL, strict=True) if value != usual}
    return json.dumps(found, ensure_ascii=False)


@lru_cache(maxsize=4096)
def _guid_bytes(guid: str) -> bytearray | str:
    # One that is spelled in another way than GUIDs are keeps its spelling.
    return bytearray.fromhex(guid.replace("-", "")) if _GUID.fullmatch(guid) else guid


def _guid_text(stored: bytes | str | None) -> str:
    if stored is None:
        return ""
    return stored if isinstance(stored, str) else str(uuid.UUID(bytes=stored))
