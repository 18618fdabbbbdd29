"""The alarm manager's answer as XML: one ALARM element a record."""

from __future__ import annotations

import re

from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_protocol.alarms.times import Offset, local_texts

HEAD = '<?xml version="1.0"?><ALARM_RECORDS COUNT="{count}">'
TAIL = "</ALARM_RECORDS>"
_REPLACED = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("\n"): "&#10;", ord("\r"): "&#13;"}
# What XML 1.0 cannot hold.
_REPLACED |= {code: "\ufffd" for code in range(32) if code not in (9, 10, 13)}
_SPECIAL = re.compile(r"[&<>\x00-\x1f]")
_PATH = "\\"
_TIMES = (
    ("", "changed_ns"),
    ("ORIGINAL_", "raised_ns"),
    ("ACK_", "acked_ns"),
    ("RETURN_", "cleared_ns"),
    ("SHELVE_STOP_", "shelved_until_ns"),
)
_TEXTS = (
    ("GUID", "guid"),
    ("PROVIDER_NODE", "node"),
    ("PROVIDER_NAME", "provider"),
    ("GROUP", "group"),
    ("TAGNAME", "name"),
    ("TYPE", "type_name"),
    ("CLASS", "alarm_class"),
    ("VALUE", "value"),
    ("LIMIT", "limit"),
    ("PRIORITY", "priority"),
    ("STATE", "state"),
    ("OPERATOR_NODE", "user_node"),
    ("OPERATOR_NAME", "user"),
    ("ALARM_COMMENT", "comment"),
    ("DESCRIPTION", "description"),
    ("MODE", "mode"),
    ("SHELVE_USER", "shelve_user"),
    ("SHELVE_NODE", "shelve_node"),
    ("SHELVE_REASON", "shelve_reason"),
)


def _escaped(text: str) -> str:
    return text.translate(_REPLACED) if _SPECIAL.search(text) else text


def record_xml(record: AlarmRecord, offset: Offset, order: str) -> str:
    """One record.

    Args:
        offset: of the local time that its times are written in.
        order: of its dates.
    """
    parts = ["<ALARM>"]
    for name, field in _TIMES:
        at_ns = getattr(record, field)
        if at_ns:
            date, clock = local_texts(at_ns, offset, order)
            parts.append(f"<{name}DATE>{date}</{name}DATE><{name}TIME>{clock}</{name}TIME>")
    for name, field in _TEXTS:
        text = str(getattr(record, field))
        if text:
            parts.append(f"<{name}>{_escaped(text)}</{name}>")
    if record.area_path:
        parts.append(f"<AREA_PATH>{_escaped(_PATH.join(record.area_path))}</AREA_PATH>")
    parts.append("</ALARM>")
    return "".join(parts)
