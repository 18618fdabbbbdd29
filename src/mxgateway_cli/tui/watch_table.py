"""The watch list as a table. It draws the visible lines straight from the model, so size and rate of the list cost
nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mxgateway import quality_name
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


class WatchTable(ScrollView, can_focus=True):
    """One line a tag; the line with the cursor is what Delete and `w` act on."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "watch--header",
        "watch--cursor",
        "watch--fresh",
        "watch--dim",
        "watch--good",
        "watch--uncertain",
        "watch--bad",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "move(-1000000)", "Top", show=False),
        Binding("end", "move(1000000)", "End", show=False),
    ]

    cursor: reactive[int] = reactive(0)
    """The line that is acted on, of those that were drawn last."""

    class Moved(Message):
        """The cursor stands on another tag."""

    def __init__(self, watch_list: WatchList, clock: Callable[[], float], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._watch_list = watch_list
        self._clock = clock
        # As they were drawn last: what a key acts on is what the user sees, whatever has changed its place since.
        self._rows: list[WatchedTag] = []
        self._under_cursor: WatchedTag | None = None
        self._widest = 5
        self.is_utc = False
        """Whether times are UTC; local otherwise."""

    @property
    def selected(self) -> WatchedTag | None:
        """The tag under the cursor."""
        return self._rows[self.cursor] if self.cursor < len(self._rows) else None

    def select(self, tag: str) -> None:
        """Puts the cursor on a tag."""
        wanted = self._watch_list.get(tag)
        for index, row in enumerate(self._rows):
            if row is wanted:
                self.cursor = index

    def repaint(self) -> None:
        """Draws the model as it is now; the cursor stays on its tag."""
        rows = self._watch_list.rows()
        # Columns grow with what they have shown, and do not shrink with each value: nothing jumps.
        self._widest = max((5, self._widest if rows else 5, *(len(row.text) for row in rows[:_MEASURED])))
        place = next((index for index, row in enumerate(rows) if row is self._under_cursor), self.cursor)
        self._rows = rows
        self.virtual_size = Size(self.size.width, len(rows) + 1)
        self.cursor = max(0, min(place, len(rows) - 1))
        self._under_cursor = self.selected
        self.refresh()

    def watch_cursor(self) -> None:
        self._under_cursor = self.selected
        self._show_cursor()
        self.refresh()
        self.post_message(self.Moved())

    def action_move(self, step: int) -> None:
        self.cursor = max(0, min(self.cursor + step, len(self._rows) - 1))

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self.size.height - 2))

    def on_click(self, event: events.Click) -> None:
        line = event.y + round(self.scroll_offset.y) - 1
        if event.y > 0 and line < len(self._rows):
            self.cursor = line

    def on_resize(self) -> None:
        self.repaint()
        self._show_cursor()

    def _show_cursor(self) -> None:
        top, room = round(self.scroll_offset.y), max(1, self.size.height - 1)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + room:
            self.scroll_to(y=self.cursor - room + 1, animate=False)

    # ------------------------------------------------------------------------------------------------------- drawing

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if not self._rows:
            line = y - max(0, self.size.height // 2 - 2)
            text = _EMPTY[line] if 0 <= line < len(_EMPTY) else ""
            return self._strip([(text.center(width), self._style("dim"))], width)
        if y == 0:
            time = "time (UTC)" if self.is_utc else "time"
            cells = self._columns(width, _Cells("tag", "value", "units", "quality", time, "age", "rate", "5 minutes"))
            return self._strip([(text, self._style("header")) for _, text in cells], width, self._style("header"))
        index = y - 1 + round(self.scroll_offset.y)
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        return self._row(self._rows[index], width, index == self.cursor)

    def _row(self, row: WatchedTag, width: int, is_cursor: bool) -> Strip:
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
        dim = self._style("dim")
        fresh = age is not None and age < _FRESH and not row.stale
        styles = {
            "value": self._style("fresh") if fresh else dim if row.stale else Style(),
            "quality": self._style({"waiting": "dim", "stale": "bad"}.get(row.grade, row.grade)),
            "tag": Style(),
        }
        over = self._style("cursor") if is_cursor and self.has_focus else Style(bold=True) if is_cursor else None
        cells = [(text, styles.get(name, dim)) for name, text in self._columns(width, texts)]
        return self._strip(cells, width, over)

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

    def _strip(self, cells: list[tuple[str, Style]], width: int, over: Style | None = None) -> Strip:
        base = self.rich_style
        segments = [Segment(text, base + style + (over or Style())) for text, style in cells]
        return Strip(segments).adjust_cell_length(width, base + (over or Style()))

    def _style(self, name: str) -> Style:
        # Only the colour of the text, so that the ground of the cursor's line shows through.
        full = self.get_component_rich_style(f"watch--{name}", partial=True)
        return full if name in ("cursor", "header") else Style(color=full.color, bold=full.bold)


def _quality(row: WatchedTag, *, short: bool) -> str:
    """The quality as the table shows it; the detail panel has the rest."""
    if row.quality is None:
        return "waiting"
    if not short:
        return quality_name(row.quality)
    return {"good": "Good", "uncertain": "Uncertain"}.get(row.grade, "Bad")
