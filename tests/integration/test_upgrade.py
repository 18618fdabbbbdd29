"""The gateway becomes another program: sessions, workers, handles and events go on as if nothing had been."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from benches.gateway_process import GatewayProcess, Site
from tests.support.stopped_process import stop_process
from tests.support.upgraded_gateway import LIMIT, SETPOINT, TICKING, program_of, short_pause, small_site, upgraded
from tests.support.waiting import eventually

from mxgateway import DataChange, MxGatewayConnectionError, MxGatewayError, Session
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.control.client import ask
from mxgateway_server.errors import ConfigurationError

pytestmark = [
    pytest.mark.shares_processes,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="a gateway replaces itself on Linux only"),
]

RIGHT = "[sessions]\nmax_sessions = 7\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return small_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def settings(site: Site) -> Path:
    file = site.folder / "gateway.toml"
    file.write_text(RIGHT)
    return file


@pytest.fixture(scope="module")
def gateway(site: Site, settings: Path) -> Iterator[GatewayProcess]:
    flags = ("--config", str(settings), "--allow-fault-injection", "--no-operations")
    running = GatewayProcess(site, {"worker.pool_size": "1"}, flags=flags)
    yield running
    running.stop()


@asynccontextmanager
async def at_work(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Endless works beside the block; one that ends by itself has failed."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
        assert not [task.exception() for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@dataclass
class Work:
    """What goes on over the upgrades, and what came of it."""

    session: Session
    server: int = 0
    setpoint: int = 0
    seen: list[pb.MxEvent] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    changes: list[DataChange] = field(default_factory=list)

    async def begin(self) -> None:
        self.server = await self.session.register("upgrade")
        ticking = await self.session.add_item(self.server, TICKING)
        self.setpoint = await self.session.add_item(self.server, SETPOINT)
        await self.session.advise(self.server, ticking)
        await self.session.advise(self.server, self.setpoint)

    async def grows(self, found: Sequence[object], more: int) -> None:
        least = len(found) + more
        await eventually(lambda: len(found) >= least, LIMIT, lambda: f"{len(found)} of {least}")

    async def read_on(self) -> None:
        """Collects the session's events as a raw stream brings them, resumed whenever it breaks."""
        while True:
            after = self.seen[-1].worker_sequence if self.seen else 0
            try:
                async for event in self.session.stream_events(after_worker_sequence=after):
                    self.seen.append(event)
            except MxGatewayConnectionError:
                await short_pause()

    async def write_on(self) -> None:
        """Writes all the time, and repeats what is refused; not more than what the ring of events holds a while."""
        for value in itertools.count(1):
            await short_pause()
            while value not in self.accepted[-1:]:
                try:
                    await self.session.write(self.server, self.setpoint, value)
                    self.accepted.append(value)
                except MxGatewayConnectionError:
                    await short_pause()

    async def subscribe_on(self) -> None:
        async with self.session.subscribe([TICKING]) as changes:
            async for change in changes:
                self.changes.append(change)

    @property
    def completions(self) -> int:
        return sum(1 for event in self.seen if event.family == pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE)


async def test_sessions_workers_handles_and_events_outlive_two_upgrades(site: Site, gateway: GatewayProcess) -> None:
    pid, address = gateway.pid, gateway.address
    async with await gateway.client() as client:
        session = await client.open_session(client_session_name="night shift")
        work = Work(session)
        await work.begin()
        async with at_work(work.read_on(), work.write_on(), work.subscribe_on()):
            for count in (1, 2):
                await work.grows(work.seen, 10)
                await work.grows(work.changes, 1)
                program = await upgraded(site.state_dir)
                assert (program["upgrades"], program["keptSessions"], program["lostSessions"]) == (count, 1, 0)
                assert program["cameFrom"] == program["version"]
                # What is written now is written by the handles of before.
                await work.grows(work.accepted, 3)
                (told,) = (await asyncio.to_thread(ask, site.state_dir, "status"))["sessions"]
                assert (told["sessionId"], told["name"]) == (session.session_id, "night shift")
                assert told["worker"]["pid"] == session.raw.worker_process_id
            await work.grows(work.changes, 1)
        assert (gateway.pid, gateway.address, gateway.returncode) == (pid, address, None)
        # The last write may have been cut off between its call and its answer, so one more says how many there were.
        await session.write(work.server, work.setpoint, 0)
        async with at_work(work.read_on()):
            await eventually(lambda: work.seen[-1].worker_sequence > 0 and work.completions > len(work.accepted), LIMIT)
        numbers = [event.worker_sequence for event in work.seen]
        assert numbers == list(range(1, len(numbers) + 1)), "an event came twice, late, or never"
        assert work.completions - len(work.accepted) in (1, 2)
        assert not any(change.lost_before for change in work.changes)
        assert [each.value for each in await session.read([SETPOINT])] == [0]
        await ends_with_its_code(session)


async def ends_with_its_code(session: Session) -> None:
    """The worker of a program that is gone is still seen to end, and how."""
    psutil.Process(session.raw.worker_process_id).send_signal(signal.SIGKILL)
    with pytest.raises(MxGatewayError, match="signal 9"):
        await pinged_until_it_fails(session)
    assert (await session.close()).final_state


async def pinged_until_it_fails(session: Session) -> None:
    while True:
        await session.ping()


async def has_in_flight(site: Site, session: Session, command: asyncio.Task[Any]) -> None:
    """Returns once the gateway has given the session's worker the command."""
    async with asyncio.timeout(LIMIT):
        while True:
            status = await asyncio.to_thread(ask, site.state_dir, "status")
            (told,) = [each for each in status["sessions"] if each["sessionId"] == session.session_id]
            if told["worker"]["inFlight"]:
                return
            assert not command.done(), (command, told)
            await short_pause()


async def test_what_cannot_be_done_is_refused_and_nothing_has_changed(
    site: Site, gateway: GatewayProcess, settings: Path
) -> None:
    before = await program_of(site.state_dir)
    async with await gateway.client() as client, await client.open_session() as session:
        await asyncio.to_thread(settings.write_text, "[sessions]\nmax_sesions = 7\n")
        with pytest.raises(ConfigurationError, match="max_sesions"):
            await asyncio.to_thread(ask, site.state_dir, "upgrade", dry_run=True)
        await asyncio.to_thread(settings.write_text, RIGHT)
        worker = psutil.Process(session.raw.worker_process_id)
        await stop_process(worker.pid)
        hung = asyncio.create_task(session.register("hung"))
        await has_in_flight(site, session, hung)
        with pytest.raises(ConfigurationError, match="1 commands are under way"):
            await asyncio.to_thread(ask, site.state_dir, "upgrade")
        worker.resume()
        assert await hung
        after = await program_of(site.state_dir)
        assert (after["sinceNs"], after["refusedUpgrades"]) == (before["sinceNs"], 1)
        assert worker.is_running()
