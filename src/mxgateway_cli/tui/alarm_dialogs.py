"""Acknowledging and shelving alarms: what is said about it, and what became of each."""

from __future__ import annotations

import functools
import getpass
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from mxgateway import Alarm
from mxgateway_cli.tui.plant import Outcome, PlantAlarms
from mxgateway_cli.tui.text import one_line

_COMMENT, _REASON = 256, 200
_NAMED = 4
"""Alarms that are named before they are counted."""
_MARKS = {True: ("✔", "green"), False: ("✘", "red"), None: ("?", "yellow")}


class _ActDialog(ModalScreen[None]):
    """Asks what is to be said, acts once, and shows the outcome of each alarm until it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Cancel")]

    def __init__(self, plant: PlantAlarms, alarms: Sequence[Alarm]) -> None:
        super().__init__()
        self._plant = plant
        # As they were on the screen: what they have become meanwhile is not what the user has seen.
        self._alarms = tuple(alarms)
        self._under_way = False
        self.outcomes: list[Outcome] | None = None

    def compose(self) -> ComposeResult:
        count = len(self._alarms)
        with Vertical(id="dialog"):
            yield Label(f"{self.verb} {count} alarm{'' if count == 1 else 's'}", id="title")
            yield Static(self._facts(), id="facts")
            yield from self.fields()
            yield Input(_user(), placeholder="operator", id="operator", max_length=64, compact=True)
            yield Static("", id="message")
            with VerticalScroll(id="outcomes"):
                yield Static("", id="each")
            with Horizontal(id="buttons"):
                yield Button(self.verb, variant="warning", id="forward")
                yield Button("Cancel", id="leave")

    @property
    def verb(self) -> str:
        raise NotImplementedError

    def fields(self) -> ComposeResult:
        raise NotImplementedError

    def problem(self) -> str:
        """Why what was entered cannot be sent; empty when it can."""
        return ""

    async def act(self, operator: str) -> list[Outcome]:
        raise NotImplementedError

    def on_mount(self) -> None:
        self.query_one("#outcomes").display = False
        self.query(Input).first().focus()

    def _facts(self) -> Text:
        text = Text()
        for alarm in self._alarms[:_NAMED]:
            text.append(f"{one_line(alarm.reference)}\n", "bold")
        if len(self._alarms) > _NAMED:
            text.append(f"and {len(self._alarms) - _NAMED} more\n")
        unguarded = sum(not alarm.guid for alarm in self._alarms)
        if not unguarded:
            text.append("Means what has come up so far: an alarm that comes up again meanwhile is left alone.", "dim")
        else:
            which = "It cannot" if len(self._alarms) == 1 else f"{unguarded} of them cannot"
            text.append(f"{which} be told apart from an alarm that comes up again meanwhile.", "yellow")
        return text

    def on_input_changed(self) -> None:
        self._say("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        # Enter leads on to the next field, and from the last one to the button that acts.
        event.stop()
        self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "leave":
            self.action_leave()
        else:
            self._go()

    def action_leave(self) -> None:
        # What is under way cannot be taken back, so its outcome is not hidden either.
        if not self._under_way:
            self.dismiss(None)

    def _go(self) -> None:
        if self._under_way or self.outcomes is not None:
            return
        if problem := self.problem():
            self._say(problem, "red")
            return
        self._under_way = True
        for each in (*self.query(Button), *self.query(Input)):
            each.disabled = True
        self._say("sent; waiting until the plant has done it …", "dim")
        operator = self.query_one("#operator", Input).value.strip()
        self.run_worker(functools.partial(self._finish, operator))  # type: ignore[arg-type]

    async def _finish(self, operator: str) -> None:
        try:
            outcomes = self.outcomes = await self.act(operator)
        finally:
            self._under_way = False
        done = sum(outcome.succeeded is True for outcome in outcomes)
        self._say(f"{done} of {len(outcomes)} done", "green" if done == len(outcomes) else "red")
        text = Text()
        # What went wrong is what has to be read.
        told = sorted(zip(self._alarms, outcomes, strict=True), key=lambda pair: pair[1].succeeded is True)
        for alarm, outcome in told:
            mark, style = _MARKS[outcome.succeeded]
            text.append(f"{mark} ", style).append(f"{one_line(alarm.reference)} ").append(
                f"{one_line(outcome.text)}\n", style
            )
        self.query_one("#each", Static).update(text)
        self.query_one("#outcomes").display = True
        for each in self.query(Input):
            each.display = False
        self.query_one("#facts").display = False
        self.query_one("#forward", Button).display = False
        leave = self.query_one("#leave", Button)
        leave.label, leave.disabled = "Close", False
        leave.focus()

    def _say(self, text: str, style: str = "") -> None:
        self.query_one("#message", Static).update(Text(text, style))


class AcknowledgeDialog(_ActDialog):
    """Acknowledges with a comment."""

    @property
    def verb(self) -> str:
        return "Acknowledge"

    def fields(self) -> ComposeResult:
        yield Input(
            placeholder=f"comment, {_COMMENT} characters at most", id="comment", max_length=_COMMENT, compact=True
        )

    async def act(self, operator: str) -> list[Outcome]:
        return await self._plant.acknowledge(self._alarms, self.query_one("#comment", Input).value.strip(), operator)


class ShelveDialog(_ActDialog):
    """Shelves for some hours, with a reason; or ends the shelving of alarms that all are shelved."""

    @property
    def verb(self) -> str:
        return "Unshelve" if self._ends else "Shelve"

    @property
    def _ends(self) -> bool:
        return all(alarm.shelved for alarm in self._alarms)

    def fields(self) -> ComposeResult:
        if not self._ends:
            yield Input("1", placeholder="hours, such as 0.5", id="hours", compact=True)
            yield Input(
                placeholder=f"reason, {_REASON} characters at most", id="reason", max_length=_REASON, compact=True
            )

    def problem(self) -> str:
        if self._ends:
            return ""
        if self._hours() is None:
            return "Hours are a number above 0, such as 0.5."
        if not self.query_one("#reason", Input).value.strip():
            return "A reason is missing: who finds the alarm shelved wants to know why."
        return ""

    def _hours(self) -> float | None:
        try:
            hours = float(self.query_one("#hours", Input).value)
        except ValueError:
            return None
        return hours if 0 < hours < 1e4 else None

    async def act(self, operator: str) -> list[Outcome]:
        if self._ends:
            return await self._plant.shelve(self._alarms, 0, "", operator)
        reason = self.query_one("#reason", Input).value.strip()
        return await self._plant.shelve(self._alarms, self._hours() or 0, reason, operator)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
