"""Everything about one alarm, and what happened to it lately."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text
from textual.widgets import Static

from mxgateway import Alarm, AlarmChange
from mxgateway_cli.alarm_board import LOOKS, age_text, marks
from mxgateway_cli.alarm_text import change_line, time_text
from mxgateway_cli.tui.text import one_line


class AlarmDetails(Static):
    """Shows one alarm; with its history, once that was fetched.

    Attributes:
        is_utc: whether times are UTC; local otherwise.
    """

    def __init__(self, now: Callable[[], datetime], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._now = now
        self.is_utc = False
        self._past: tuple[str, Sequence[AlarmChange] | str] = ("", "")

    def show_past(self, key: str, past: Sequence[AlarmChange] | str) -> None:
        """From now on the details of this alarm end with its history, or with why there is none."""
        self._past = (key, past)

    def show_alarm(self, alarm: Alarm | None) -> None:
        if alarm is None:
            self.update(Text("Details of the alarm under the cursor stand here.", "dim"))
            return
        table = Table.grid(padding=(0, 1))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, text in self._lines(alarm):
            table.add_row(name, one_line(text) if isinstance(text, str) else text)
        self.update(table)

    def _lines(self, alarm: Alarm) -> list[tuple[str, str | Text]]:
        look = LOOKS[alarm.state]
        state = Text(f"{look.shape} {look.word}", look.colour)
        if words := marks(alarm):
            state.append("  " + ", ".join(words), "bold yellow")
        state.append(f"  priority {alarm.priority}", "")
        lines: list[tuple[str, str | Text]] = [("alarm", alarm.reference), ("state", state)]
        if alarm.description:
            lines.append(("text", alarm.description))
        lines.append(("where", " < ".join(alarm.area_path or (alarm.area,))))
        if kind := " ".join(part for part in dict.fromkeys((alarm.type_name, alarm.alarm_class)) if part):
            value = "" if alarm.value is None else f"  value {alarm.value}"
            lines.append(("kind", kind + value + ("" if alarm.limit is None else f", limit {alarm.limit}")))
        age = age_text(alarm, self._now())
        times = (
            ("raised", alarm.raised, f"  {age} ago" if age else ""),
            ("returned", alarm.cleared_at, ""),
            ("acknowledged", alarm.acknowledged_at, self._who(alarm)),
        )
        lines += [
            (name, time_text(moment, is_utc=self.is_utc) + more) for name, moment, more in times if moment is not None
        ]
        if alarm.shelved:
            until = time_text(alarm.shelved_until, is_utc=self.is_utc)
            lines.append(("shelved", f"until {until} by {alarm.shelve_user or 'nobody named'}: {alarm.shelve_reason}"))
        lines.append(("occurrence", alarm.guid or "not told apart: an acknowledgement has no guard"))
        return lines + self._past_of(alarm)

    def _who(self, alarm: Alarm) -> str:
        who = f"  by {alarm.operator}" if alarm.operator else ""
        return who + (f": {alarm.comment}" if alarm.comment else "")

    def _past_of(self, alarm: Alarm) -> list[tuple[str, str | Text]]:
        key, past = self._past
        if key != alarm.key:
            return []
        if isinstance(past, str):
            return [("history", Text(one_line(past), "dim"))]
        lines = [change_line(change, is_utc=self.is_utc).replace(f" {alarm.reference}", "") for change in past]
        return [("history" if not place else "", line) for place, line in enumerate(lines or ["none"])]
