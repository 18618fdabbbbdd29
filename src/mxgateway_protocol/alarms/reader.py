"""Reads the XML of an alarm list: tolerant of what it does not know, strict about what could harm.

A poll gives the whole list again, some megabytes of it. What is the same as in the poll before is recognised by its
text and not parsed again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from mxgateway_protocol.alarms.provider import PollResult
from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_protocol.alarms.slices import broken, cut, elements, whole
from mxgateway_protocol.alarms.times import RecordClock, TimeFormatError

LONGEST_LIST = 64 * 1024 * 1024
"""Characters of a whole answer at most."""
_LOOK_AROUND = 8
_SHAPES_LOGGED = 3
_AHEAD_NS = 300 * 10**9
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
        self._text = ""
        self._slices: list[str] = []
        self._records: list[AlarmRecord | None] = []
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
        if text == self._text:
            return PollResult((), (), len(self._slices))
        if len(text) > LONGEST_LIST:
            raise broken(f"it has {len(text)} characters, and may have {LONGEST_LIST}")
        slices = cut(whole(text))
        known, matched = self._known(slices)
        order = self._clock.order
        records = self._parsed(slices, known, now_ns)
        is_reread = not order and self._clock.order not in ("", "mdy") and any(record is not None for record in known)
        if is_reread:
            known = [None] * len(slices)
            records = self._parsed(slices, known, now_ns)
        fresh = [record for record, old in zip(records, known, strict=True) if record is not None and old is None]
        return self._taken(text, slices, records, fresh, matched, max_records, is_reread)

    def _taken(
        self,
        text: str,
        slices: list[str],
        records: list[AlarmRecord | None],
        fresh: list[AlarmRecord],
        matched: bytearray,
        max_records: int,
        is_reread: bool,
    ) -> PollResult:
        """Makes what was read the list that the next one is compared with."""
        is_truncated = bool(max_records) and len(slices) >= max_records
        gone: list[AlarmRecord] = []
        left = [place for place, is_matched in enumerate(matched) if not is_matched]
        total = len(slices)
        if is_truncated:
            # What is not told of may still be there, and is to be missed only by a whole list.
            slices = slices + [self._slices[place] for place in left]
            records = records + [self._records[place] for place in left]
        else:
            gone = [record for place in left if (record := self._records[place]) is not None]
        self._slices, self._records = slices, records
        self._text = "" if is_truncated else text
        return PollResult(fresh, gone, total, is_truncated, is_reread)

    # ---------------------------------------------------------------------------------------------------- what is known

    def _known(self, slices: Sequence[str]) -> tuple[list[AlarmRecord | None], bytearray]:
        """The record of each slice that was there before, and which of the old slices are there still."""
        old, records = self._slices, self._records
        matched = bytearray(len(old))
        found: list[AlarmRecord | None] = [None] * len(slices)
        missed: list[int] = []
        place, count = 0, len(old)
        # Most lists are as they were but for a few records: both are gone through side by side.
        for index, piece in enumerate(slices):
            is_next = place < count and old[place] == piece and not matched[place]
            near = place if is_next else _near(old, piece, place, matched)
            if near is None:
                # Most likely it is what has become of the one in this place.
                missed.append(index)
                place += 1
            else:
                found[index] = records[near]
                matched[near] = 1
                place = near + 1
        if missed and count:
            self._match_by_text(slices, missed, found, matched)
        return found, matched

    def _match_by_text(
        self, slices: Sequence[str], missed: Sequence[int], found: list[AlarmRecord | None], matched: bytearray
    ) -> None:
        """The same for what has another place in the list than before."""
        places: dict[str, list[int]] = {}
        for place, piece in enumerate(self._slices):
            if not matched[place]:
                places.setdefault(piece, []).append(place)
        for index in missed:
            same = places.get(slices[index])
            if same:
                place = same.pop()
                found[index] = self._records[place]
                matched[place] = 1

    # ---------------------------------------------------------------------------------------------------------- parsing

    def _parsed(
        self, slices: Sequence[str], known: Sequence[AlarmRecord | None], now_ns: int
    ) -> list[AlarmRecord | None]:
        """The record of each slice; None for one that names no alarm."""
        wanted = [index for index, record in enumerate(known) if record is None]
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
        shape = frozenset(fields)
        if len(self._shapes) < _SHAPES_LOGGED and shape not in self._shapes:
            self._shapes.add(shape)
            sample = ", ".join(f"{name}={_masked(value)}" for name, value in sorted(fields.items()))
            unknown = ", ".join(sorted(self._unknown)) or "none"
            self._notes.append(f"records of the alarm manager look like this: {sample}; unknown elements: {unknown}")


def _near(old: Sequence[str], piece: str, place: int, matched: bytearray) -> int | None:
    """Where a slice is among the old ones around a place; None when it is not there."""
    for near in range(max(0, place - _LOOK_AROUND), min(place + _LOOK_AROUND, len(old))):
        if old[near] == piece and not matched[near]:
            return near
    return None


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
