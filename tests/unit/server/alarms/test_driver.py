"""The monitor at work: starts that fail, and what it asks of the Galaxy."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import structlog
from tests.support.alarm_link import ScriptedLink
from tests.support.clock import ManualClock
from tests.support.waiting import eventually
from tests.unit.server.alarms.alarm_parts import Room, alarm

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.alarms import driver as driver_module
from mxgateway_server.alarms.driver import AlarmDriver
from mxgateway_server.alarms.galaxy_view import WatchList
from mxgateway_server.alarms.groups import Everything
from mxgateway_server.alarms.model import Alarm, Provider
from mxgateway_server.alarms.telling import MonitorState
from mxgateway_server.config.alarm_sections import AlarmSettings
from mxgateway_server.errors import GatewayError, WorkerExitedError
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


@pytest.mark.parametrize("data", [b"\x0a\x05ab", b"\x0a\x02\xc2\x01", b"\xff" * 12], ids=["cut off", "half", "noise"])
async def test_events_that_cannot_be_read_are_lost_and_the_list_is_read_anew(data: bytes) -> None:
    clock = ManualClock()
    link, galaxy = CountingLink(clock), SmallGalaxy()
    with structlog.testing.capture_logs() as lines:
        async with at_work(link, galaxy, clock) as driver:
            await eventually(lambda: driver.monitor.status.state is MonitorState.LIVE)
            assert link._on_events is not None
            link._on_events(EventChunk(first_sequence=1, count=1, data=data, received_ns=0))

            def is_live_again() -> bool:
                clock.advance(1.0)
                return link.tries == 2 and driver.monitor.status.state is MonitorState.LIVE

            await eventually(is_live_again)
    lost = [line for line in lines if line["event"] == "alarm_worker_lost"]
    assert [(line["reason"], line["error"]) for line in lost] == [
        ("events_lost", "the worker's events cannot be read: DecodeError")
    ]


class LateGalaxy(SmallGalaxy):
    """One that is read only when a test says so."""

    edition = 0

    def __init__(self) -> None:
        super().__init__()
        self.is_read = asyncio.Event()

    async def settled(self) -> bool:
        await self.is_read.wait()
        self.edition = 1
        return True


async def test_who_came_before_the_galaxy_was_read_is_judged_anew_when_it_is() -> None:
    clock, galaxy, room = ManualClock(), LateGalaxy(), Room(is_restored=True)
    room.book.restore([alarm()])
    judged: list[int] = []
    link = CountingLink(clock)
    link.happen(0, "on")
    driver = AlarmDriver(room.monitor, link, galaxy, SETTINGS, clock, lambda: judged.append(1))

    class Nobody(Everything):
        number = 7

        def sees(self, alarm: Alarm) -> bool:
            return bool(judged)

    async with asyncio.TaskGroup() as group:
        group.create_task(driver.run())
        stream = room.join(viewer=Nobody())
        assert "Alarm" not in room.arms(stream)
        galaxy.is_read.set()
        await eventually(lambda: driver.monitor.status.state is MonitorState.LIVE)
        assert "Alarm" in room.arms(stream), "the list begins once more, with what the key may see"
        await driver.stop()
    assert judged == [1]


class CrashingLink(CountingLink):
    """Its worker ends with every subscription to the alarm manager."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.crashes = 0
        self.is_mended = False

    async def call(self, command: pb.MxCommand, timeout: float) -> pb.MxCommandReply:
        mode = command.subscribe_alarms.forced_mode
        if command.HasField("subscribe_alarms") and mode != pb.ALARM_PROVIDER_MODE_SUBTAG and not self.is_mended:
            self.crashes += 1
            error = WorkerExitedError("the worker process ended (signal 11)", exit_code=-11)
            assert self._on_fault is not None
            self._on_fault(error)
            raise error
        reply = await super().call(command, timeout)
        if self.worker is not None:
            provider = Provider.SUBTAG if mode == pb.ALARM_PROVIDER_MODE_SUBTAG else Provider.ALARMMGR
            if command.HasField("subscribe_alarms") and self.worker.provider is not provider:
                self.switch(provider, reason=pb.ALARM_PROVIDER_REASON_FORCED)
        return reply


async def test_a_consumer_that_ends_every_worker_is_left_for_the_attributes_and_tried_again() -> None:
    """Restarts are bounded, the operator is told, and when it is mended it speaks again."""
    clock = ManualClock()
    link, galaxy = CrashingLink(clock), SmallGalaxy()
    with structlog.testing.capture_logs() as lines:
        await see_it_through(link, galaxy, clock)
    events = [line["event"] for line in lines]
    assert (events.count("alarm_manager_avoided"), events.count("alarm_worker_lost")) == (2, 4)
    assert events.count("alarm_manager_tried_again") == 2


async def see_it_through(link: CrashingLink, galaxy: SmallGalaxy, clock: ManualClock) -> None:
    async with at_work(link, galaxy, clock) as driver:

        def is_in(state: MonitorState) -> bool:
            clock.advance(1.0)
            return driver.monitor.status.state is state

        await eventually(lambda: is_in(MonitorState.DEGRADED))
        assert (link.crashes, link.opened) == (3, 4)
        assert "ended 3 times with the alarm manager" in driver.monitor.status.text
        assert "signal 11" in driver.monitor.status.text
        await eventually(lambda: is_in(MonitorState.LOST))
        await eventually(lambda: is_in(MonitorState.DEGRADED))
        assert (link.crashes, link.opened) == (4, 5)
        link.is_mended = True
        await eventually(lambda: is_in(MonitorState.LIVE))
        assert (link.crashes, link.opened) == (4, 5)


async def test_a_worker_that_the_monitor_itself_gives_up_is_told_in_the_log() -> None:
    clock = ManualClock()
    link, galaxy = CountingLink(clock), SmallGalaxy()
    link.fails_lists = True
    with structlog.testing.capture_logs() as lines:
        async with at_work(link, galaxy, clock):

            def is_opened_again() -> bool:
                clock.advance(1.0)
                return link.tries >= 2

            await eventually(is_opened_again)
    lost = [line for line in lines if line["event"] == "alarm_worker_lost"]
    assert [line["reason"] for line in lost[:1]] == ["no_snapshot"]
    assert lost[0]["error"]
