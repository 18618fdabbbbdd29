"""The monitor at work: starts that fail, and what it asks of the Galaxy."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from tests.support.alarm_link import ScriptedLink
from tests.support.clock import ManualClock
from tests.support.waiting import eventually
from tests.unit.server.alarms.alarm_parts import Room

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.alarms import driver as driver_module
from mxgateway_server.alarms.driver import AlarmDriver
from mxgateway_server.alarms.galaxy_view import WatchList
from mxgateway_server.alarms.model import Alarm
from mxgateway_server.alarms.telling import MonitorState
from mxgateway_server.config.alarm_sections import AlarmSettings
from mxgateway_server.errors import GatewayError
from mxgateway_server.events.chunks import EventChunk

SETTINGS = AlarmSettings(default_area="Plant")


class SmallGalaxy:
    """A Galaxy of one area, whose alarms are found on another thread."""

    edition = 1

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.fails = False

    async def settled(self) -> bool:
        return True

    def area_path(self, area: str) -> tuple[str, ...]:
        return (area, "Site")

    def is_deployed(self, alarm: Alarm) -> bool:
        return True

    def watch_list(self, settings: AlarmSettings) -> WatchList:
        self.asked.append(threading.get_ident())
        if self.fails:
            raise LookupError("a Galaxy that nobody thought of")
        return WatchList([pb.AlarmSubtagTarget(alarm_full_reference=f"Galaxy!Plant.T{len(self.asked)}")], 0)


class CountingLink(ScriptedLink):
    """Counts the tries, and lets time pass with each, so that none has to be waited for."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.tries = self.closed = 0
        self._clock = clock

    async def open(self, on_events: Callable[[EventChunk], None], on_fault: Callable[[GatewayError], None]) -> None:
        self.tries += 1
        self._clock.advance(61.0)
        await super().open(on_events, on_fault)

    async def close(self) -> None:
        self.closed += 1
        await super().close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_module, "TICK_SECONDS", 0.0)


@asynccontextmanager
async def at_work(link: CountingLink, galaxy: SmallGalaxy, clock: ManualClock) -> AsyncIterator[AlarmDriver]:
    driver = AlarmDriver(Room().monitor, link, galaxy, SETTINGS, clock)
    async with asyncio.TaskGroup() as group:
        group.create_task(driver.run())
        yield driver
        await driver.stop()


@pytest.mark.parametrize("fault", ["fails_to_open", "refuses_subscription", "fails_lists"])
async def test_case_6_a_hundred_starts_that_fail_leave_nothing_behind(fault: str) -> None:
    clock = ManualClock()
    link, galaxy = CountingLink(clock), SmallGalaxy()
    setattr(link, fault, -2147467259 if fault == "refuses_subscription" else True)
    async with at_work(link, galaxy, clock) as driver:

        def passed() -> bool:
            clock.advance(61.0)
            return link.tries >= 100

        await eventually(passed)
        assert driver.monitor.status.state in (MonitorState.LOST, MonitorState.SYNCING)
        assert len(asyncio.all_tasks()) <= 5, "no try leaves a task behind"
        setattr(link, fault, None if fault == "refuses_subscription" else False)

        def is_live() -> bool:
            clock.advance(1.0)
            return driver.monitor.status.state is MonitorState.LIVE

        await eventually(is_live)
        assert len(driver.monitor.feed) == 0
        assert link.opened - link.closed <= 1, "every worker but the present one was ended"
    assert link.worker is None


async def test_alarms_to_watch_are_found_beside_the_loop_and_a_failure_keeps_those_that_are_watched() -> None:
    clock = ManualClock()
    link, galaxy = CountingLink(clock), SmallGalaxy()
    async with at_work(link, galaxy, clock) as driver:
        await eventually(lambda: driver.monitor.status.state is MonitorState.LIVE)
        kept = driver.watched
        galaxy.fails = True
        asked, reconciled = len(galaxy.asked), driver.monitor.counters.reconciled

        def again() -> bool:
            clock.advance(31.0)
            return driver.monitor.counters.reconciled > reconciled + 1

        await eventually(again)
        assert len(galaxy.asked) > asked
        assert (driver.watched is kept, driver.monitor.status.state) == (True, MonitorState.LIVE)
        galaxy.fails = False

        def renewed() -> bool:
            clock.advance(31.0)
            return driver.watched is not kept

        await eventually(renewed)
    assert threading.get_ident() not in galaxy.asked
