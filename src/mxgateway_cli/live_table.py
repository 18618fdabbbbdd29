"""A board as a live table in a terminal. Imported only when stdout is one, because rich is an extra."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mxgateway_cli.watch_board import Row, TagBoard

_FRESH = 1.0
_WIDE, _MEDIUM = 72, 50


class LiveTable:
    """Shows a board until it is left; redrawn by `update` only."""

    def __init__(self, title: str, footer: Iterable[str] = ()) -> None:
        self._title = title
        self.footer = list(footer)
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop", screen=False)

    def __enter__(self) -> LiveTable:
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.__exit__(None, None, None)

    def update(self, board: TagBoard, now: float) -> None:
        """Draws the board as it is now."""
        self._live.update(self._render(board, now), refresh=True)

    def tell(self, line: str) -> None:
        """Writes a line that stays, above the table."""
        self._console.print(Text(line))

    def _render(self, board: TagBoard, now: float) -> RenderableType:
        width = max(1, self._console.width)
        below = sum(max(1, -(-len(line) // width)) for line in self.footer)
        room = max(5, self._console.height - 7 - below)
        rows = list(board.rows.values())
        shown = rows[:room]
        table = Table(title=self._title, title_style="bold", header_style="bold", expand=True, pad_edge=False)
        # A narrow terminal shows what matters, whole, before it shows a little of everything.
        columns = 5 if self._console.width >= _WIDE else 4 if self._console.width >= _MEDIUM else 3
        table.add_column("tag", no_wrap=True, ratio=4)
        table.add_column("value", no_wrap=True, justify="right", ratio=2)
        table.add_column("quality", no_wrap=True, ratio=2)
        for name in ("age", "rate")[: columns - 3]:
            table.add_column(name, no_wrap=True, justify="right", min_width=7)
        for row in shown:
            table.add_row(*self._cells(row, now, board.is_stale)[:columns])
        rate = sum(row.rate(now) for row in rows)
        good = "stale" if board.is_stale else f"{board.good} good"
        summary = f"{len(rows)} tags, {good}, {board.events} events, {rate:.1f} changes/s"
        if len(shown) < len(rows):
            summary += f" ({len(rows) - len(shown)} more tags do not fit)"
        return Group(table, Text(summary, style="bold"), *(Text(line) for line in self.footer))

    def _cells(self, row: Row, now: float, is_stale: bool) -> tuple[Text, Text, Text, Text, Text]:
        age = row.age(now)
        colour = "green" if row.good else "dim" if row.quality is None else "red"
        quality = Text(row.quality_text, style=colour)
        if is_stale and row.changed_at is not None:
            quality = Text("stale", style="yellow")
        return (
            Text(row.tag),
            Text(row.text, style="bold cyan" if age is not None and age < _FRESH else ""),
            quality,
            Text("-" if age is None else f"{age:.1f} s", style="dim"),
            Text(f"{row.rate(now):.1f}/s", style="dim"),
        )
