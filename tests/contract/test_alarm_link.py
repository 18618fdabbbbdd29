"""What the alarm monitor relies on in its worker, held against the scripted one of the tests and the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.alarm_link import ScriptedLink
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.clock import SystemClock
from mxgateway_server import wiring
from mxgateway_server.alarms.galaxy_view import WatchList
from mxgateway_server.alarms.link import AlarmLink, WorkerLink
from mxgateway_server.alarms.subscribing import page_of_list, problem_of, subscription
from mxgateway_server.config.alarm_sections import AlarmSettings
from mxgateway_server.config.sources import load
from mxgateway_server.errors import GatewayError
from mxgateway_server.events.chunks import EventChunk
from mxgateway_server.galaxy.place import find_galaxy
from mxgateway_server.workers.containment import create_containment
from mxgateway_server.workers.launcher import Launcher

AREA = "TestArea"


class Listener:
    """What the monitor would get."""

    def __init__(self) -> None:
        self.events: list[pb.MxEvent] = []
        self.faults: list[GatewayError] = []
        self.first = 0

    def take(self, chunk: EventChunk) -> None:
        assert chunk.first_sequence == self.first + 1, "a hole"
        self.first = chunk.last_sequence
        self.events += [pb.MxEvent.FromString(each) for each in chunk.events()]

    def transitions(self) -> list[pb.OnAlarmTransitionEvent]:
        return [each.on_alarm_transition for each in self.events if each.HasField("on_alarm_transition")]


Opened = tuple[AlarmLink, Listener, Callable[[], None]]


@asynccontextmanager
async def scripted() -> AsyncIterator[Opened]:
    link, listener = ScriptedLink(8), Listener()
    for number in range(6):
        link.happen(number, "on")
    await link.open(listener.take, listener.faults.append)
    yield link, listener, link.kill
    await link.close()


@asynccontextmanager
async def real(tmp_path: Path) -> AsyncIterator[Opened]:
    settings = load(None, {"state_dir": str(tmp_path), "galaxy.connection_string": "reference"})
    place = await asyncio.to_thread(find_galaxy, settings.galaxy.connection_string, settings.state_path)
    containment = create_containment(settings.worker.max_memory_bytes)
    launcher = Launcher(wiring.worker_limits(settings), SystemClock(), containment, gateway_version="0")
    link, listener = WorkerLink(launcher, wiring.worker_plan(settings, place)), Listener()
    try:
        await link.open(listener.take, listener.faults.append)
        yield link, listener, launcher.kill_all
    finally:
        await link.close()
        containment.close()


@pytest.fixture(params=["scripted", "real"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    async with scripted() if request.param == "scripted" else real(tmp_path) as link:
        yield link


async def call(link: AlarmLink, command: pb.MxCommand) -> pb.MxCommandReply:
    reply = await link.call(command, 30)
    assert problem_of(reply) == ""
    return reply


async def subscribe(link: AlarmLink) -> None:
    await call(link, subscription(AlarmSettings(default_area=AREA, poll_interval_ms=100), WatchList([], 0)))


async def whole_list(link: AlarmLink) -> list[pb.ActiveAlarmSnapshot]:
    found, after, token = [], "", ""
    tokens = set()
    while True:
        page = (await call(link, page_of_list(after, token))).query_active_alarms
        found += page.snapshots
        after, token = page.next_after, page.cut_token
        tokens.add(token)
        assert page.mode == pb.ALARM_PROVIDER_MODE_ALARMMGR
        if not after:
            break
    assert page.total == len(found)
    assert len(tokens) == 1, "pages of several moments"
    return found


@pytest.mark.slow
async def test_the_list_and_the_events_after_it_are_what_the_worker_knows(opened: Opened) -> None:
    """Numbers without holes, the list as of a number, and alarms that carry reference, GUID, state and start."""
    link, listener, _ = opened
    await subscribe(link)
    alarms: list[pb.ActiveAlarmSnapshot] = []
    while not any(each.state == pb.ALARM_STATE_UNACK_ALM for each in alarms):
        alarms = await whole_list(link)
    assert len({each.alarm_full_reference.casefold() for each in alarms}) == len(alarms)
    for alarm in alarms:
        assert alarm.alarm_full_reference.startswith(f"{alarm.provider_name}!{alarm.group_name}.{alarm.alarm_name}")
        assert alarm.source_object_reference
        assert alarm.alarm_guid
        assert alarm.state in (1, 2, 3)
        assert alarm.original_raise_timestamp.seconds
        assert 1 <= alarm.severity <= 999
    await subscribe(link)
    open_ones = [each for each in alarms if each.state in (pb.ALARM_STATE_UNACK_ALM, pb.ALARM_STATE_UNACK_RTN)]
    one = open_ones[0]
    command = pb.AcknowledgeAlarmByNameCommand(
        alarm_name=one.alarm_name,
        provider_name=one.provider_name,
        group_name=one.group_name,
        source_object_reference=one.source_object_reference,
        comment="seen",
        operator_user="anna",
    )
    reply = await call(
        link,
        pb.MxCommand(kind=pb.MX_COMMAND_KIND_ACKNOWLEDGE_ALARM_BY_NAME, acknowledge_alarm_by_name=command),
    )
    assert reply.acknowledge_alarm.native_status == 0

    def acknowledged() -> bool:
        return any(
            each.alarm_full_reference == one.alarm_full_reference
            and each.transition_kind == pb.ALARM_TRANSITION_KIND_ACKNOWLEDGE
            for each in listener.transitions()
        )

    await eventually(acknowledged)
    many = pb.AcknowledgeAlarmsByNameCommand(alarms=[command, command])
    reply = await call(
        link, pb.MxCommand(kind=pb.MX_COMMAND_KIND_ACKNOWLEDGE_ALARMS_BY_NAME, acknowledge_alarms_by_name=many)
    )
    assert len(reply.acknowledge_alarms_by_name.results) == 2
    assert not listener.faults


@pytest.mark.slow
async def test_a_worker_that_dies_is_told_of_once_and_takes_no_command_more(opened: Opened) -> None:
    link, listener, kill = opened
    await subscribe(link)
    kill()
    await eventually(lambda: len(listener.faults) == 1)
    await link.close()
    with pytest.raises(GatewayError):
        await link.call(page_of_list("", ""), 5)
    await link.close()
    assert link.worker_pid == 0
