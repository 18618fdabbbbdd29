"""The alarms as a live table in a terminal. Imported only when stdout is one, because rich is an extra."""

from __future__ import annotations

from datetime import datetime

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mxgateway import Alarm, AlarmFeedState
from mxgateway_cli.alarm_board import LOOKS, AlarmBoard, age_text, marks
from mxgateway_cli.output import one_line
from mxgateway_cli.tui.text import fit, fit_reference

_WIDE, _WIDEST = 90, 120
_STATE = 11
_PRIORITY, _AGE = 4, 7


class AlarmLiveTable:
    """Shows a board until it is left; redrawn by `update` only."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop", screen=False)

    def __enter__(self) -> AlarmLiveTable:
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.__exit__(None, None, None)

    def update(self, board: AlarmBoard, now: float, moment: datetime) -> None:
        """Draws the board as it is now.

        Args:
            now: of the clock that changes were noted with; `moment` is the time that ages are told by.
        """
        self._live.update(self._render(board, now, moment), refresh=True)

    def tell(self, line: str) -> None:
        """Writes a line that stays, above the table."""
        self._console.print(Text(line))

    def _render(self, board: AlarmBoard, now: float, moment: datetime) -> RenderableType:
        width = max(20, self._console.width)
        rows = board.rows()
        why = one_line(board.why)
        below = 1 + (max(1, -(-cell_len(why) // width)) if why else 0)
        shown = rows[: max(5, self._console.height - 6 - below)]
        summary = Text(board.summary(now), style="bold")
        if len(shown) < len(rows):
            summary.append(f" (+{len(rows) - len(shown)} more do not fit)")
        title = Text(self._title, style="bold")
        for badge in board.badges:
            title.append(f"  {badge}", "bold yellow")
        parts: list[RenderableType] = [title]
        if rows:
            parts.append(self._table(board, shown, width, now, moment))
        else:
            is_known = board.state is not AlarmFeedState.CONNECTING
            parts.append(Text("no alarms" if is_known else "there is no list yet", style="dim"))
        parts.append(summary)
        if why:
            parts.append(Text(why, style="yellow"))
        return Group(*parts)

    def _table(self, board: AlarmBoard, shown: list[Alarm], width: int, now: float, moment: datetime) -> Table:
        table = Table(header_style="bold", pad_edge=False)
        # Marks have their place with the state where there is room, and stand for it where there is none.
        state = _STATE + (12 if width >= _WIDE else 0)
        fixed = {"state": state, "prio": _PRIORITY, "age": _AGE}
        left = width - sum(fixed.values()) - 3 * len(fixed) - 4
        alarm = min(left, max((cell_len(each.reference) for each in shown), default=8)) if width >= _WIDE else left
        texts = left - alarm - 3
        area = 14 if width >= _WIDEST and texts >= 34 else 0
        description = texts - (area + 3 if area else 0)
        for name, room in fixed.items():
            table.add_column(name, no_wrap=True, width=room, justify="left" if name == "state" else "right")
        table.add_column("alarm", no_wrap=True, width=max(8, alarm))
        if area:
            table.add_column("area", no_wrap=True, width=area)
        if description >= 8:
            table.add_column("description", no_wrap=True, width=description)
        for each in shown:
            look = LOOKS[each.state]
            words = f"{look.shape} {' '.join([look.word, *marks(each)])}"
            style = "bold cyan" if board.is_fresh(each, now) else ""
            cells = [
                Text(fit(words, state), style=look.colour),
                Text(str(each.priority)),
                Text(age_text(each, moment), style="dim"),
                Text(fit_reference(one_line(each.reference), max(8, alarm)).rstrip(), style=style),
            ]
            if area:
                cells.append(Text(fit(one_line(each.area), area).rstrip()))
            if description >= 8:
                cells.append(Text(fit(one_line(_said(each)), description).rstrip(), style="dim"))
            table.add_row(*cells)
        return table


def _said(alarm: Alarm) -> str:
    """What is to be read of an alarm: its description, its value against the limit, who acknowledged it."""
    parts = [alarm.description]
    if alarm.value is not None:
        parts.append(f"{alarm.value}" + (f" (limit {alarm.limit})" if alarm.limit is not None else ""))
    if alarm.operator:
        parts.append(f"by {alarm.operator}")
    return ", ".join(part for part in parts if part)
