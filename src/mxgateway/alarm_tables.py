"""Lists of alarms and of their changes that show themselves as tables, and as DataFrames."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mxgateway.alarm_model import Alarm, AlarmChange
from mxgateway.tables import Table
from mxgateway_contract.installing import install_command

COLUMNS = (
    *("reference", "object", "area", "state", "priority", "alarm_class", "type_name", "raised", "changed"),
    *("acknowledged_at", "cleared_at", "operator", "comment", "description", "value", "limit", "guid"),
)
_TIMES = ("raised", "changed", "acknowledged_at", "cleared_at")
_OF_OCCURRENCE = ("reference", "area", "priority", "guid", "raised", "acknowledged_at", "cleared_at")
_CATEGORIES = ("state", "area", "kind")
_FIRST, _LAST = datetime(1677, 9, 22, tzinfo=UTC), datetime(2262, 4, 11, tzinfo=UTC)
"""What 64 bits of nanoseconds hold."""


class AlarmList(Table[Alarm]):
    """Alarms."""

    _columns = ("alarm", "state", "priority", "since", "description")
    _what = "alarms"

    def _cells(self, entry: Alarm) -> tuple[object, ...]:
        since = f"{entry.raised:%Y-%m-%d %H:%M:%S}" if entry.raised else ""
        return entry.reference, entry.state.name, entry.priority, since, entry.description

    def to_dataframe(self) -> Any:
        """The alarms as a pandas.DataFrame, a row for each; times are datetime64[ns, UTC], NaT beyond what that holds.

        Raises:
            ModuleNotFoundError: pandas is not installed; the text has the command that installs it.
        """
        return _frame([_row(alarm) for alarm in self], COLUMNS)


class AlarmChanges(Table[AlarmChange]):
    """Changes of alarms, in the order in which they were asked for."""

    _columns = ("alarm", "change", "time", "state", "operator")
    _what = "changes"

    def _cells(self, entry: AlarmChange) -> tuple[object, ...]:
        alarm = entry.alarm
        when = f"{alarm.changed:%Y-%m-%d %H:%M:%S}" if alarm.changed else ""
        return alarm.reference, entry.kind.name, when, alarm.state.name, alarm.operator

    def to_dataframe(self) -> Any:
        """The changes as a pandas.DataFrame: the columns of alarms, and kind, origin and sequence.

        Raises:
            ModuleNotFoundError: pandas is not installed; the text has the command that installs it.
        """
        rows = [(*_row(each.alarm), each.kind.name, each.origin.name, each.sequence) for each in self]
        return _frame(rows, (*COLUMNS, "kind", "origin", "sequence"))


def alarm_durations(frame: Any) -> Any:
    """How long each occurrence lasted, out of a history: a pandas.DataFrame with a row for each.

    Columns are reference, area, priority, guid, raised, acknowledged_at, cleared_at, and as timedeltas in_alarm (until
    it returned) and to_acknowledge; NaT where that has not come, or is not in the frame.

    Args:
        frame: what `AlarmChanges.to_dataframe()` gave, in either order.

    Raises:
        ValueError: it is no frame of changes.
    """
    if missing := {"reference", "raised", "kind", "sequence"} - set(frame.columns):
        raise ValueError(f"no frame of AlarmChanges: {', '.join(sorted(missing))} is missing")
    known = frame[frame["raised"].notna()].sort_values("sequence", kind="stable")
    keys = [known["reference"].str.casefold(), known["raised"]]
    # The last change of an occurrence has all its times; one of a kind that tells none leaves those before it.
    found = known.groupby(keys, sort=False)[list(_OF_OCCURRENCE)].last().reset_index(drop=True)
    found["in_alarm"] = found["cleared_at"] - found["raised"]
    found["to_acknowledge"] = found["acknowledged_at"] - found["raised"]
    return found


def _row(alarm: Alarm) -> tuple[Any, ...]:
    return tuple(alarm.state.name if name == "state" else getattr(alarm, name) for name in COLUMNS)


def _frame(rows: list[tuple[Any, ...]], columns: tuple[str, ...]) -> Any:
    try:
        import pandas  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"DataFrames need pandas: {install_command('pandas')}", name="pandas") from error

    frame = pandas.DataFrame(rows, columns=list(columns))
    for name in _TIMES:
        held = [time if time is not None and _FIRST <= time <= _LAST else None for time in frame[name]]
        frame[name] = pandas.to_datetime(pandas.Series(held, dtype=object), utc=True).astype("datetime64[ns, UTC]")
    frame = frame.astype({"priority": "int64"})
    return frame.astype({name: "category" for name in _CATEGORIES if name in columns})
