"""The watch list as a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple

from rich.style import Style
from textual.strip import Strip

from mxgateway import quality_name
from mxgateway_cli.tui.row_table import RowTable
from mxgateway_cli.tui.text import age_text, clock_text, fit, fit_reference, one_line, rate_text
from mxgateway_cli.tui.trend import bars
from mxgateway_cli.tui.watch_list import WatchedTag, WatchList

_FRESH = 1.0
"""Seconds that a changed value stands out."""
_WIDE = 76
"""Cells from which on time and rate have columns."""
_WIDEST = 110
"""Cells from which on the trend has one."""
_TREND = 12
_MEASURED = 200
"""Rows whose values say how wide their column is."""
_RIGHT = {"value", "age", "rate"}
_EMPTY = ("Nothing is watched yet.", "", "Choose an attribute in the tree and press Enter.")


class _Cells(NamedTuple):
    """The texts of one line."""

    tag: str
    value: str
    units: str
    quality: str
    time: str
    age: str
    rate: str
    trend: str


class WatchTable(RowTable[WatchedTag]):
    """One line a tag; the line with the cursor is what Delete and `w` act on."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "rows--header",
        "rows--cursor",
        "rows--fresh",
        "rows--dim",
        "rows--good",
        "rows--uncertain",
        "rows--bad",
    }

    def __init__(self, watch_list: WatchList, clock: Callable[[], float], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._watch_list = watch_list
        self._clock = clock
        self._widest = 5
        self.is_utc = False
        """Whether times are UTC; local otherwise."""

    def key_of(self, row: WatchedTag) -> object:
        # A tag that was removed and watched again is another row.
        return id(row)

    @property
    def nothing(self) -> tuple[str, ...]:
        return _EMPTY

    def select(self, tag: str) -> None:
        """Puts the cursor on a tag."""
        wanted = self._watch_list.get(tag)
        if wanted is not None:
            self.put_cursor(self.key_of(wanted))

    def repaint(self) -> None:
        """Draws the model as it is now; the cursor stays on its tag."""
        rows = self._watch_list.rows()
        # Columns grow with what they have shown, and do not shrink with each value: nothing jumps.
        self._widest = max((5, self._widest if rows else 5, *(len(row.text) for row in rows[:_MEASURED])))
        self.show(rows)

    # ------------------------------------------------------------------------------------------------------- drawing

    def header(self, width: int) -> Strip:
        time = "time (UTC)" if self.is_utc else "time"
        cells = self._columns(width, _Cells("tag", "value", "units", "quality", time, "age", "rate", "5 minutes"))
        return self.strip_of([(text, self.style_of("header")) for _, text in cells], width, self.style_of("header"))

    def line(self, row: WatchedTag, width: int, *, is_cursor: bool) -> Strip:
        now = self._clock()
        age = row.age(now)
        quality = "stale" if row.stale else _quality(row, short=width < _WIDE)
        texts = _Cells(
            row.tag,
            one_line(row.text) if row.quality is not None else "",
            one_line(row.units),
            quality,
            clock_text(row.source_timestamp_ns, is_utc=self.is_utc),
            age_text(age),
            rate_text(row.rate(now)) if row.changed_at is not None else "",
            bars(row.trend.values(now, _TREND)) if width >= _WIDEST else "",
        )
        dim = self.style_of("dim")
        fresh = age is not None and age < _FRESH and not row.stale
        styles = {
            "value": self.style_of("fresh") if fresh else dim if row.stale else Style(),
            "quality": self.style_of({"waiting": "dim", "stale": "bad"}.get(row.grade, row.grade)),
            "tag": Style(),
        }
        cells = [(text, styles.get(name, dim)) for name, text in self._columns(width, texts)]
        return self.strip_of(cells, width, self.over(is_cursor=is_cursor))

    def _columns(self, width: int, cells: _Cells) -> list[tuple[str, str]]:
        """The columns that a width has, each with its text."""
        # Nobody's room is taken by units that nothing has.
        units = max((len(row.units) for row in self._rows), default=0)
        units = max(5, min(8, units)) if units else 0
        if width >= _WIDEST:
            widths = {"value": 20, "units": units, "quality": 22, "time": 12, "age": 7, "rate": 8, "trend": _TREND}
        elif width >= _WIDE:
            widths = {"value": 12, "units": units, "quality": 14, "time": 12, "age": 7, "rate": 7}
        else:
            quality = 9 if any(row.grade == "uncertain" for row in self._rows) else 7
            widths = {"value": min(10, self._widest), "units": min(units, 5), "quality": quality, "age": 6}
        shown = {name: cells for name, cells in widths.items() if cells}
        tag = max(8, width - sum(shown.values()) - len(shown) - 1)
        others = [(name, fit(getattr(cells, name), room, right=name in _RIGHT) + " ") for name, room in shown.items()]
        return [("tag", fit_reference(cells.tag, tag) + " "), *others]


def _quality(row: WatchedTag, *, short: bool) -> str:
    """The quality as the table shows it; the detail panel has the rest."""
    if row.quality is None:
        return "waiting"
    if not short:
        return quality_name(row.quality)
    return {"good": "Good", "uncertain": "Uncertain"}.get(row.grade, "Bad")
