"""The page of the alarms: the list with a filter, details of one, acknowledging and shelving."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Input, Static

from mxgateway import Alarm, AlarmChange, AlarmFeedState, MxGatewayError
from mxgateway_cli.alarm_board import LOOKS, AlarmBoard
from mxgateway_cli.tui.alarm_details import AlarmDetails
from mxgateway_cli.tui.alarm_dialogs import AcknowledgeDialog, ShelveDialog
from mxgateway_cli.tui.alarm_table import AlarmTable
from mxgateway_cli.tui.help_screen import HelpScreen
from mxgateway_cli.tui.plant import Plant
from mxgateway_cli.tui.text import one_line

KEYS = (
    ("↑ ↓", "move"),
    ("Space", "mark the alarm under the cursor, and take its mark off"),
    ("a", "acknowledge what is marked, or else the alarm under the cursor"),
    ("s", "shelve it, or end its shelving"),
    ("Enter", "what happened to it: its last changes"),
    ("/", "filter: words of name, text, area, state; 1-250 for priorities"),
    ("h", "also what is shelved or silenced"),
    ("p", "pause: the list stands still, and goes on"),
    ("t", "times in UTC, and back to local time"),
    ("Esc", "take filter and marks off; then back to the tags"),
    ("?", "this help"),
    ("q, Ctrl+C", "quit"),
)
_MEANINGS = {
    "UNACK_ALM": "in alarm, nobody has acknowledged it",
    "ACK_ALM": "in alarm, acknowledged",
    "UNACK_RTN": "over, and still wants an acknowledgement",
    "LATCHED": "over and acknowledged; stays until it is dismissed",
}
LEGEND = tuple(
    (f"{look.shape} {look.word}", look.colour, _MEANINGS[look.word])
    for look in LOOKS.values()
    if look.word in _MEANINGS
)
_PRIORITIES = re.compile(r"(\d{1,3})-(\d{1,3})")


class AlarmPage(Screen[None]):
    """It is the AlarmListener of the plant's alarms; whoever opens it also runs them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "acknowledge", "Acknowledge"),
        Binding("space", "mark", "Mark", key_display="space"),
        Binding("s", "shelve", "Shelve"),
        Binding("enter", "history", "History"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("h", "hidden", "Hidden"),
        Binding("p", "pause", "Pause"),
        Binding("t", "utc", "UTC", show=False),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("escape", "back", "Back"),
        Binding("q", "app.quit", "Quit", show=False),
    ]

    def __init__(
        self,
        plant: Plant,
        clock: Callable[[], float],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self._plant = plant
        self._clock = clock
        self._board = AlarmBoard()
        self._table = AlarmTable(self._board, clock, now, id="alarm-table")
        self._details = AlarmDetails(now, id="alarm-details")
        self._status = Static(id="alarm-status")
        self._seen = -1
        self._is_paused = False
        self._filter = ""

    def compose(self) -> ComposeResult:
        yield Input(placeholder="filter (/)", id="alarm-filter", compact=True)
        yield self._table
        with VerticalScroll(id="alarm-lower", can_focus=False):
            yield self._details
        yield self._status
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#alarm-lower").border_title = "Details"
        self._table.focus()
        self.repaint()

    def alarm_changed(self, change: AlarmChange) -> None:
        self._board.note(change, self._clock())

    # ------------------------------------------------------------------------------------------------------ drawing

    def repaint(self) -> None:
        """Draws what has changed since the last time."""
        if not (self._table.is_attached and self._details.is_attached):
            return
        alarms, board = self._plant.alarms, self._board
        board.state, board.provider, board.problem = alarms.state, alarms.provider, alarms.problem
        if not self._is_paused and alarms.revision != self._seen:
            self._seen = alarms.revision
            board.replace(alarms.alarms.values())
            self._table.marked &= {alarm.key for alarm in board.rows()}
        words = self._filter.casefold().split()
        rows = [alarm for alarm in board.rows() if all(map(functools.partial(_fits, alarm), words))]
        self._table.empty = self._nothing(len(board.rows()))
        self._table.show(rows)
        self._table.border_title = self._title(len(rows))
        self._status.update(self._status_line())
        self._details.show_alarm(self._table.selected)

    def _nothing(self, unfiltered: int) -> tuple[str, ...]:
        board = self._board
        if unfiltered:
            return ("No alarm fits the filter.", "", "Esc takes it off.")
        if board.state is AlarmFeedState.CONNECTING:
            return ("There is no list yet.", "", one_line(board.problem)[:200])
        return ("No alarms.", "", "What is shelved or silenced is shown by h.")

    def _title(self, shown: int) -> Text:
        text = Text(f"Alarms · {self._board.summary(self._clock())}")
        if self._filter:
            text.append(f" · {shown} fit the filter")
        if self._table.marked:
            text.append(f" · {len(self._table.marked)} marked", "bold")
        if self._is_paused:
            text.append("  PAUSED", "bold yellow")
        return text

    def _status_line(self) -> Text:
        board = self._board
        text = Text(no_wrap=True, overflow="ellipsis")
        if board.badges:
            text.append(f" ● {' '.join(board.badges)} ", "bold red" if board.problem else "bold yellow")
        else:
            text.append(" ● live ", "bold green")
        text.append(self._plant.endpoint)
        if self._plant.is_simulated:
            text.append("  SIMULATED", "bold magenta")
        if self._plant.read_only:
            text.append("  READ-ONLY", "bold yellow")
        return text.append(f"  {one_line(board.why)}", "dim") if board.why else text

    def on_row_table_moved(self) -> None:
        self._details.show_alarm(self._table.selected)

    # ------------------------------------------------------------------------------------------------------ actions

    def _chosen(self) -> list[Alarm]:
        """What is marked, or else the alarm under the cursor."""
        marked = [alarm for key in sorted(self._table.marked) if (alarm := self._board.get(key)) is not None]
        if marked:
            return marked
        return [self._table.selected] if self._table.selected is not None else []

    def action_mark(self) -> None:
        if (alarm := self._table.selected) is not None:
            self._table.marked ^= {alarm.key}
            self._table.action_move(1)
            self.repaint()

    def action_acknowledge(self) -> None:
        if (alarms := self._to_act_on()) and not (open_ones := [each for each in alarms if not each.acknowledged]):
            self.notify("Acknowledged already.", markup=False)
        elif alarms:
            self.app.push_screen(AcknowledgeDialog(self._plant.alarms, open_ones), self._acted)

    def action_shelve(self) -> None:
        if alarms := self._to_act_on():
            self.app.push_screen(ShelveDialog(self._plant.alarms, alarms), self._acted)

    def _to_act_on(self) -> list[Alarm]:
        if self._plant.read_only:
            self.notify("Started with --read-only: nothing can be done.", severity="warning", markup=False)
            return []
        alarms = self._chosen()
        if not alarms:
            self.notify("There is no alarm under the cursor.", severity="warning", markup=False)
        return alarms

    def _acted(self, _: object) -> None:
        self._table.marked.clear()
        self.repaint()

    def action_history(self) -> None:
        if (alarm := self._table.selected) is not None:
            self._details.show_past(alarm.key, "…")
            self.run_worker(functools.partial(self._fetch_past, alarm), group="history", exclusive=True)  # type: ignore[arg-type]

    async def _fetch_past(self, alarm: Alarm) -> None:
        try:
            self._details.show_past(alarm.key, await self._plant.alarms.history(alarm))
        except MxGatewayError as error:
            self._details.show_past(alarm.key, f"none: {error}")
        self.repaint()

    def action_hidden(self) -> None:
        self._board.shows_hidden = not self._board.shows_hidden
        self._board.forget_order()
        self.repaint()

    def action_pause(self) -> None:
        self._is_paused = not self._is_paused
        self.repaint()

    def action_utc(self) -> None:
        self._details.is_utc = not self._details.is_utc
        self.repaint()

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen(KEYS, ("States", LEGEND)))

    def action_filter(self) -> None:
        self.query_one("#alarm-filter", Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._filter = event.value
        self.repaint()

    def on_input_submitted(self) -> None:
        self._table.focus()

    def action_back(self) -> None:
        entry = self.query_one("#alarm-filter", Input)
        if entry.value or self._table.marked or entry.has_focus:
            entry.value = ""
            self._table.marked.clear()
            self._table.focus()
            self.repaint()
        else:
            self.dismiss(None)


def _fits(alarm: Alarm, word: str) -> bool:
    """Whether a word of the filter, without case, fits an alarm."""
    if (found := _PRIORITIES.fullmatch(word)) is not None:
        return int(found[1]) <= alarm.priority <= int(found[2])
    texts = (alarm.reference, alarm.description, alarm.comment, alarm.operator, *alarm.area_path, alarm.state.name)
    return any(word in text.casefold() for text in texts)
