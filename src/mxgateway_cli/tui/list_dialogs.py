"""Saved watch lists: opening one, and saving what is watched. They are the named lists of `mxgw-py tags`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

import click
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from mxgateway_cli import tag_lists
from mxgateway_cli.tui.text import one_line


@dataclass(frozen=True, slots=True)
class OpenedList:
    """A list that the user chose.

    Attributes:
        adds: whether its tags come to those that are watched, or in their place.
    """

    name: str
    tags: tuple[str, ...]
    adds: bool


class OpenListDialog(ModalScreen[OpenedList | None]):
    """Shows the saved lists; Enter opens one, `+` adds it to what is watched."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel"),
        Binding("plus", "add", "Add"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._lists: dict[str, tuple[str, ...]] = {}

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Label("Open a watch list", id="title")
            yield OptionList(id="lists")
            yield Static("", id="message")

    async def on_mount(self) -> None:
        options = self.query_one(OptionList)
        self._lists, problems = await asyncio.to_thread(_read_lists)
        for name, tags in self._lists.items():
            count = f"{len(tags)} {'tag' if len(tags) == 1 else 'tags'}"
            options.add_option(Option(Text(f"@{one_line(name)}  ").append(count, "dim"), id=name))
        options.display = bool(self._lists)
        if self._lists:
            options.highlighted = 0
            options.focus()
            text = "Enter opens it in place of what is watched, + adds it, Esc leaves."
        else:
            text = "There is no saved list yet: s saves what is watched. Esc leaves."
        self.query_one("#message", Static).update(Text("\n".join([text, *problems]), "dim"))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._choose(event.option.id, adds=False)

    def action_add(self) -> None:
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            self._choose(options.get_option_at_index(options.highlighted).id, adds=True)

    def _choose(self, name: str | None, *, adds: bool) -> None:
        if name is not None:
            self.dismiss(OpenedList(name, self._lists[name], adds))


def _read_lists() -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """The saved lists, and why some of them cannot be read."""
    found: dict[str, tuple[str, ...]] = {}
    problems = []
    for name in tag_lists.list_names():
        try:
            found[name] = tuple(tag_lists.read_file(tag_lists.list_file(name)).tags)
        except click.UsageError as error:
            problems.append(one_line(error.message))
    return found, problems


class SaveListDialog(ModalScreen[str | None]):
    """Asks for a name and saves; asks once more before another list is replaced. The result is the name."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Cancel")]

    def __init__(self, tags: tuple[str, ...], name: str) -> None:
        super().__init__()
        self._tags = tags
        self._own = name
        self._to_replace = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Label(
                f"Save {len(self._tags)} {'tag' if len(self._tags) == 1 else 'tags'} as a watch list", id="title"
            )
            yield Input(self._own, placeholder="name, such as boiler-house", id="value")
            yield Static(Text("mxgw-py watch @NAME and all other commands take it, too.", "dim"), id="message")
            with Horizontal(id="buttons"):
                yield Button("Save", variant="primary", id="forward")
                yield Button("Cancel", id="leave")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    async def on_input_submitted(self) -> None:
        await self._save()

    async def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "leave":
            self.action_leave()
        else:
            await self._save()

    def action_leave(self) -> None:
        self.dismiss(None)

    async def _save(self) -> None:
        name = self.query_one(Input).value.strip().removeprefix("@")
        try:
            if name not in (self._own, self._to_replace) and await asyncio.to_thread(_stands, name):
                self._to_replace = name
                self._say(f"@{one_line(name)} is there already. Enter once more replaces it.", "yellow")
                return
            await asyncio.to_thread(tag_lists.save_list, name, self._tags)
        except click.UsageError as error:
            self._say(one_line(error.message), "red")
        except OSError as error:
            self._say(one_line(f"it cannot be saved: {error}"), "red")
        else:
            self.dismiss(name)

    def _say(self, text: str, style: str) -> None:
        self.query_one("#message", Static).update(Text(text, style))


def _stands(name: str) -> bool:
    return tag_lists.list_file(name).exists()
