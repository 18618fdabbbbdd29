"""The application: tree on the left, watch list and details on the right, connection at the bottom."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Footer, Input, Static

from mxgateway import DataChange
from mxgateway_cli.tag_check import is_unknown
from mxgateway_cli.tui.alarm_page import AlarmPage
from mxgateway_cli.tui.details import Details
from mxgateway_cli.tui.galaxy_facts import GalaxyFacts
from mxgateway_cli.tui.galaxy_tree import GalaxyTree
from mxgateway_cli.tui.help_screen import HelpScreen
from mxgateway_cli.tui.list_dialogs import OpenedList, OpenListDialog, SaveListDialog
from mxgateway_cli.tui.plant import Link, Plant
from mxgateway_cli.tui.state_texts import status_line, watch_title
from mxgateway_cli.tui.watch_list import WatchList
from mxgateway_cli.tui.watch_table import WatchTable
from mxgateway_cli.tui.watched import Watched
from mxgateway_cli.tui.write_dialog import WriteDialog
from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb

REPAINT = 0.25
"""Seconds between two drawings, however fast values change."""
FILTER_PAUSE = 0.3
"""Seconds without a key after which the filter asks the gateway."""


_OF_TAGS = frozenset(
    (
        *("filter", "write", "remove", "watch_all", "open_list", "save_list"),
        *("alarms", "bad_first", "utc", "reload", "whole_tree"),
    )
)
"""Actions on what the first screen shows."""


class MxGatewayApp(App[None]):
    """Browse, watch, write. It is the Listener of its plant; whoever runs the application also runs the plant."""

    TITLE = "mxgw-py"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - the base class says instance variable
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("w", "write", "Write"),
        Binding("delete", "remove", "Remove", key_display="del"),
        Binding("plus", "watch_all", "All", key_display="+"),
        Binding("o", "open_list", "Open"),
        Binding("s", "save_list", "Save"),
        Binding("a", "alarms", "Alarms"),
        Binding("b", "bad_first", "Bad first", show=False),
        Binding("t", "utc", "UTC", show=False),
        Binding("r", "reload", "Reload", show=False),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q", "quit", "Quit"),
        # As in every program of a terminal; in place of the library's hint at another key.
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
        Binding("escape", "whole_tree", "Whole tree", show=False),
    ]

    def __init__(
        self,
        plant: Plant,
        tags: Iterable[str] = (),
        *,
        list_name: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            tags: watched from the start.
            list_name: the saved list that these are; empty for none.
        """
        super().__init__()
        self.plant = plant
        self.watch_list = WatchList()
        self._watched = Watched(plant, self.watch_list)
        self._facts = GalaxyFacts(plant, self.watch_list)
        self._first_tags, self._first_list = tuple(tags), list_name
        self._clock = clock
        self._link, self._link_text = Link.CONNECTING, ""
        self._browsed = False
        self._filter_timer: Timer | None = None
        # Made when it is asked for: who does not look at alarms has no stream of them.
        self._alarms: AlarmPage | None = None
        self._tree = GalaxyTree(plant, self.watch_list.__contains__, id="tree")
        self._table = WatchTable(self.watch_list, clock, id="watch")
        self._details = Details(clock, id="details")
        self._status_line = Static(id="status")

    def compose(self) -> ComposeResult:
        with Horizontal(id="main"):
            with Vertical(id="browse"):
                yield Input(placeholder="filter (/)", id="filter", compact=True)
                yield self._tree
            with Vertical(id="right"):
                yield self._table
                with Vertical(id="lower"):
                    yield self._details
        yield self._status_line
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#browse").border_title = "Galaxy"
        self.query_one("#lower").border_title = "Details"
        for tag in self._first_tags:
            self._watched.add(tag)
        if self._first_list:
            self.watch_list.saved_as(self._first_list)
        self._tree.focus()
        self.set_interval(REPAINT, self.repaint)
        self.repaint()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # Keys of the tags' screen do nothing behind the page of the alarms, which has its own.
        return action not in _OF_TAGS or not self._shows_alarms

    @property
    def _shows_alarms(self) -> bool:
        # At the end of the program there is no screen any more, and the timer may still fire.
        return self._alarms is not None and self.screen_stack[-1:] == [self._alarms]

    # ----------------------------------------------------------------------------------------------------- listener

    def link_changed(self, link: Link, text: str) -> None:
        if link is not Link.CONNECTED and self._link is Link.CONNECTED:
            self.watch_list.link_lost()
        self._link, self._link_text = link, text
        # The plant runs beside the application: what touches widgets is for the application's own task.
        self.call_later(self._browse_once)

    def _browse_once(self) -> None:
        if self._link is Link.CONNECTED and not self._browsed:
            self._browsed = True
            self._tree.show_top()
            self._describe()

    def values_came(self, changes: Sequence[DataChange]) -> None:
        now = self._clock()
        for change in changes:
            self.watch_list.apply(change.tag, change.raw, now, is_late=change.replayed)
            if is_unknown(change.statuses):
                self.call_later(self._hint, change.tag)

    def tag_refused(self, tag: str, reason: str) -> None:
        self.watch_list.refuse(tag, reason)

    def events_lost(self, count: int) -> None:
        self.watch_list.lost += max(1, count)

    # ------------------------------------------------------------------------------------------------------ drawing

    def repaint(self) -> None:
        """Draws what has changed since the last time."""
        if self._alarms is not None and self._shows_alarms:
            self._alarms.repaint()
        # The timer may still fire while the screen is taken down.
        if not (self._table.is_attached and self._details.is_attached):
            return
        self._table.repaint()
        self._table.border_title = watch_title(self.watch_list, is_simulated=self.plant.is_simulated)
        self._status_line.update(status_line(self.plant, self._link, self._link_text, self.watch_list, self._clock()))
        self._show_details()

    def _show_details(self) -> None:
        details, tree, table = self._details, self._tree, self._table
        row = table.selected
        chosen = tree.selected
        if row is not None and (table.has_focus or chosen is None):
            details.show_watched(row)
        elif isinstance(chosen, galaxy_pb.GalaxyAttribute):
            details.show_attribute(chosen, self.watch_list.get(chosen.full_tag_reference))
        elif chosen is not None:
            details.show_object(chosen.object)
        else:
            details.show_nothing()

    def on_row_table_moved(self) -> None:
        self._show_details()

    def on_tree_node_highlighted(self) -> None:
        self._show_details()

    # ------------------------------------------------------------------------------------------------------ actions

    def on_galaxy_tree_attribute_chosen(self, event: GalaxyTree.AttributeChosen) -> None:
        self._watch(event.attribute.full_tag_reference, event.attribute)

    def _watch(self, tag: str, attribute: galaxy_pb.GalaxyAttribute | None) -> None:
        self._watched.add(tag, attribute)
        self._tree.mark_watched()
        self.repaint()
        self._table.select(tag)

    def _describe(self) -> None:
        if self._browsed:
            self.run_worker(self._facts.describe, group="describe", exclusive=True)  # type: ignore[arg-type]

    def _hint(self, tag: str) -> None:
        self.run_worker(functools.partial(self._facts.hint, tag), group="hint")  # type: ignore[arg-type]

    def action_watch_all(self) -> None:
        attributes = self._tree.attributes
        if not attributes:
            self.notify("Stand on an object in the tree: + watches all its attributes.", markup=False)
        for attribute in attributes:
            self._watched.add(attribute.full_tag_reference, attribute)
        self._tree.mark_watched()
        self.repaint()

    def action_bad_first(self) -> None:
        self.watch_list.is_bad_first = not self.watch_list.is_bad_first
        self.repaint()

    def action_utc(self) -> None:
        self._table.is_utc = self._details.is_utc = not self._table.is_utc
        self.repaint()

    def action_open_list(self) -> None:
        self.push_screen(OpenListDialog(), self._opened)

    def _opened(self, chosen: OpenedList | None) -> None:
        if chosen is None:
            return
        if chosen.adds:
            for tag in chosen.tags:
                self._watched.add(tag)
        else:
            self._watched.open(chosen.name, chosen.tags)
        self._describe()
        self._tree.mark_watched()
        self.repaint()
        self._table.focus()

    def action_save_list(self) -> None:
        if len(self.watch_list):
            self.push_screen(SaveListDialog(self.watch_list.tags, self.watch_list.name), self._saved)
        else:
            self.notify("Nothing is watched, so there is nothing to save.", severity="warning", markup=False)

    def _saved(self, name: str | None) -> None:
        if name is not None:
            self.watch_list.saved_as(name)
            self.notify(f"Saved; mxgw-py watch @{name} takes it, too.", markup=False)
            self.repaint()

    def action_remove(self) -> None:
        row = self._table.selected
        if row is None:
            return
        self._watched.remove(row.tag)
        self._tree.mark_watched()
        self.repaint()

    def action_write(self) -> None:
        row = self._table.selected
        if self.plant.read_only:
            self.notify("Started with --read-only: nothing can be written.", severity="warning", markup=False)
        elif row is None:
            self.notify("Watch a tag first: Enter on an attribute in the tree.", severity="warning", markup=False)
        elif row.quality is None or row.stale:
            self.notify(
                f"{row.tag} has no present value; MXAccess takes no write before that.",
                severity="warning",
                markup=False,
            )
        else:
            self.push_screen(WriteDialog(self.plant, row))

    def action_alarms(self) -> None:
        if self._alarms is None:
            self._alarms = AlarmPage(self.plant, self._clock)
            # Installed, it keeps what is on it while it is not shown.
            self.install_screen(self._alarms, "alarms")
            self.run_worker(self.plant.alarms.run(self._alarms), group="alarms")
        self.push_screen("alarms")

    def action_help(self) -> None:
        self.push_screen(HelpScreen())

    def action_reload(self) -> None:
        self._apply_filter()

    def action_filter(self) -> None:
        self.query_one("#filter", Input).focus()

    def action_whole_tree(self) -> None:
        entry = self.query_one("#filter", Input)
        if entry.value:
            entry.value = ""
            self._apply_filter()
        self._tree.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id != "filter":
            return
        if self._filter_timer is not None:
            self._filter_timer.stop()
        self._filter_timer = self.set_timer(FILTER_PAUSE, self._apply_filter)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "filter":
            self._apply_filter()
            self._tree.focus()

    def _apply_filter(self) -> None:
        if self._filter_timer is not None:
            self._filter_timer.stop()
            self._filter_timer = None
        text = self.query_one("#filter", Input).value.strip()
        if text:
            self._tree.show_found(text)
        else:
            self._tree.show_top()
