"""The watch list as a table. It draws the visible lines straight from the model, so size and rate of the list cost
nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

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
from mxgateway_cli.tui.text import age_text, clock_text, fit, one_line, rate_text
from mxgateway_cli.tui.watch_list import WatchedTag, WatchList

_FRESH = 1.0
"""Seconds that a changed value stands out."""
_WIDE = 76
"""Cells from which on time and rate have columns."""
_EMPTY = ("Nothing is watched yet.", "", "Choose an attribute in the tree and press Enter.")


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

    class Moved(Message):
        """The cursor stands on another tag."""

    def __init__(self, watch_list: WatchList, clock: Callable[[], float], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._watch_list = watch_list
        self._clock = clock

    @property
    def selected(self) -> WatchedTag | None:
        """The tag under the cursor."""
        rows = list(self._watch_list)
        return rows[self.cursor] if self.cursor < len(rows) else None

    def select(self, tag: str) -> None:
        """Puts the cursor on a tag."""
        wanted = self._watch_list.get(tag)
        for index, row in enumerate(self._watch_list):
            if row is wanted:
                self.cursor = index

    def repaint(self) -> None:
        """Draws the model as it is now."""
        self.virtual_size = Size(self.size.width, len(self._watch_list) + 1)
        self.cursor = max(0, min(self.cursor, len(self._watch_list) - 1))
        self.refresh()

    def watch_cursor(self) -> None:
        self._show_cursor()
        self.refresh()
        self.post_message(self.Moved())

    def action_move(self, step: int) -> None:
        self.cursor = max(0, min(self.cursor + step, len(self._watch_list) - 1))

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self.size.height - 2))

    def on_click(self, event: events.Click) -> None:
        line = event.y + round(self.scroll_offset.y) - 1
        if event.y > 0 and line < len(self._watch_list):
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
        if not len(self._watch_list):
            line = y - max(0, self.size.height // 2 - 2)
            text = _EMPTY[line] if 0 <= line < len(_EMPTY) else ""
            return self._strip([(text.center(width), self._style("dim"))], width)
        if y == 0:
            cells = self._columns(width, "tag", "value", "quality", "time", "age", "rate")
            return self._strip([(text, self._style("header")) for text in cells], width, self._style("header"))
        index = y - 1 + round(self.scroll_offset.y)
        rows = list(self._watch_list)
        if index >= len(rows):
            return Strip.blank(width, self.rich_style)
        return self._row(rows[index], width, index == self.cursor)

    def _row(self, row: WatchedTag, width: int, is_cursor: bool) -> Strip:
        now = self._clock()
        age = row.age(now)
        quality = "stale" if row.stale else _quality(row, short=width < _WIDE)
        cells = self._columns(
            width,
            row.tag,
            one_line(row.text) if row.quality is not None else "",
            quality,
            clock_text(row.source_timestamp_ns),
            age_text(age),
            rate_text(row.rate(now)) if row.changed_at is not None else "",
        )
        plain, dim = Style(), self._style("dim")
        fresh = age is not None and age < _FRESH and not row.stale
        styles = [
            plain,
            self._style("fresh") if fresh else dim if row.stale else plain,
            self._style({"waiting": "dim", "stale": "bad"}.get(row.grade, row.grade)),
            dim,
            dim,
            dim,
        ]
        over = self._style("cursor") if is_cursor and self.has_focus else Style(bold=True) if is_cursor else None
        return self._strip(list(zip(cells, styles, strict=False)), width, over)

    def _columns(self, width: int, tag: str, value: str, quality: str, time: str, age: str, rate: str) -> list[str]:
        if width >= _WIDE:
            widths = [0, 20, 22, 12, 7, 8] if width >= 110 else [0, 12, 14, 12, 7, 7]
            texts = [tag, value, quality, time, age, rate]
        else:
            widths = [0, 10, 11, 0, 7]
            texts = [tag, value, quality, "", age]
        widths[0] = max(8, width - sum(widths) - sum(1 for each in widths[1:] if each) - 1)
        right = {1, 4, 5}
        return [
            fit(text, cells, right=index in right, keep_end=index == 0) + " "
            for index, (text, cells) in enumerate(zip(texts, widths, strict=True))
            if cells
        ]

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
