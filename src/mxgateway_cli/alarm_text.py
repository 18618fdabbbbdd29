"""Alarms and their changes as lines, tables and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from mxgateway import Alarm, AlarmChange
from mxgateway_cli.output import one_line
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

ALARM_COLUMNS = ("state", "priority", "since", "alarm", "description", "value", "limit", "operator", "comment")
VENDOR_COLUMNS = (
    *("EventStamp", "AlarmState", "TagName", "Area", "Type", "Value", "CheckValue", "Priority", "Category"),
    *("Provider", "Operator", "OperatorNode", "UNACKDuration", "Comment", "Description"),
)
_PIECE = 40


def time_text(moment: datetime | None, *, is_utc: bool = False) -> str:
    """A time with its offset, of this machine's zone unless it is to be UTC; empty without one."""
    if moment is None:
        return ""
    return (moment.astimezone(UTC) if is_utc else moment.astimezone()).isoformat(sep=" ", timespec="seconds")


def alarm_cells(alarm: Alarm, *, is_utc: bool = False) -> tuple[str, ...]:
    """One alarm in ALARM_COLUMNS; marks stand with the state."""
    marks = "".join(f" {word}" for word, holds in (("shelved", alarm.shelved), ("uncertain", alarm.uncertain)) if holds)
    return (
        alarm.state.name + marks,
        str(alarm.priority),
        time_text(alarm.raised, is_utc=is_utc),
        alarm.reference,
        alarm.description,
        "" if alarm.value is None else str(alarm.value),
        "" if alarm.limit is None else str(alarm.limit),
        alarm.operator,
        alarm.comment,
    )


def alarm_table(alarms: Iterable[Alarm], *, is_utc: bool = False) -> list[str]:
    """A table, or the line that says that there is none."""
    rows = [alarm_cells(alarm, is_utc=is_utc) for alarm in alarms]
    return table(ALARM_COLUMNS, rows) if rows else ["no alarms"]


def change_line(change: AlarmChange, *, is_utc: bool = False) -> str:
    """One change in a line."""
    alarm = change.alarm
    who = f" by {alarm.operator}" if alarm.operator and change.kind.name == "ACKNOWLEDGE" else ""
    origin = "" if change.origin.name == "LIVE" else f" ({change.origin.name.lower()})"
    text = f": {alarm.description}" if alarm.description else ""
    when = time_text(alarm.changed, is_utc=is_utc)
    return one_line(f"{when} {change.kind.name}{who}{origin} {alarm.reference} priority {alarm.priority}{text}".strip())


def feed_line(message: pb.AlarmFeedMessage) -> str:
    """One message of an alarm stream in a line."""
    arm = message.WhichOneof("payload")
    if arm == "active_alarm":
        return _fields("active", *_told_of(message.active_alarm))
    if arm == "transition":
        name = "unknown"
        if message.transition.transition_kind in pb.AlarmTransitionKind.values():
            name = pb.AlarmTransitionKind.Name(message.transition.transition_kind)
        return _fields(name.removeprefix("ALARM_TRANSITION_KIND_").lower(), *_told_of(message.transition))
    if arm == "gap":
        return _fields("gap", message.gap.reason, f"{message.gap.lost} lost")
    if arm == "left":
        return _fields("left", message.left.alarm_full_reference)
    if arm == "provider_status":
        status = message.provider_status
        words = [name for name in ("degraded", "forced", "uncertain") if getattr(status, name)]
        return _fields("provider status", " ".join(words), status.reason)
    if arm == "flood":
        flood = message.flood
        return _fields("flood", flood.position, "ended" if flood.HasField("ended") else "began", str(flood.count))
    return str(arm or "unknown message").replace("_", " ")


def _told_of(alarm: pb.ActiveAlarmSnapshot | pb.OnAlarmTransitionEvent) -> tuple[str, ...]:
    return alarm.alarm_full_reference, f"severity {alarm.severity}", alarm.description


def _fields(*texts: str) -> str:
    return "\t".join(one_line(text.replace("\t", " ")) for text in texts).rstrip("\t")


