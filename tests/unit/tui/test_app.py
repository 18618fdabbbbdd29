"""The application, played by a pilot on a fake plant."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.clock import ManualClock

from mxgateway import MxGatewayAuthorizationError, MxGatewayConnectionError, from_mx_value, to_mx_value
from mxgateway_cli.tui.plant import Link, Outcome

from .fake_plant import FakePlant, attribute, change, changed, small_galaxy

TAG = "TestMachine_001.TestChangingInt"
BOOL = "TestMachine_001.ProtectedValue"


async def test_the_tree_fetches_what_is_opened(open_app: Any) -> None:
    """Children are asked for when their parent is opened, once."""
    async with open_app() as screen:
        await screen.sees("DEV")
        assert "TestMachine_001" not in screen.text()
        branch = screen.plant.galaxy[0]
        assert branch.expansions == 0
        await screen.press("right")
        await screen.sees("TestMachine_001")
        await screen.press("left")
        assert "TestMachine_001" not in screen.text()
        await screen.press("right")
        assert branch.expansions == 1


async def test_enter_watches_and_delete_removes(open_app: Any) -> None:
    """Enter on an attribute adds it to the watch list; Delete takes the tag under the cursor off it."""
    async with open_app() as screen:
        await screen.open_machine()
        await screen.press("down", "enter", "down", "enter")
        assert screen.plant.watched == [BOOL, TAG]
        await screen.press("tab", "up", "delete")
        assert screen.plant.watched == [TAG]
        await screen.press("delete", "delete")
        assert screen.plant.watched == []
        await screen.sees("Nothing is watched yet.")


async def test_a_value_shows_with_quality_time_age_and_rate(open_app: Any, clock: ManualClock) -> None:
    """One line tells value, quality in words, time, age and rate."""
    async with open_app(tags=(TAG,), size=(130, 30)) as screen:
        await screen.sees("waiting")
        screen.app.values_came([changed(TAG, change(to_mx_value(1234)))])
        clock.advance(3.0)
        await screen.settle()
        line = next(line for line in screen.text().splitlines() if "1234" in line and "Good" in line)
        assert line.replace("│", "").split()[-4:] == ["22:13:20.000", "3.0", "s", "0.0/s"]


async def test_quality_has_its_colour(open_app: Any) -> None:
    """Good, uncertain and bad differ in colour, and so does a value from before a loss of connection."""
    tags = ("A.A", "B.B", "C.C")
    async with open_app(tags=tags) as screen:
        for tag, quality in zip(tags, (192, 64, 0), strict=True):
            screen.app.values_came([changed(tag, change(to_mx_value(1), quality=quality))])
        await screen.settle()
        colours = {screen.style_of(word).color for word in ("Good ", "Uncertain ", "Bad ")}
        assert len(colours) == 3
        screen.app.link_changed(Link.RECONNECTING, "gateway went away")
        await screen.settle()
        assert screen.text().count("stale") == 3


async def test_a_lost_connection_shows_and_comes_back(open_app: Any) -> None:
    """The footer says where the connection stands and why; the tree stays."""
    async with open_app(tags=(TAG,)) as screen:
        await screen.sees("connected")
        screen.app.link_changed(Link.RECONNECTING, "cannot reach gateway:5001")
        await screen.settle()
        await screen.sees("reconnecting gateway:5001  cannot reach gateway:5001")
        screen.app.link_changed(Link.CONNECTED, "session-2")
        screen.app.values_came([changed(TAG, change(to_mx_value(77)))])
        await screen.settle()
        assert "reconnecting" not in screen.text()
        await screen.sees("77")
        assert screen.plant.browses == 1


async def test_lost_events_are_told(open_app: Any) -> None:
    """A gap in the events stands in the footer."""
    async with open_app() as screen:
        screen.app.events_lost(12)
        screen.app.events_lost(0)
        await screen.settle()
        await screen.sees("13 events lost")


async def test_details_tell_type_class_and_category(open_app: Any) -> None:
    """The panel describes the attribute under the cursor, and the object."""
    async with open_app() as screen:
        await screen.open_machine()
        await screen.sees("$TestMachine ← $UserDefined")
        await screen.press("down", "down")
        await screen.sees("Integer, historized")
        text = screen.text()
        assert "Operate" in text
        assert "Writeable_USC_Lockable" in text


async def test_a_filter_asks_the_gateway(open_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter shows matching objects, after a dot matching attributes only, and Esc the whole tree again."""
    # Enter asks here, and never a pause between two keys.
    monkeypatch.setattr("mxgateway_cli.tui.app.FILTER_PAUSE", 600)
    async with open_app() as screen:
        await screen.press("slash", *"_002.string", "enter")
        assert screen.plant.searches == ["_002"]
        await screen.sees("TestMachine_002")
        text = screen.text()
        assert "TestString" in text
        assert "ProtectedValue" not in text
        await screen.press("escape")
        await screen.sees("DEV")
        await screen.press("slash", *"nothing", "enter")
        await screen.sees("nothing fits")


