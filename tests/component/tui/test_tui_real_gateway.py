"""The terminal UI on a real gateway with the simulator."""

from __future__ import annotations

import asyncio

import psutil
import pytest
from tests.support.waiting import eventually
from textual.pilot import Pilot

from mxgateway import AlarmState, from_mx_value
from mxgateway.testing import LocalGateway
from mxgateway_cli.tui.alarm_dialogs import AcknowledgeDialog
from mxgateway_cli.tui.alarm_page import AlarmPage
from mxgateway_cli.tui.alarm_table import AlarmTable
from mxgateway_cli.tui.app import MxGatewayApp
from mxgateway_cli.tui.galaxy_tree import GalaxyTree
from mxgateway_cli.tui.run import run
from mxgateway_cli.tui.watch_table import WatchTable
from mxgateway_cli.tui.write_dialog import WriteDialog

TAG = "TestChildObject.TestInt"
RANGED = "TestChildObject.RangedValue"
ALARM = "TestMachine_001.TestAlarm002"
LIMIT = 30.0


async def acknowledge_an_alarm(pilot: Pilot[None], gateway: LocalGateway) -> None:
    """The page of the alarms shows one that comes up, and what became of its acknowledgement."""
    app = pilot.app
    await asyncio.to_thread(gateway.plant.raise_alarm, ALARM)
    await pilot.press("a")
    await eventually(lambda: isinstance(app.screen, AlarmPage), LIMIT)
    await pilot.press("slash", *"testmachine_001.testalarm002", "enter")
    table = app.screen.query_one(AlarmTable)
    await eventually(lambda: table.selected is not None and table.selected.object_reference == ALARM, LIMIT)
    await pilot.press("a")
    await eventually(lambda: isinstance(app.screen, AcknowledgeDialog), LIMIT)
    dialog = app.screen
    assert isinstance(dialog, AcknowledgeDialog)
    await pilot.press(*"seen", "enter", "enter", "enter")
    await eventually(lambda: dialog.outcomes is not None, LIMIT)
    assert [outcome.text for outcome in dialog.outcomes or ()] == ["acknowledged"]
    await pilot.press("enter")
    await eventually(lambda: table.selected is not None and table.selected.state is AlarmState.ACK_ALM, LIMIT)
    assert table.selected is not None
    assert table.selected.comment == "seen"
    await pilot.press("escape")


@pytest.mark.timeout(120)
async def test_browse_watch_write_and_survive_the_loss_of_the_worker() -> None:
    """A user finds a tag by filter, watches it, writes it, reads a refusal, acknowledges an alarm, and sees values
    again after a crash."""
    async with LocalGateway.run("reference", alarms="TestArea") as gateway:

        async def user(pilot: Pilot[None]) -> None:
            app = pilot.app
            assert isinstance(app, MxGatewayApp)

            def value(tag: str) -> object:
                row = app.watch_list.get(tag)
                return from_mx_value(row.raw) if row is not None and row.grade == "good" else None

            async def write(tag: str, text: str) -> str:
                # Keys act on what was drawn last.
                table = app.query_one(WatchTable)
                await eventually(lambda: table.selected is app.watch_list.get(tag), LIMIT)
                await pilot.press("w")
                await eventually(lambda: isinstance(app.screen, WriteDialog), LIMIT)
                dialog = app.screen
                assert isinstance(dialog, WriteDialog)
                await pilot.press(*text, "enter", "shift+tab", "enter")
                await eventually(lambda: dialog.outcome is not None, LIMIT)
                assert dialog.outcome is not None
                await pilot.press("enter")
                await eventually(lambda: not isinstance(app.screen, WriteDialog), LIMIT)
                return dialog.outcome.text

            tree = app.query_one(GalaxyTree)
            await eventually(lambda: len(tree.root.children) > 0, LIMIT)
            await pilot.press("slash", *"testchildobject.testint", "enter")
            await eventually(lambda: [str(n.label) for n in tree.root.children] == ["TestChildObject"], LIMIT)
            found = tree.root.children[0]
            await eventually(lambda: len(found.children) > 0, LIMIT)
            await pilot.press("down", "enter")
            await eventually(lambda: value(TAG) == 99, LIMIT)

            assert await write(TAG, "43") == "written; MXAccess has confirmed it"
            await eventually(lambda: value(TAG) == 43, LIMIT)

            app.action_remove()
            assert TAG not in app.watch_list
            app.watch_list.add(RANGED)
            app.plant.watch(RANGED)
            await eventually(lambda: value(RANGED) == 50, LIMIT)
            assert "detail 1004: the value is out of range" in await write(RANGED, "5000")

            await acknowledge_an_alarm(pilot, gateway)

            for worker in psutil.Process(gateway.pid).children(recursive=True):
                worker.kill()
            await eventually(lambda: value(RANGED) is None, LIMIT)
            await eventually(lambda: value(RANGED) == 50, LIMIT)
            await pilot.press("q")

        async with asyncio.timeout(100):
            await run(gateway.options(), [], read_only=False, auto_pilot=user)
