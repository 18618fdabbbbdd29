"""Reads the XML of an alarm list: tolerant of what it does not know, strict about what could harm.

A poll gives the whole list again, some megabytes of it. What is the same as in the poll before is recognised by its
text and not parsed again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import compress, repeat
from operator import is_, not_
from typing import NamedTuple
from xml.etree.ElementTree import Element

from mxgateway_protocol.alarms.comparing import Compared, KnownList, compare
from mxgateway_protocol.alarms.provider import PollResult
from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_protocol.alarms.slices import elements
from mxgateway_protocol.alarms.times import RecordClock, TimeFormatError

_SHAPES_LOGGED = 3
_AHEAD_NS = 300 * 10**9
_USUAL_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_GUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "provider": ("PROVIDER_NAME", "PROVIDER", "ALARM_PROVIDER"),
    "node": ("PROVIDER_NODE", "NODE", "NODE_NAME", "MACHINE"),
    "group": ("GROUP", "GROUP_NAME", "ALARM_GROUP", "AREA"),
    "name": ("TAGNAME", "TAG_NAME", "NAME", "ALARM_NAME", "TAG"),
    "state": ("STATE", "ALARM_STATE"),
    "guid": ("GUID", "ALARM_ID", "ALARM_GUID"),
    "priority": ("PRIORITY", "PRI", "SEVERITY"),
    "type_name": ("TYPE", "ALARM_TYPE"),
    "alarm_class": ("CLASS", "ALARM_CLASS"),
    "value": ("VALUE", "VALUE_STRING", "ALARM_VALUE"),
    "limit": ("LIMIT", "LIMIT_STRING", "CHECK_VALUE", "ALARM_LIMIT"),
    "description": ("DESCRIPTION", "TAG_COMMENT", "ALARM_DESCRIPTION", "MESSAGE"),
    "date": ("DATE", "EVENT_DATE"),
    "time": ("TIME", "EVENT_TIME"),
    "raise_date": ("ORIGINAL_DATE", "RAISE_DATE", "ALARM_DATE"),
    "raise_time": ("ORIGINAL_TIME", "RAISE_TIME", "ALARM_TIME"),
    "user": ("OPERATOR_NAME", "OPERATOR", "USER"),
    "user_node": ("OPERATOR_NODE", "USER_NODE"),
    "domain": ("OPERATOR_DOMAIN", "DOMAIN", "DOMAIN_NAME"),
    "full_name": ("OPERATOR_FULL_NAME", "FULL_NAME", "USER_FULL_NAME"),
    "comment": ("ALARM_COMMENT", "COMMENT", "ACK_COMMENT"),
    "mode": ("ALARM_MODE", "MODE"),
    "ack_date": ("ACK_DATE",),
    "ack_time": ("ACK_TIME",),
    "return_date": ("RETURN_DATE",),
    "return_time": ("RETURN_TIME",),
    "shelve_date": ("SHELVE_STOP_DATE",),
    "shelve_time": ("SHELVE_STOP_TIME",),
    "shelve_user": ("SHELVE_USER",),
    "shelve_node": ("SHELVE_NODE",),
    "shelve_reason": ("SHELVE_REASON",),
    "area_path": ("AREA_PATH",),
}
"""Field of a record by the elements that may hold it; DATE, TIME, GUID, state, priority, tag, group, provider, type,
value, limit, operator and comment are known to be there, not all of their names."""

FIELDS: Mapping[str, str] = {alias: field for field, aliases in _ALIASES.items() for alias in aliases}
"""Field by element."""

_MODES = {"ENABLE": "ENABLED", "SILENCE": "SILENCED", "DISABLE": "DISABLED"}


class ReaderFigures(NamedTuple):
    """What a reader has met that it did not expect.

    Attributes:
        skipped: records without a name, which cannot be kept apart.
        ahead: records whose time is more than five minutes ahead of the clock.
        unreadable_times: records whose times are no times.
        unknown_elements: by name, how often.
    """

    skipped: int
    ahead: int
    unreadable_times: int
    unknown_elements: Mapping[str, int]


class RecordReader:
    """Reads the answers of one subscription, one after the other.

    Args:
        clock: reads the times.
    """

    def __init__(self, clock: RecordClock) -> None:
        self._clock = clock
        self._before = KnownList("", -1, [], [])
        self._compared: Compared | None = None
        self._repeated: str | None = None
        self._shapes: set[frozenset[str]] = set()
        self._unknown: Counter[str] = Counter()
        self._skipped = self._ahead = self._unreadable = 0
        self._notes: list[str] = []

    def take_notes(self) -> list[str]:
        """What a site should know of the records, each once: for the log."""
        notes, self._notes = self._notes, []
        return notes

    @property
    def figures(self) -> ReaderFigures:
        return ReaderFigures(self._skipped, self._ahead, self._unreadable, dict(self._unknown))

    def read(self, text: str, now_ns: int, max_records: int = 0) -> PollResult:
        """What has changed since the answer before.

        Args:
            now_ns: the time by this machine's clock.
            max_records: how many were asked for; so many or more mean that there are others. 0 for no limit.

        Raises:
            ProviderError: it is no list of alarms; what was read before stands.
        """
        repeated, self._repeated = self._repeated, None
        if text is repeated or text == self._before.text:
            return PollResult((), (), len(self._before.slices))
        compared, self._compared = self._compared, None
        if compared is None or compared.text is not text:
            compared = compare(self._before, text)
        slices, known = compared.slices, compared.known
        order = self._clock.order
        records = self._parsed(slices, known, now_ns)
        is_reread = not order and self._clock.order not in ("", "mdy") and any(record is not None for record in known)
        if is_reread:
            known = [None] * len(slices)
            records = self._parsed(slices, known, now_ns)
        fresh = [record for place in _unknown(known) if (record := records[place]) is not None]
        return self._taken(compared, records, fresh, max_records, is_reread)

    def count(self, text: str) -> int:
        """Records of an answer; reading it afterwards is less work by that much.

        Raises:
            ProviderError: it is no list of alarms.
        """
        if not text:
            return 0
        if text == self._before.text:
            self._repeated = text
            return len(self._before.slices)
        self._compared = compare(self._before, text)
        return len(self._compared.slices)

    def _taken(
        self,
        compared: Compared,
        records: list[AlarmRecord | None],
        fresh: list[AlarmRecord],
        max_records: int,
        is_reread: bool,
    ) -> PollResult:
        """Makes what was read the list that the next one is compared with."""
        slices, before = compared.slices, self._before
        is_truncated = bool(max_records) and len(slices) >= max_records
        gone: list[AlarmRecord] = []
        left = list(compress(range(len(compared.matched)), map(not_, compared.matched)))
        total = len(slices)
        answered = None
        if is_truncated:
            answered = frozenset(record.key for record in records if record is not None)
            # What is not told of may still be there, and is to be missed only by a whole list.
            slices = slices + [before.slices[place] for place in left]
            records = records + [before.records[place] for place in left]
            self._before = KnownList("", -1, slices, records)
        else:
            gone = [record for place in left if (record := before.records[place]) is not None]
            self._before = KnownList(compared.text, compared.begin, slices, records)
        return PollResult(fresh, gone, total, is_truncated, is_reread, answered)

    # ---------------------------------------------------------------------------------------------------------- parsing

    def _parsed(
        self, slices: Sequence[str], known: Sequence[AlarmRecord | None], now_ns: int
    ) -> list[AlarmRecord | None]:
        """The record of each slice; None for one that names no alarm."""
        wanted = _unknown(known)
        fields = [_fields(element, self._unknown) for element in elements([slices[index] for index in wanted])]
        self._clock.settle((each["date"] for each in fields if "date" in each), now_ns)
        records = list(known)
        for index, each in zip(wanted, fields, strict=True):
            records[index] = self._record(each, now_ns)
            self._note_shape(each)
        return records

    def _record(self, fields: Mapping[str, str], now_ns: int) -> AlarmRecord | None:
        get = fields.get
        provider, group, name = get("provider", "").lstrip("\\"), get("group", ""), get("name", "")
        if not name:
            self._skipped += 1
            return None
        changed = self._time(fields, "date", "time", now_ns)
        ahead = changed > now_ns + _AHEAD_NS
        self._ahead += ahead
        mode = get("mode", "").upper()
        # Of an alarm that nobody has acknowledged yet the two are the same.
        is_as_raised = get("raise_time") == get("time") and get("raise_date") == get("date")
        return AlarmRecord(
            provider=provider or "Galaxy",
            group=group,
            name=name,
            state=get("state", "").strip().upper(),
            guid=_guid(get("guid", "")),
            node=get("node", ""),
            priority=_priority(get("priority", "")),
            type_name=get("type_name", ""),
            alarm_class=get("alarm_class", ""),
            value=get("value", ""),
            limit=get("limit", ""),
            description=get("description", ""),
            changed_ns=changed,
            raised_ns=changed if is_as_raised else self._time(fields, "raise_date", "raise_time", now_ns),
            acked_ns=self._time(fields, "ack_date", "ack_time", now_ns),
            cleared_ns=self._time(fields, "return_date", "return_time", now_ns),
            user=get("user", ""),
            user_node=get("user_node", ""),
            domain=get("domain", ""),
            full_name=get("full_name", ""),
            comment=get("comment", ""),
            mode=_MODES.get(mode, mode),
            shelved_until_ns=self._time(fields, "shelve_date", "shelve_time", now_ns),
            shelve_user=get("shelve_user", ""),
            shelve_node=get("shelve_node", ""),
            shelve_reason=get("shelve_reason", ""),
            area_path=tuple(get("area_path", "").split("\\")) if "area_path" in fields else (),
            is_time_ahead=ahead,
        )

    def _time(self, fields: Mapping[str, str], date: str, clock: str, now_ns: int) -> int:
        if date not in fields:
            return 0
        try:
            return self._clock.read(fields[date], fields.get(clock, "0:00"), now_ns)
        except TimeFormatError:
            self._unreadable += 1
            if self._unreadable == 1:
                self._notes.append(f"the time of an alarm record cannot be read: {fields[date][:40]!r}")
            return 0

    def _note_shape(self, fields: Mapping[str, str]) -> None:
        """Notes the first few kinds of records, with masked values: what a site's alarm manager gives."""
        if len(self._shapes) >= _SHAPES_LOGGED:
            return
        shape = frozenset(fields)
        if shape not in self._shapes:
            self._shapes.add(shape)
            sample = ", ".join(f"{name}={_masked(value)}" for name, value in sorted(fields.items()))
            unknown = ", ".join(sorted(self._unknown)) or "none"
            self._notes.append(f"records of the alarm manager look like this: {sample}; unknown elements: {unknown}")


def _unknown(known: Sequence[AlarmRecord | None]) -> list[int]:
    """The places of what has no record yet."""
    return list(compress(range(len(known)), map(is_, known, repeat(None))))


def _fields(element: Element, unknown: Counter[str]) -> dict[str, str]:
    """The texts of a record by field."""
    found: dict[str, str] = {}
    for child in element:
        field = FIELDS.get(child.tag)
        if field is None:
            field = FIELDS.get(child.tag.upper()) if isinstance(child.tag, str) else None
            if field is None:
                unknown[str(child.tag)[:64]] += 1
                continue
        if child.text and field not in found:
            found[field] = child.text
    return found


def _guid(text: str) -> str:
    """A GUID in the one form that is used: lower case, with hyphens; empty for what is none."""
    if _USUAL_GUID.fullmatch(text):
        return text
    plain = text.strip().strip("{}").lower()
    if not _GUID.fullmatch(plain):
        return ""
    digits = plain.replace("-", "")
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _priority(text: str) -> int:
    try:
        return max(1, min(int(text), 999))
    except ValueError:
        return 500


def _masked(value: str) -> str:
    """The form of a value without its content."""
    return re.sub(r"\w", lambda match: "9" if match[0].isdigit() else "x", value[:40])
