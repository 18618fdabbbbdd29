"""Lists of alarms and of their changes that show themselves as tables, and as DataFrames."""

from __future__ import annotations

from typing import Any

from mxgateway.alarm_model import Alarm, AlarmChange
from mxgateway.tables import Table
from mxgateway_contract.installing import install_command

COLUMNS = (
    *("reference", "object", "area", "state", "priority", "alarm_class", "type_name", "raised", "changed"),
    *("acknowledged_at", "cleared_at", "operator", "comment", "description", "value", "limit", "guid"),
)
_TIMES = ("raised", "changed", "acknowledged_at", "cleared_at")
_CATEGORIES = ("state", "area", "kind")


class AlarmList(Table[Alarm]):
    """Alarms."""

    _columns = ("alarm", "state", "priority", "since", "description")
    _what = "alarms"

    def _cells(self, entry: Alarm) -> tuple[object, ...]:
        since = f"{entry.raised:%Y-%m-%d %H:%M:%S}" if entry.raised else ""
        return entry.reference, entry.state.name, entry.priority, since, entry.description

    def to_dataframe(self) -> Any:
        """The alarms as a pandas.DataFrame, a row for each; times are datetime64[ns, UTC].

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


def _row(alarm: Alarm) -> tuple[Any, ...]:
    return tuple(alarm.state.name if name == "state" else getattr(alarm, name) for name in COLUMNS)


def _frame(rows: list[tuple[Any, ...]], columns: tuple[str, ...]) -> Any:
    try:
        import pandas  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"DataFrames need pandas: {install_command('pandas')}", name="pandas") from error

    frame = pandas.DataFrame(rows, columns=list(columns))
    for name in _TIMES:
        frame[name] = pandas.to_datetime(frame[name], utc=True).astype("datetime64[ns, UTC]")
    return frame.astype({name: "category" for name in _CATEGORIES if name in columns})
