"""A table of one line a row that draws only what is visible, straight from a model: its size and rate cost nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

RowT = TypeVar("RowT")


class RowTable(ScrollView, Generic[RowT], can_focus=True):
    """The line with the cursor is what keys act on; the cursor stays on its row, wherever that moves to."""

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
        """The cursor stands on another row."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        # As they were drawn last: what a key acts on is what the user sees, whatever has changed its place since.
        self._rows: Sequence[RowT] = []
        self._under_cursor: object = None

    def key_of(self, row: RowT) -> object:
        """What tells a row from the others, for as long as it is shown."""
        raise NotImplementedError

    def header(self, width: int) -> Strip:
        """The first line."""
        raise NotImplementedError

    def line(self, row: RowT, width: int, *, is_cursor: bool) -> Strip:
        """The line of a row."""
        raise NotImplementedError

    @property
    def nothing(self) -> Sequence[str]:
        """What stands there when there are no rows."""
        raise NotImplementedError

    @property
    def selected(self) -> RowT | None:
        """The row under the cursor."""
        return self._rows[self.cursor] if self.cursor < len(self._rows) else None

    def show(self, rows: Sequence[RowT]) -> None:
        """Draws these rows; the cursor stays on its own."""
        keys = [self.key_of(row) for row in rows] if self._under_cursor is not None else []
        place = keys.index(self._under_cursor) if self._under_cursor in keys else self.cursor
        self._rows = rows
        self.virtual_size = Size(self.size.width, len(rows) + 1)
        self.cursor = max(0, min(place, len(rows) - 1))
        self._note_cursor()
        self.refresh()

    def put_cursor(self, key: object) -> None:
        """Puts the cursor on the row of this key, if it is shown."""
        for index, row in enumerate(self._rows):
            if self.key_of(row) == key:
                self.cursor = index

    def _note_cursor(self) -> None:
        selected = self.selected
        self._under_cursor = None if selected is None else self.key_of(selected)

    def watch_cursor(self) -> None:
        self._note_cursor()
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
        self.show(self._rows)
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
            text = self.nothing[line] if 0 <= line < len(self.nothing) else ""
            return self.strip_of([(text.center(width), self.style_of("dim"))], width)
        if y == 0:
            return self.header(width)
        index = y - 1 + round(self.scroll_offset.y)
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        return self.line(self._rows[index], width, is_cursor=index == self.cursor)

    def over(self, *, is_cursor: bool) -> Style | None:
        """What lies over the styles of a line."""
        if not is_cursor:
            return None
        return self.style_of("cursor") if self.has_focus else Style(bold=True)

    def strip_of(self, cells: Sequence[tuple[str, Style]], width: int, over: Style | None = None) -> Strip:
        """A line of texts with their styles."""
        base = self.rich_style
        segments = [Segment(text, base + style + (over or Style())) for text, style in cells]
        return Strip(segments).adjust_cell_length(width, base + (over or Style()))

    def style_of(self, name: str) -> Style:
        """The style of a component class `rows--NAME`."""
        # Only the colour of the text, so that the ground of the cursor's line shows through.
        full = self.get_component_rich_style(f"rows--{name}", partial=True)
        return full if name in ("cursor", "header") else Style(color=full.color, bold=full.bold)
