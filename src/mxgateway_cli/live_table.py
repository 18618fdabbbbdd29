"""A board as a live table in a terminal. Imported only when stdout is one, because rich is an extra."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mxgateway_cli.tui.text import fit_reference
from mxgateway_cli.watch_board import Row, TagBoard

_FRESH = 1.0
_WIDE, _MEDIUM = 72, 50
_REASONS = 4
"""Reasons of failed tags that stand below the table."""


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
        rows = list(board.rows.values())
        failed = [row for row in rows if row.failure]
        reasons = [f"{row.tag}: {row.failure}" for row in failed[:_REASONS]]
        if len(failed) > _REASONS:
            reasons.append(f"{len(failed) - _REASONS} more tags have failed")
        below = sum(max(1, -(-len(line) // width)) for line in (*reasons, *self.footer))
        room = max(5, self._console.height - 7 - below)
        # What has no good value is what somebody looks for where not all can be seen.
        shown = rows if len(rows) <= room else sorted(rows, key=lambda row: row.good or row.quality is None)[:room]
        table = self._table([self._cells(row, now, board.is_stale) for row in shown], width)
        rate = sum(row.rate(now) for row in rows)
        good = "stale" if board.is_stale else f"{board.good} good"
        summary = f"{len(rows)} tags, {good}, {board.events} events, {rate:.1f} changes/s"
        if len(shown) < len(rows):
            summary += f" ({len(rows) - len(shown)} more tags do not fit)"
        told = [*(Text(line, style="red") for line in reasons), *(Text(line) for line in self.footer)]
        return Group(table, Text(summary, style="bold"), *told)

    def _table(self, cells: list[tuple[Text, ...]], width: int) -> Table:
        # A narrow terminal shows what matters, whole, before it shows a little of everything.
        columns = 5 if width >= _WIDE else 4 if width >= _MEDIUM else 3
        table = Table(title=self._title, title_style="bold", header_style="bold", pad_edge=False)
        value, quality = (
            min(most, max([least, *(cell_len(row[index].plain) for row in cells)]))
            for index, least, most in ((1, 5, max(8, width // 4)), (2, 7, max(8, width // 5)))
        )
        # Three cells stand between two columns, and one at each side; what is left is for the tag.
        tag = max(8, width - value - quality - 8 * (columns - 3) - 3 * columns + 1)
        table.add_column("tag", no_wrap=True, width=tag)
        table.add_column("value", no_wrap=True, justify="right", width=value)
        table.add_column("quality", no_wrap=True, width=quality)
        for name in ("age", "rate")[: columns - 3]:
            table.add_column(name, no_wrap=True, justify="right", width=8)
        for row in cells:
            table.add_row(Text(fit_reference(row[0].plain, tag).rstrip()), *row[1:columns])
        return table

    def _cells(self, row: Row, now: float, is_stale: bool) -> tuple[Text, ...]:
        age = row.age(now)
        colour = "green" if row.good else "dim" if row.quality is None else "red"
        quality = Text(row.quality_word, style=colour)
        if is_stale and row.changed_at is not None:
            quality = Text("stale", style="yellow")
        return (
            Text(row.tag),
            Text(row.text, style="bold cyan" if age is not None and age < _FRESH else ""),
            quality,
            Text("-" if age is None else f"{age:.1f} s", style="dim"),
            Text(f"{row.rate(now):.1f}/s", style="dim"),
        )