async def test_a_failed_browse_says_so_and_can_be_repeated(open_app: Any) -> None:
    """A key without metadata:read gets a notice; `r` asks again."""
    plant = FakePlant()
    plant.browse_error = MxGatewayAuthorizationError("scope metadata:read is missing")
    async with open_app(plant) as screen:
        await screen.sees("no tree: r tries again")
        await screen.sees("scope metadata:read is missing")
        plant.browse_error = None
        await screen.press("r")
        await screen.sees("DEV")


async def test_an_object_that_cannot_be_opened_stays_closed(open_app: Any) -> None:
    """The failure is told, and opening it later works."""
    galaxy = small_galaxy()
    expand, galaxy[0].expand = galaxy[0].expand, failing_expand  # type: ignore[method-assign]
    async with open_app(FakePlant(galaxy=galaxy)) as screen:
        await screen.press("right")
        await screen.sees("not deployed any more")
        galaxy[0].expand = expand  # type: ignore[method-assign]
        await screen.press("right")
        await screen.sees("TestMachine_001")


async def failing_expand() -> Any:
    raise MxGatewayConnectionError("not deployed any more")


async def watching(screen: Any, value: object = 41) -> None:
    """The integer of the first machine is watched, with a value, and under the cursor."""
    await screen.open_machine()
    await screen.press("down", "down", "enter")
    screen.app.values_came([changed(TAG, change(to_mx_value(value)))])
    await screen.settle()


async def test_a_write_is_confirmed_with_old_and_new(open_app: Any) -> None:
    """Value, confirmation with old and new value, write of the right type, outcome."""
    async with open_app() as screen:
        await watching(screen)
        await screen.press("w", *"42", "enter")
        await screen.sees("Write this value to the plant?")
        text = screen.text()
        assert "old    41" in text
        assert "new    42" in text
        assert screen.plant.written == []
        await screen.press("shift+tab", "enter")
        ((tag, value),) = screen.plant.written
        assert tag == TAG
        assert value.WhichOneof("kind") == "int32_value"
        assert from_mx_value(value) == 42
        await screen.sees("MXAccess has confirmed it")
        await screen.press("enter")
        assert "MXAccess has confirmed it" not in screen.text()


async def test_a_stray_enter_writes_nothing(open_app: Any) -> None:
    """The confirmation stands on Cancel, so Enter twice changes nothing in the plant."""
    async with open_app() as screen:
        await watching(screen)
        await screen.press("w", *"42", "enter", "enter")
        assert screen.plant.written == []
        assert "Write this value" not in screen.text()


async def test_a_value_of_the_wrong_type_is_refused_here(open_app: Any) -> None:
    """What is no integer does not leave the dialog, and can be mended there."""
    async with open_app() as screen:
        await watching(screen)
        await screen.press("w", *"abc", "enter")
        await screen.sees("is no int32")
        assert screen.plant.written == []
        await screen.press("backspace", "backspace", "backspace", *"7", "enter")
        await screen.sees("new    7")
        await screen.press("escape")
        assert screen.plant.written == []


