"""The page of the alarms, played by a pilot on a fake plant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.clock import ManualClock
from tests.support.waiting import eventually

from mxgateway import (
    Alarm,
    AlarmChange,
    AlarmChangeKind,
    AlarmFeedState,
    AlarmOrigin,
    AlarmProviderChanged,
    AlarmState,
    MxGatewayError,
)
from mxgateway_cli.tui.alarm_dialogs import AcknowledgeDialog
from mxgateway_cli.tui.alarm_page import AlarmPage
from mxgateway_cli.tui.plant import Outcome

from .fake_plant import FakePlant

RAISED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
S = AlarmState


def alarm(name: str, **facts: Any) -> Alarm:
    more = {"state": S.UNACK_ALM, "priority": 500, "raised": RAISED, "area": "Line1", "guid": f"guid-{name}", **facts}
    return Alarm(reference=f"Galaxy!Line1.{name}", object_reference=name, **more)


PUMP = alarm(
    "Pump_001.P.Hi",
    priority=10,
    description="pressure too high",
    value=9.5,
    limit=8.0,
    type_name="DSC",
    area_path=("Line1", "Plant"),
)
VALVE = alarm("Valve_007.Stuck", state=S.ACK_ALM, operator="anna", comment="seen", acknowledged_at=RAISED)
TANK = alarm("Tank_003.Level.LoLo", state=S.UNACK_RTN, priority=900, guid="")


def plant(*alarms: Alarm, **facts: Any) -> FakePlant:
    made = FakePlant(**facts)
    made.alarms.put(*(alarms or (PUMP, VALVE, TANK)))
    return made


async def test_a_opens_the_page_with_states_by_shape_and_word_and_esc_comes_back(open_app: Any) -> None:
    async with open_app(plant(), size=(130, 30)) as screen:
        await screen.press("a")
        await screen.sees("3 alarms, 2 unacknowledged")
        lines = [line for line in screen.text().splitlines() if "Galaxy!Line1." in line and "│ " in line]
        order = [name for line in lines for name in ("Pump_001", "Tank_003", "Valve_007") if name in line]
        assert order[:3] == ["Pump_001", "Tank_003", "Valve_007"], "the unacknowledged first, then the urgent"
        for look in ("▲ UNACK_ALM", "▽ UNACK_RTN", "△ ACK_ALM"):
            await screen.sees(look)
        assert len({screen.style_of(word).color for word in ("▲ UNACK_ALM", "▽ UNACK_RTN", "△ ACK_ALM")}) == 3
        await screen.sees("pressure too high")
        await screen.sees("DSC value 9.5, limit 8.0")
        await screen.sees("Line1 < Plant")
        await screen.sees("guid-Pump_001.P.Hi")
        assert not {"Write", "Remove", "Save"} & set(screen.text().split()), "what acts on tags is not offered here"
        await screen.press("w", "delete", "o")
        assert isinstance(screen.app.screen, AlarmPage)
        await screen.press("escape")
        await screen.sees("DEV")
        await screen.press("a")
        await screen.sees("3 alarms")


async def test_one_is_acknowledged_with_a_comment_and_its_occurrence(open_app: Any) -> None:
    async with open_app(plant(), size=(100, 30)) as screen:
        await screen.press("a", "a")
        await screen.sees("Acknowledge 1 alarm")
        await screen.sees("an alarm that comes up again meanwhile is left alone")
        # A newer occurrence comes while the user types: what was on the screen is what is meant.
        screen.plant.alarms.put(alarm("Pump_001.P.Hi", guid="another", priority=10))
        await screen.press(*"seen", "enter", "enter")
        assert screen.plant.alarms.acknowledged == [], "Enter alone acknowledges nothing"
        await screen.press("enter")
        await screen.sees("✔ Galaxy!Line1.Pump_001.P.Hi acknowledged")
        ((asked, comment, _),) = screen.plant.alarms.acknowledged
        assert ([each.guid for each in asked], comment) == (["guid-Pump_001.P.Hi"], "seen")
        await screen.press("enter")
        assert isinstance(screen.app.screen, AlarmPage)


async def test_several_are_marked_and_each_has_its_outcome(open_app: Any) -> None:
    made = plant(*(alarm(f"M_{n:02}.A", guid="" if n == 4 else str(n)) for n in range(6)))
    made.alarms.outcomes = [
        Outcome(True, "acknowledged"),
        Outcome(False, "has come up again since you looked"),
        *[Outcome(True, "acknowledged")] * 2,
        Outcome(None, "outcome unknown"),
    ]
    async with open_app(made, size=(100, 30)) as screen:
        await screen.press("a", *["space"] * 5)
        await screen.sees("5 marked")
        await screen.press("a")
        await screen.sees("Acknowledge 5 alarms")
        await screen.sees("and 1 more")
        await screen.sees("1 of them cannot be told apart")
        await screen.press("enter", "enter", "enter")
        await screen.sees("3 of 5 done")
        told = [line.strip("│ ") for line in screen.text().splitlines() if "Galaxy!Line1.M_0" in line]
        lines = [line for line in told if line[0] in "✔✘?"]
        assert "✘" in lines[0]
        assert "?" in lines[1]
        assert [each.guid for each in made.alarms.acknowledged[0][0]] == ["0", "1", "2", "3", ""]
        await screen.press("enter")
        assert "marked" not in screen.text()


async def test_what_is_acknowledged_already_or_read_only_asks_nothing(open_app: Any) -> None:
    async with open_app(plant(VALVE)) as screen:
        await screen.press("a", "a")
        await screen.sees("Acknowledged already.")
    async with open_app(plant(read_only=True)) as screen:
        await screen.press("a", "a")
        await screen.sees("Started with --read-only")
        await screen.press("s")
        assert screen.plant.alarms.shelved == []
    async with open_app(FakePlant()) as screen:
        await screen.press("a", "a")
        await screen.sees("There is no alarm under the cursor.")


async def fill_in(screen: Any, field: str, text: str) -> None:
    """Fills a field in, and waits until the button can be pressed again."""
    dialog = screen.app.screen
    dialog.query_one(field).value = text
    await screen.settle()
    await eventually(lambda: not dialog.query_one("#forward").has_class("-active"))


async def test_shelving_wants_hours_and_a_reason_and_can_be_ended(open_app: Any) -> None:
    async with open_app(plant(PUMP), size=(100, 30)) as screen:
        await screen.press("a", "s")
        await screen.sees("Shelve 1 alarm")
        await screen.press("backspace", "x", "enter", "enter", "enter", "enter")
        await screen.sees("Hours are a number above 0")
        await fill_in(screen, "#hours", "0.5")
        await screen.press("enter")
        await screen.sees("A reason is missing")
        await fill_in(screen, "#reason", "in repair")
        await screen.press("enter")
        await screen.sees("✔ Galaxy!Line1.Pump_001.P.Hi done")
        assert screen.plant.alarms.shelved == [([PUMP], 0.5, "in repair")]
        await screen.press("enter")
        shelved = alarm(
            "Pump_001.P.Hi", shelved=True, shelved_until=RAISED, shelve_user="bob", shelve_reason="in repair"
        )
        screen.plant.alarms.put(shelved)
        await screen.settle()
        await screen.sees("0 alarms, 0 unacknowledged, 0.0 changes/s, 1 shelved or silenced not shown")
        await screen.press("h")
        await screen.sees("UNACK_ALM shelved")
        await screen.sees("by bob: in repair")
        await screen.press("s")
        await screen.sees("Unshelve 1 alarm")
        await screen.press("enter", "enter")
        await screen.sees("done")
        assert screen.plant.alarms.shelved[-1] == ([shelved], 0, "")


async def test_a_filter_takes_words_and_priorities(open_app: Any) -> None:
    async with open_app(plant(), size=(100, 30)) as screen:
        await screen.press("a", "slash", *"line1 hi", "enter")
        await screen.sees("1 fit the filter")
        assert "Tank_003" not in screen.text()
        for text, shown in (
            ("1-10", "Pump_001"),
            ("800-999", "Tank_003"),
            ("anna", "Valve_007"),
            ("unack_rtn", "Tank"),
        ):
            screen.app.screen.query_one("#alarm-filter").value = text
            await screen.settle()
            await screen.sees("1 fit the filter")
            await screen.sees(shown)
        screen.app.screen.query_one("#alarm-filter").value = "nothing at all"
        await screen.settle()
        await screen.sees("No alarm fits the filter.")
        await screen.press("escape")
        await screen.sees("Tank_003")


async def test_the_list_says_how_good_it_is(open_app: Any, clock: ManualClock) -> None:
    """Uncertain, degraded, reconnecting and no list at all are told in words, of the list and of each alarm."""
    made = plant(alarm("A.B", uncertain=True, degraded=True))
    async with open_app(made, size=(120, 30)) as screen:
        await screen.press("a")
        await screen.sees("● live gateway:5001")
        await screen.sees("UNACK_ALM uncertain")
        made.alarms.provider = AlarmProviderChanged(degraded=True, forced=False, uncertain=False, reason="no answer")
        await screen.settle()
        await screen.sees("● DEGRADED gateway:5001 no answer")
        made.alarms.state, made.alarms.problem = AlarmFeedState.RECONNECTING, "cannot reach gateway:5001"
        await screen.settle()
        await screen.sees("● RECONNECTING DEGRADED gateway:5001 cannot reach gateway:5001")
        await screen.sees("Galaxy!Line1.A.B")
        made.alarms.alarms.clear()
        made.alarms.put()
        made.alarms.state, made.alarms.provider, made.alarms.problem = AlarmFeedState.CONNECTING, None, "alarms are off"
        await screen.settle()
        await screen.sees("There is no list yet.")
        await screen.sees("alarms are off")


async def test_the_cursor_stays_on_its_alarm_and_a_pause_holds_the_list(open_app: Any, clock: ManualClock) -> None:
    async with open_app(plant(), size=(100, 30)) as screen:
        await screen.press("a", "down")
        await screen.sees("Tank_003.Level.LoLo")
        screen.plant.alarms.put(alarm("Z.New", priority=1))
        change = AlarmChange(AlarmChangeKind.RAISE, alarm("Z.New", priority=1), None, 7, AlarmOrigin.LIVE)
        screen.app.screen.alarm_changed(change)
        await screen.settle()
        await screen.sees("0.1 changes/s")
        assert screen.app.screen._table.selected == TANK
        await screen.press("p")
        await screen.sees("PAUSED")
        screen.plant.alarms.put(alarm("Y.Later", priority=2))
        await screen.settle()
        assert "Y.Later" not in screen.text()
        await screen.press("p")
        await screen.sees("Y.Later")


async def test_enter_shows_what_happened_lately(open_app: Any) -> None:
    made = plant(PUMP)
    made.alarms.past = [AlarmChange(AlarmChangeKind.RAISE, PUMP, None, 3, AlarmOrigin.RESTART)]
    async with open_app(made, size=(120, 36)) as screen:
        await screen.press("a", "enter")
        await screen.sees("history RAISE (restart) priority 10: pressure too high")
        made.alarms.past = MxGatewayError("scope events:read is missing")
        await screen.press("enter")
        await screen.sees("history none: scope events:read is missing")


async def test_a_timer_that_fires_after_the_last_screen_is_gone_does_nothing(open_app: Any) -> None:
    async with open_app(plant(PUMP)) as screen:
        await screen.press("a")
        app = screen.app
    assert app.screen_stack == []
    app.repaint()


async def test_help_tells_keys_and_states(open_app: Any) -> None:
    async with open_app(plant()) as screen:
        await screen.press("a", "question_mark")
        await screen.sees("acknowledge what is marked")
        await screen.press("end")
        await screen.sees("over, and still wants an acknowledgement")
        await screen.press("escape")
        assert isinstance(screen.app.screen, AlarmPage)


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (160, 50)])
async def test_hostile_texts_neither_break_lines_nor_command_the_terminal(open_app: Any, size: tuple[int, int]) -> None:
    bad = alarm(
        "P\x1b[31m.\nX", description="a\tb\x07\u202ec" * 50, operator="[bold]x[/bold]", comment="\x9b2J", area="[red]"
    )
    async with open_app(plant(bad, *(alarm(f"N{n}.A" * 20) for n in range(200))), size=size) as screen:
        await screen.press("a", "end", "home")
        text = screen.text()
        assert not any(char in text for char in "\x1b\x07\u202e\x9b")
        assert all(len(line) <= size[0] for line in text.splitlines())
        await screen.press("a")
        assert isinstance(screen.app.screen, AcknowledgeDialog)
