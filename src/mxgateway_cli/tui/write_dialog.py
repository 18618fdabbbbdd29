"""Writing a value: enter it, confirm old and new, see the outcome."""

from __future__ import annotations

import functools
from typing import ClassVar

import click
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from mxgateway_cli.tui.plant import Outcome, Plant
from mxgateway_cli.tui.text import one_line
from mxgateway_cli.tui.watch_list import WatchedTag
from mxgateway_cli.tui.words import security_class, write_type
from mxgateway_cli.value_parsing import WANTED, parse_like
from mxgateway_cli.value_text import mx_text
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

_SIGNED = {2: "mxgw-py write --user NAME", 3: "mxgw-py write --user NAME --verifier ANOTHER"}


class WriteDialog(ModalScreen[None]):
    """Asks for a value, then whether it is to be written, then shows how it went."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Cancel")]

    def __init__(self, plant: Plant, row: WatchedTag) -> None:
        super().__init__()
        self._plant = plant
        self._row = row
        self._type = write_type(row.raw, row.attribute) or "string"
        self._value: pb.MxValue | None = None
        self._under_way = False
        self.outcome: Outcome | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Label(f"Write {one_line(self._row.tag)}", id="title")
            yield Static(self._facts(), id="facts")
            yield Input(placeholder=self._hint(), id="value")
            yield Static("", id="message")
            with Horizontal(id="buttons"):
                yield Button("Continue", variant="primary", id="forward")
                yield Button("Cancel", id="leave")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def _facts(self) -> Text:
        text = Text()
        text.append("type   ", "dim").append(self._type)
        if self._row.attribute is not None:
            number = self._row.attribute.security_classification
            text.append("   class ", "dim").append(security_class(number))
            if number in _SIGNED:
                text.append(f"\nneeds a signature; {_SIGNED[number]} gives one", "yellow")
            elif number == 6:
                text.append("\nthis class cannot be written", "yellow")
        return text.append("\nnow    ", "dim").append(one_line(self._row.text))

    def _hint(self) -> str:
        wanted = WANTED[self._type.removesuffix("[]")]
        return f"{wanted}, separated by commas" if self._type.endswith("[]") else wanted

    # -------------------------------------------------------------------------------------------------------- steps

    def on_input_changed(self) -> None:
        self._say("")

    def on_input_submitted(self) -> None:
        self._confirm()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "leave":
            self.action_leave()
        elif self._value is None:
            self._confirm()
        else:
            self._write(self._value)

    def action_leave(self) -> None:
        # A write that is under way cannot be taken back, so its outcome is not hidden either.
        if not self._under_way:
            self.dismiss(None)

    def _confirm(self) -> None:
        entry = self.query_one(Input)
        try:
            attribute = self._row.attribute
            data_type = attribute.mx_data_type if attribute is not None else 0
            value = parse_like(entry.value, self._row.raw, type_name=self._type, data_type=data_type)
        except click.BadParameter as error:
            self._say(one_line(error.message), "red")
            return
        self._value = value
        entry.display = False
        old, new = one_line(self._row.text), one_line(mx_text(value))
        question = Text("Write this value to the plant?\n\n").append("old    ", "dim").append(old)
        question.append("\nnew    ", "dim").append(new, "bold")
        self.query_one("#message", Static).update(question)
        facts = self.query_one("#facts", Static)
        facts.display = False
        forward = self.query_one("#forward", Button)
        forward.label, forward.variant = "Write", "warning"
        # The answer that changes nothing is the one that a stray Enter gives.
        self.query_one("#leave", Button).focus()

    def _write(self, value: pb.MxValue) -> None:
        if self._under_way:
            return
        self._under_way = True
        for button in self.query(Button):
            button.disabled = True
        self._say("sent; waiting for OnWriteComplete …", "dim")
        self.run_worker(functools.partial(self._finish, value))  # type: ignore[arg-type]

    async def _finish(self, value: pb.MxValue) -> None:
        try:
            outcome = self.outcome = await self._plant.write(self._row.tag, value)
        finally:
            self._under_way = False
        mark, style = {True: ("✔ ", "green"), False: ("✘ ", "red"), None: ("? ", "yellow")}[outcome.succeeded]
        self._say(mark + one_line(outcome.text), style)
        self.query_one("#forward", Button).display = False
        leave = self.query_one("#leave", Button)
        leave.label, leave.disabled = "Close", False
        leave.focus()

    def _say(self, text: str, style: str = "") -> None:
        self.query_one("#message", Static).update(Text(text, style))
