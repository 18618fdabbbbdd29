"""The help screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeAlias

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label, Static

Legend: TypeAlias = tuple[str, Sequence[tuple[str, str, str]]]

KEYS = (
    ("Tab", "next part of the screen"),
    ("↑ ↓ ← →", "move; → opens an object, ← closes it"),
    ("Enter", "watch the attribute under the cursor"),
    ("+", "watch all attributes of the object under the cursor"),
    ("Delete", "remove the tag under the cursor from the watch list"),
    ("w", "write to that tag: value, confirmation, outcome"),
    ("o, s", "open a saved watch list; save what is watched"),
    ("b", "bad tags on top, and back to their own order"),
    ("t", "times in UTC, and back to local time"),
    ("/", "filter: part of a tag name, or OBJECT.ATTRIBUTE; Esc: all"),
    ("r", "browse the Galaxy anew"),
    ("a", "the page of the alarms; Esc comes back"),
    ("?", "this help"),
    ("q, Ctrl+C", "quit"),
)
QUALITY = (
    ("good", "green", "the value is what the field says now"),
    ("uncertain", "yellow", "usable with care"),
    ("bad", "red", "not usable; the detail panel says why"),
    ("stale", "red", "the connection was lost: the value is from before"),
)


class HelpScreen(ModalScreen[None]):
    """Keys, and what colours mean."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "dismiss", "Close")]

    def __init__(self, keys: Sequence[tuple[str, str]] = KEYS, legend: Legend = ("Quality", QUALITY)) -> None:
        """
        Args:
            keys: key and what it does.
            legend: what colours mean: title, and name, colour and meaning of each.
        """
        super().__init__()
        self._keys = keys
        self._legend = legend

    def on_mount(self) -> None:
        panel = self.query_one("#help")
        panel.border_title, panel.border_subtitle = "Keys", "Esc closes"

    def compose(self) -> ComposeResult:
        keys = Table.grid(padding=(0, 2))
        keys.add_column(style="bold", no_wrap=True)
        keys.add_column()
        for key, text in self._keys:
            keys.add_row(key, text)
        quality = Table.grid(padding=(0, 2))
        quality.add_column(no_wrap=True)
        quality.add_column()
        title, legend = self._legend
        for name, colour, text in legend:
            quality.add_row(Text(name, colour), text)
        with VerticalScroll(id="help"):
            yield Static(keys)
            yield Label(title, classes="heading")
            yield Static(quality)
