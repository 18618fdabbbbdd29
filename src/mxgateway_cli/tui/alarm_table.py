"""The alarms as a table: state by shape, word and colour."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar

from rich.style import Style
from textual.strip import Strip

from mxgateway import Alarm, AlarmState
from mxgateway_cli.alarm_board import LOOKS, AlarmBoard, age_text, marks
from mxgateway_cli.tui.row_table import RowTable
from mxgateway_cli.tui.text import fit, fit_reference, one_line

_WIDE, _WIDEST = 76, 110
_COLOURS = {
    AlarmState.UNACK_ALM: "bad",
    AlarmState.ACK_ALM: "acknowledged",
    AlarmState.UNACK_RTN: "uncertain",
    AlarmState.LATCHED: "latched",
}
_NONE = ("No alarms.", "", "What is shelved or silenced is shown by h.")


class AlarmTable(RowTable[Alarm]):
    """One line an alarm; what is marked, or else the line with the cursor, is what keys act on.

    Attributes:
        marked: keys of the alarms that are marked.
        empty: what stands there when there is nothing to show.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "rows--header",
        "rows--cursor",
        "rows--fresh",
        "rows--dim",
        "rows--bad",
        "rows--acknowledged",
        "rows--uncertain",
        "rows--latched",
    }

    def __init__(
        self, board: AlarmBoard, clock: Callable[[], float], now: Callable[[], datetime], *, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._board = board
        self._clock = clock
        self._now = now
        self.marked: set[str] = set()
        self.empty: tuple[str, ...] = _NONE

    def key_of(self, row: Alarm) -> object:
        return row.key

    @property
    def nothing(self) -> tuple[str, ...]:
        return self.empty

    def header(self, width: int) -> Strip:
        style = self.style_of("header")
        names = [("mark", "  "), ("state", "state"), ("prio", "prio"), ("age", "age")]
        names += [("alarm", "alarm"), ("area", "area"), ("said", "description")]
        return self.strip_of([(text, style) for text, _ in self._columns(width, dict(names))], width, style)

    def line(self, row: Alarm, width: int, *, is_cursor: bool) -> Strip:
        look = LOOKS[row.state]
        dim = self.style_of("dim")
        said = row.description if row.value is None else f"{row.description} {row.value}".strip()
        texts = {
            "mark": "✓ " if row.key in self.marked else "  ",
            "state": f"{look.shape} {' '.join([look.word, *marks(row)])}",
            "prio": str(row.priority),
            "age": age_text(row, self._now()),
            "alarm": one_line(row.reference),
            "area": one_line(row.area),
            "said": one_line(said),
        }
        fresh = self._board.is_fresh(row, self._clock())
        styles = {
            "state": self.style_of(_COLOURS.get(row.state, "latched")),
            "alarm": self.style_of("fresh") if fresh else Style(),
            "prio": Style(),
            "mark": Style(bold=True),
        }
        cells = [(text, styles.get(name, dim)) for text, name in self._columns(width, texts)]
        return self.strip_of(cells, width, self.over(is_cursor=is_cursor))

    def _columns(self, width: int, texts: dict[str, str]) -> list[tuple[str, str]]:
        """The columns that a width has: each text, and its column's name."""
        has_marks = any(marks(row) for row in self._rows[:200])
        widths = {"mark": 2, "state": 11, "prio": 4, "age": 6}
        if width >= _WIDE and has_marks:
            widths["state"] = 21
        if width >= _WIDEST:
            widths["area"] = 14
        left = width - sum(widths.values()) - len(widths)
        longest = max((len(row.reference) for row in self._rows[:200]), default=8)
        alarm = max(8, min(left, longest + 1) if width >= _WIDE else left)
        cells = [(texts["mark"], "mark"), (fit(texts["state"], widths["state"]) + " ", "state")]
        cells += [(fit(texts[name], widths[name], right=True) + " ", name) for name in ("prio", "age")]
        cells.append((fit_reference(texts["alarm"], alarm) + " ", "alarm"))
        if "area" in widths:
            cells.append((fit(texts["area"], widths["area"]) + " ", "area"))
        if (rest := left - alarm - 1) >= 6:
            cells.append((fit(texts["said"], rest), "said"))
        return cells
