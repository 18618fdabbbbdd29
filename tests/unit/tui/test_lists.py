"""Watch lists that are saved, listed and opened; many tags at once; what is bad on top."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.clock import ManualClock

from mxgateway import MxGatewayAuthorizationError, to_mx_value
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli import tag_lists
from mxgateway_cli.tui.plant import Link

from .fake_plant import FakePlant, change, changed, small_galaxy

INT, BOOL, FLOAT = (f"TestMachine_001.{name}" for name in ("TestChangingInt", "ProtectedValue", "TestFloat"))


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the lists of whoever runs it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "config"))


async def test_a_list_is_saved_and_opened_again_by_name(open_app: Any) -> None:
    """`s` keeps what is watched under a name that every command takes; `o` shows the lists, and Enter opens one."""
    async with open_app(tags=(INT, BOOL)) as screen:
        await screen.press("s")
        await screen.sees("Save 2 tags as a watch list")
        await screen.press(*"boiler", "enter")
        await screen.sees("Watch · @boiler ")
        assert tag_lists.expand_lists(["@boiler"]) == [INT, BOOL]
        await screen.press("tab", "delete")
        await screen.sees("Watch · @boiler*")
        await screen.press("o")
        await screen.sees("@boiler  2 tags")
        await screen.press("enter")
        await screen.sees("Watch · @boiler ")
        assert screen.app.watch_list.tags == (INT, BOOL)
        assert sorted(screen.plant.watched) == sorted([INT, BOOL])


async def test_opening_a_list_keeps_the_values_of_what_stays(open_app: Any) -> None:
    """The list's tags in its order and nothing else; a tag that was watched already is not subscribed anew."""
    tag_lists.save_list("line", [FLOAT, INT.upper()])
    async with open_app(tags=(INT, BOOL)) as screen:
        screen.app.values_came([changed(INT, change(to_mx_value(77)))])
        await screen.press("o", "enter")
        await screen.sees("77")
        assert screen.app.watch_list.tags == (FLOAT, INT)
        assert screen.plant.watched == [INT, FLOAT]


async def test_plus_adds_a_list_to_what_is_watched(open_app: Any) -> None:
    tag_lists.save_list("line", [FLOAT])
    async with open_app(tags=(INT,)) as screen:
        await screen.press("o", "plus")
        assert screen.app.watch_list.tags == (INT, FLOAT)
        assert screen.app.watch_list.title == ""


async def test_another_list_is_not_replaced_by_a_slip(open_app: Any) -> None:
    """The name of a list that is there asks once more; a wrong name says why; Esc saves nothing."""
    tag_lists.save_list("line", [FLOAT])
    async with open_app(tags=(INT,)) as screen:
        await screen.press("s", *"a/b", "enter")
        await screen.sees("is no name of a list")
        await screen.press(*["backspace"] * 3, *"line", "enter")
        await screen.sees("@line is there already")
        assert tag_lists.expand_lists(["@line"]) == [FLOAT]
        await screen.press("enter")
        await screen.sees("Watch · @line ")
        assert tag_lists.expand_lists(["@line"]) == [INT]
        await screen.press("s", "x", "escape")
        assert tag_lists.list_names() == ["line"]


async def test_without_lists_and_without_tags_the_keys_say_so(open_app: Any) -> None:
    async with open_app() as screen:
        await screen.press("s")
        await screen.sees("nothing to save")
        await screen.press("o")
        await screen.sees("There is no saved list yet")
        await screen.press("escape")
        assert len(screen.app.screen_stack) == 1


async def test_a_list_that_cannot_be_read_does_not_hide_the_others(open_app: Any) -> None:
    tag_lists.save_list("good", [INT])
    tag_lists.list_file("broken").write_bytes(b"\x00\x01\x02\xff")
    async with open_app() as screen:
        await screen.press("o")
        await screen.sees("@good  1 tag")
        await screen.sees("broken.csv is no list of tags")


async def test_a_list_of_the_command_line_has_its_name(open_app: Any) -> None:
    async with open_app(tags=(INT,), list_name="line") as screen:
        await screen.sees("Watch · @line ")


async def test_plus_watches_all_attributes_of_an_object(open_app: Any) -> None:
    async with open_app() as screen:
        await screen.open_machine()
        await screen.press("plus")
        names = [tag.removeprefix("TestMachine_001.") for tag in screen.plant.watched]
        assert names == ["ProtectedValue", "TestChangingInt", "TestFloat", "TestString", "TestIntArray[]"]
        await screen.sees("5 tags")


async def test_own_attributes_stand_first_and_the_others_are_folded(open_app: Any) -> None:
    """`+` on an object takes its own; on a folded group those of the group."""
    galaxy = small_galaxy()
    machine = galaxy[0]._children[0].object
    origins = {"ProtectedValue": 2, "TestString": 2, "TestIntArray": 3}
    for each in machine.attributes:
        each.origin = origins.get(each.attribute_name, 1)
    async with open_app(FakePlant(galaxy=galaxy)) as screen:
        await screen.press("right")
        await screen.press("down", "right")
        await screen.sees("built-in (2)")
        await screen.sees("extensions (1)")
        assert "ProtectedValue" not in screen.text()
        await screen.press("plus")
        assert screen.plant.watched == [INT, FLOAT]
        await screen.press("down", "down", "down", "down", "plus")
        assert screen.plant.watched[2:] == [BOOL, "TestMachine_001.TestString"]
        await screen.press("right")
        await screen.sees("ProtectedValue")