async def test_a_refusal_is_shown_with_its_number(open_app: Any) -> None:
    """The outcome of OnWriteComplete stands in the dialog in words."""
    plant = FakePlant()
    plant.outcome = Outcome(False, "MXAccess refused the write: security error, detail 1008: write access denied")
    async with open_app(plant) as screen:
        await watching(screen)
        await screen.press("w", *"42", "enter", "shift+tab", "enter")
        await screen.sees("detail 1008: write access denied")


async def test_a_write_under_way_is_not_hidden(open_app: Any) -> None:
    """Esc does not close the dialog before the outcome is there: the write cannot be taken back."""
    plant = FakePlant()
    answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    plant.outcome = answer
    async with open_app(plant) as screen:
        await watching(screen)
        await screen.press("w", *"42", "enter")
        await screen.pilot.press("shift+tab", "enter", "escape")
        await screen.sees("waiting for OnWriteComplete")
        answer.set_result(Outcome(None, "outcome unknown"))
        await screen.settle()
        await screen.sees("? outcome unknown")


async def test_read_only_opens_no_dialog(open_app: Any) -> None:
    """With --read-only the key `w` only says so, and the footer shows the mode."""
    async with open_app(FakePlant(read_only=True)) as screen:
        await watching(screen)
        await screen.sees("READ-ONLY")
        await screen.press("w")
        await screen.sees("nothing can be written")
        assert len(screen.app.screen_stack) == 1


async def test_nothing_is_written_without_a_present_value(open_app: Any) -> None:
    """Before the first value, and after a loss of connection, there is no dialog."""
    async with open_app(tags=(TAG,)) as screen:
        await screen.press("w")
        await screen.sees("has no present value")
        screen.app.values_came([changed(TAG, change(to_mx_value(1)))])
        screen.app.link_changed(Link.RECONNECTING, "")
        await screen.press("w")
        assert len(screen.app.screen_stack) == 1


async def test_signed_and_view_only_classes_are_told(open_app: Any) -> None:
    """The dialog says that a class needs a signature before the plant refuses it."""
    galaxy = small_galaxy()
    secured = attribute("DEV", "Valve", 1, "Boolean")
    secured.security_classification = 2
    galaxy[1].object.attributes.append(secured)
    async with open_app(FakePlant(galaxy=galaxy)) as screen:
        await screen.press("down", "right")
        await screen.press("down", "enter")
        screen.app.values_came([changed("DEV.Valve", change(to_mx_value(False)))])
        await screen.press("w")
        await screen.sees("SecuredWrite")
        text = screen.text()
        assert "needs a signature" in text


async def test_help_shows_every_key(open_app: Any) -> None:
    """`?` opens the help, which fits a screen of 80 by 24; Esc closes it."""
    async with open_app() as screen:
        await screen.press("question_mark")
        await screen.sees("watch the attribute under the cursor")
        text = screen.text()
        assert "the connection was lost" in text
        await screen.press("escape")
        assert len(screen.app.screen_stack) == 1


async def test_many_tags_scroll_with_the_cursor(open_app: Any) -> None:
    """A list that is longer than the screen follows the cursor, and draws in time whatever its length."""
    tags = tuple(f"Tank_{number:04}.Level" for number in range(1000))
    async with open_app(tags=tags) as screen:
        await screen.sees("Tank_0000.Level")
        await screen.press("tab", "end")
        await screen.sees("Tank_0999.Level")
        assert "Tank_0000.Level" not in screen.text()
        await screen.press("home", "pagedown", "pagedown")
        await screen.sees("Tank_0010.Level")


async def test_a_string_value_cannot_tear_the_screen(open_app: Any) -> None:
    """Line breaks and escape sequences of a string tag, and markup, are shown as plain characters."""
    async with open_app(tags=("A.B",), size=(130, 30)) as screen:
        screen.app.values_came([changed("A.B", change(to_mx_value("a\n\x1b[2J[red]b")))])
        await screen.settle()
        await screen.sees(r'"a\u000a\u0…')