def vendor_cells(change: AlarmChange) -> tuple[str, ...]:
    """One change in VENDOR_COLUMNS, as the vendor's history names them."""
    alarm = change.alarm
    unacknowledged = (
        int((alarm.acknowledged_at - alarm.raised).total_seconds() * 1000)
        if alarm.acknowledged_at and alarm.raised
        else None
    )
    return (
        time_text(alarm.changed, is_utc=True),
        alarm.state.name,
        alarm.object_reference,
        alarm.area,
        alarm.type_name,
        "" if alarm.value is None else str(alarm.value),
        "" if alarm.limit is None else str(alarm.limit),
        str(alarm.priority),
        alarm.alarm_class,
        alarm.reference.partition("!")[0],
        alarm.operator,
        alarm.operator_node,
        "" if unacknowledged is None else str(unacknowledged),
        alarm.comment,
        alarm.description,
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns under their names, as wide as what stands in them. Names of alarms, and the last column, are whole."""
    whole = {place for place, name in enumerate(columns) if name == "alarm" or place == len(columns) - 1}
    cells = [
        [one_line(text) if place in whole else _piece(one_line(text)) for place, text in enumerate(row)] for row in rows
    ]
    widths = [max(len(name), *(len(row[place]) for row in cells)) for place, name in enumerate(columns)]
    used = [place for place in range(len(columns)) if any(row[place] for row in cells)]
    lines = [[columns[place].upper() for place in range(len(columns))], *cells]
    return ["  ".join(line[place].ljust(widths[place]) for place in used).rstrip() for line in lines]


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """CSV with a header; a cell that a spreadsheet would take for a formula gets a quote in front."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return out.getvalue().rstrip("\n")


def _harmless(cell: str) -> str:
    if not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def _piece(text: str) -> str:
    return text if len(text) <= _PIECE else f"{text[: _PIECE - 1]}…"


_LISTED = 10
_SPANS = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


def figure_lines(figures: Any) -> list[str]:
    """The figures of one operator's position, a line each; of alarms that are named, one below the other."""
    rows: list[tuple[str, str]] = []
    for name, value in _figures(figures):
        if isinstance(value, str):
            rows.append((name, value or "–"))
            continue
        names = [""] * len(value)
        rows += zip([name, *names[1:]], value, strict=True) if value else [(name, "none")]
    width = max(len(name) for name, _ in rows)
    return [f"{name.ljust(width)}  {value}" for name, value in rows]


def figure_rows(figures: Any) -> list[tuple[str, str]]:
    """The same as name and value, for CSV."""
    return [(name, value if isinstance(value, str) else ", ".join(value)) for name, value in _figures(figures, most=0)]


def _figures(figures: Any, most: int = _LISTED) -> list[tuple[str, str | list[str]]]:
    """Names and values; lists have so many entries at most, 0 for all."""
    return [
        ("annunciated", str(figures.annunciated)),
        ("average in 10 min", f"{figures.average_rate:.2f}"),
        ("peak in 10 min", str(figures.peak_rate)),
        ("10-min periods above 10", f"{figures.share_above_ten:.1%}"),
        ("hours above 30", f"{figures.share_of_hours_above_thirty:.1%}"),
        ("time in flood", span_text(figures.flood_time.ToTimedelta())),
        ("floods", str(len(figures.floods))),
        ("most frequent", _cut(_often(figures.most_frequent), most)),
        ("chattering", _cut(_often(figures.chattering), most)),
        ("fleeting", _cut(_often(figures.fleeting), most)),
        ("standing now", str(figures.standing)),
        ("stale", _cut(list(figures.stale), most)),
        (
            "priorities",
            ", ".join(f"{each.priority_min}-{each.priority_max}: {each.share:.0%}" for each in figures.priorities),
        ),
        ("time to acknowledge", _lengths(figures.time_to_acknowledge)),
        ("time to return", _lengths(figures.time_to_return)),
        ("unacknowledged now", str(figures.unacknowledged)),
        ("shelved, silenced now", f"{figures.shelved}, {figures.silenced}"),
    ]


def span_text(span: timedelta) -> str:
    """A length of time as people say it: `3.4 s`, `2 min 5 s`, `1 h 4 min`, `2 d 3 h`."""
    seconds = span.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds % 1 else f"{seconds:.0f} s"
    whole = round(seconds)
    size, unit, below, smaller = next(each for each in _SPANS if whole >= each[0])
    rest = whole % size // below
    return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")


def _cut(texts: list[str], most: int) -> list[str]:
    return texts if not most or len(texts) <= most else [*texts[:most], f"and {len(texts) - most} more"]


def _often(counts: Any) -> list[str]:
    return [f"{each.alarm_full_reference} {each.count}" for each in counts]


def _lengths(lengths: Any) -> str:
    if not lengths.count:
        return ""
    words = (("median", lengths.median), ("90 %", lengths.ninety_percent), ("longest", lengths.longest))
    return ", ".join(f"{word} {span_text(length.ToTimedelta())}" for word, length in words)