async def test_units_and_description_stand_beside_the_value(open_app: Any) -> None:
    galaxy = small_galaxy()
    flow = next(each for each in galaxy[0]._children[0].object.attributes if each.attribute_name == "TestFloat")
    flow.engineering_units, flow.description = "m³/h", "Flow into the boiler house"
    for size in ((80, 24), (130, 36)):
        async with open_app(FakePlant(galaxy=galaxy), tags=(FLOAT, INT), size=size) as screen:
            screen.app.values_came([changed(FLOAT, change(to_mx_value(47.25)))])
            await screen.press("tab")
            await screen.sees("Flow into the boiler house")
            line = next(line for line in screen.text().splitlines() if "47.25" in line and "Good" in line)
            assert "47.25 m³/h" in line


async def test_what_is_bad_stands_on_top_and_the_cursor_stays_on_its_tag(open_app: Any, clock: ManualClock) -> None:
    """A key acts on what stands under the cursor as it was seen, however the order changes."""
    tags = ("A.Good", "B.Good", "C.Bad")
    async with open_app(tags=tags) as screen:
        for tag, quality in zip(tags, (192, 192, 0), strict=True):
            screen.app.values_came([changed(tag, change(to_mx_value(1), quality=quality))])
        await screen.press("tab", "down")
        assert screen.app._table.selected.tag == "B.Good"
        await screen.press("b")
        await screen.sees("Watch · bad first")
        shown = [line for line in screen.text().splitlines() if ".Good" in line or ".Bad" in line]
        assert "C.Bad" in shown[0]
        assert screen.app._table.selected.tag == "B.Good"
        screen.app.values_came([changed("A.Good", change(to_mx_value(1), quality=0))])
        # Not drawn yet: the cursor is where the user sees it.
        assert screen.app._table.selected.tag == "B.Good"
        await screen.settle()
        assert screen.app._table.selected.tag == "B.Good"
        assert [row.tag for row in screen.app._table._rows] == ["A.Good", "C.Bad", "B.Good"]
        await screen.press("b")
        assert [row.tag for row in screen.app._table._rows] == list(tags)


async def test_times_are_local_or_utc_by_a_switch(open_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    async with open_app(tags=(INT,), size=(130, 36)) as screen:
        screen.app.values_came([changed(INT, change(to_mx_value(1)))])
        await screen.press("tab")
        await screen.sees("03:43:20.000")
        await screen.sees("2023-11-15 03:43:20.000+05:30")
        await screen.press("t")
        await screen.sees("22:13:20.000")
        await screen.sees("time (UTC)")
        await screen.sees("2023-11-14 22:13:20.000+00:00")


async def test_a_trend_of_the_last_minutes_shows_whether_it_moves(open_app: Any, clock: ManualClock) -> None:
    """Bars with the least and the greatest value in the panel, and in the table where there is room."""
    async with open_app(tags=(INT,), size=(160, 36)) as screen:
        for value in range(8):
            screen.app.values_came([changed(INT, change(to_mx_value(value * 10)))])
            clock.advance(30.0)
        await screen.press("tab")
        await screen.sees("▁")
        await screen.sees("█")
        await screen.sees("0 … 70")
        assert "▁" in next(line for line in screen.text().splitlines() if "TestChangingInt" in line and "Good" in line)


async def test_a_tag_that_does_not_exist_shows_what_was_meant(open_app: Any) -> None:
    plant = FakePlant()
    plant.hints["TestMachine_001.TestChangingIntt"] = f"TestMachine_001.TestChangingIntt: did you mean {INT}?"
    async with open_app(plant, tags=("TestMachine_001.TestChangingIntt",)) as screen:
        unknown = change(
            to_mx_value(None), quality=0, success=0, category=pb.MX_STATUS_CATEGORY_CONFIGURATION_ERROR, detail=6
        )
        screen.app.values_came([changed("TestMachine_001.TestChangingIntt", unknown)])
        await screen.press("tab")
        await screen.sees(f"did you mean {INT}?")


async def test_tags_that_were_named_are_described_by_the_galaxy(open_app: Any) -> None:
    """Type and class stand beside tags of the command line and of lists as beside those of the tree; each object is
    asked once, and a key that may not browse is not told of it for each."""
    async with open_app(tags=(INT, FLOAT, "TestMachine_001.TestIntArray[]", "Nothing.Such")) as screen:
        screen.app.values_came([changed(INT, change(to_mx_value(1)))])
        await screen.press("tab")
        await screen.sees("Integer, historized")
        assert screen.plant.asked == ["testmachine_001", "nothing"]
        assert screen.app.watch_list.get("TestMachine_001.TestIntArray[]").attribute is not None
    plant = FakePlant()
    plant.browse_error = MxGatewayAuthorizationError("scope metadata:read is missing")
    async with open_app(plant, tags=(INT, "Nothing.Such")) as screen:
        await screen.settle()
        assert plant.asked == ["testmachine_001"]


async def test_a_simulator_is_never_taken_for_a_plant(open_app: Any) -> None:
    """The title above the values says so, and the line at the bottom, also while there is no connection."""
    plant = FakePlant()
    plant.is_simulated = True
    async with open_app(plant, tags=(INT,)) as screen:
        await screen.sees("SIMULATED values")
        screen.app.link_changed(Link.RECONNECTING, "gone")
        await screen.settle()
        assert screen.text().count("SIMULATED") == 2
    async with open_app(FakePlant(), tags=(INT,)) as screen:
        assert "SIMULATED" not in screen.text()
