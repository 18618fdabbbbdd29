"""A storm over COM workers of a Windows gateway: seeded faults on many sessions, and two honest ones in between.

Each victim must learn its own cause and no other's; the honest sessions must not notice; no process may be left.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.support.waiting import eventually
from tests.wine.windows_gateway import WindowsGateway

from mxgateway import GatewayClient, MxAccessError, MxGatewaySessionError, MxGatewayWorkerError, Session

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow, pytest.mark.timeout(300)]

SEED = int(os.environ.get("MXGATEWAY_STORM_SEED", "1"))
OF_EACH_KIND = int(os.environ.get("MXGATEWAY_STORM_ROUNDS", "2"))
AT_ONCE = 4
TAG, MOVING = "TestChildObject.TestInt", "TestMachine_001.TestChangingInt"
FLOOD = 3000
METHODS = ("add_item", "advise", "write", "remove_item")
E_FAIL = 0x80004005 - (1 << 32)


class Victim:
    """One session that a fault strikes, with an advised item."""

    def __init__(self, session: Session, chance: random.Random) -> None:
        self.session = session
        self._chance = chance
        self.server = self.item = 0

    async def prepare(self) -> None:
        self.server = await self.session.register("victim")
        self.item = await self.session.add_item(self.server, TAG)
        await self.session.advise(self.server, self.item)
        await self.session.read_bulk(self.server, [TAG])

    async def strike(self, fault: str, **parameters: str) -> None:
        await self.session.inject_fault(fault, parameters)

    async def strike_a_call(self, fault: str, **parameters: str) -> Callable[[], Awaitable[object]]:
        """The fault on one of the methods; what calls it."""
        method = self._chance.choice(METHODS)
        await self.strike(fault, method=method, **parameters)
        return lambda: self.call(method)

    async def call(self, method: str) -> object:
        if method == "add_item":
            return await self.session.add_item(self.server, TAG)
        if method == "write":
            return await self.session.write(self.server, self.item, self._chance.randrange(1000))
        return await {"advise": self.session.advise, "remove_item": self.session.remove_item}[method](
            self.server, self.item
        )

    async def ping_on(self) -> None:
        for _ in range(20_000):
            await self.session.ping("alive?")


async def cause(doing: Awaitable[object], session: Session) -> str:
    """Why a session ended, told to the call under way or to the first one after; asked again, it says it is over."""
    with pytest.raises((MxGatewayWorkerError, MxGatewaySessionError)) as caught:
        await doing
    with pytest.raises(MxGatewaySessionError):
        await session.ping("gone")
    return str(caught.value)


async def hang(victim: Victim) -> None:
    """A call that never returns: found by the heartbeats."""
    call = await victim.strike_a_call("hang_call", seconds="600")
    text = await cause(call(), victim.session)
    assert "hangs" in text
    assert not any(word in text for word in ("access violation", "exit code")), text


async def crash_in_a_call(victim: Victim) -> None:
    await victim.strike("access_violation", where="call")
    text = await cause(victim.call("add_item"), victim.session)
    assert "the backend is lost: LMXProxy broke down: exception: access violation" in text


async def crash_in_an_event(victim: Victim) -> None:
    await victim.strike("access_violation", where="event")
    await victim.session.write(victim.server, victim.item, 5)
    text = await cause(victim.ping_on(), victim.session)
    assert "the backend is lost: LMXProxy broke down: exception: access violation" in text


async def crash_in_a_thread(victim: Victim) -> None:
    """LMXProxy's own thread takes the process; its exit code says so."""
    await victim.strike("access_violation", where="thread")
    text = await cause(victim.ping_on(), victim.session)
    assert "exit code 0xC0000005, access violation" in text


async def kill(victim: Victim) -> None:
    """Somebody ends the process."""
    text = await cause(victim.strike("crash"), victim.session)
    assert "exit code 0xC0000409" in text


async def flood(victim: Victim) -> None:
    """Thousands of events at once reach whoever reads; commands are answered meanwhile."""
    async with victim.session.stream_events() as events:
        await victim.strike("flood_events", count=str(FLOOD))
        await victim.session.write(victim.server, victim.item, 77)
        seen = 0
        async for event in events:
            seen += event.HasField("on_data_change") and event.value.int32_value == 77
            if seen % 500 == 1:
                assert await victim.session.ping("busy?") == "busy?"
            if seen > FLOOD:
                break


async def late_events(victim: Victim) -> None:
    """Events after UnAdvise are nobody's harm."""
    await victim.strike("late_events", count="50")
    await victim.session.unadvise(victim.server, victim.item)
    assert await victim.session.ping("fine") == "fine"


async def modal_call(victim: Victim) -> None:
    """A call that pumps messages itself, so that events come inside it."""
    call = await victim.strike_a_call("pump_call", seconds="0.3")
    await call()
    assert await victim.session.ping("fine") == "fine"


async def failing_call(victim: Victim) -> None:
    """A failure of MXAccess is data."""
    call = await victim.strike_a_call("fail_call")
    with pytest.raises(MxAccessError) as caught:
        await call()
    assert caught.value.hresult == E_FAIL
    assert await victim.session.ping("fine") == "fine"


KINDS = (
    hang, crash_in_a_call, crash_in_an_event, crash_in_a_thread, kill, flood, late_events, modal_call, failing_call,
)  # fmt: skip


@pytest.fixture
async def gateway(galaxy: Path, plant_table: Path, tmp_path: Path) -> AsyncIterator[WindowsGateway]:
    running = WindowsGateway(tmp_path, galaxy, plant_table)
    running.start()
    try:
        yield running
    finally:
        # Waits for the end of every process that it has started.
        assert await asyncio.to_thread(running.stop) == 0, "\n".join(running.log)


async def follow(client: GatewayClient, over: asyncio.Event) -> None:
    """Sees every change of a counter, in order, without a break."""
    async with client.subscribe([MOVING]) as changes:
        before = (await changes.next_change(20)).value
        while not over.is_set():
            change = await changes.next_change(20)
            assert change.value == before + 1, (before, change)
            before = change.value
        assert (changes.interruptions, changes.lost, changes.gaps) == (0, 0, 0)


async def write_on(session: Session, over: asyncio.Event) -> None:
    """Each write is confirmed and stands when it is read."""
    value = 0
    while not over.is_set():
        value += 1
        await session.write_and_confirm(TAG, value)
        (read,) = await session.read([TAG])
        assert read.value == value


async def test_a_storm_of_faults_costs_the_sessions_that_it_strikes(gateway: WindowsGateway) -> None:
    chance = random.Random(SEED)
    strikes = list(KINDS) * OF_EACH_KIND
    chance.shuffle(strikes)
    places, over = asyncio.Semaphore(AT_ONCE), asyncio.Event()
    async with asyncio.timeout(280), await GatewayClient.connect(gateway.options) as client:

        async def one(number: int, kind: Callable[[Victim], Awaitable[None]], seed: int) -> None:
            async with places:
                session = await client.open_session(client_session_name=f"{number} {kind.__name__}")
                victim = Victim(session, random.Random(seed))
                await victim.prepare()
                await kind(victim)
                await session.close()

        async with await client.open_session(client_session_name="writer") as writer, asyncio.TaskGroup() as honest:
            honest.create_task(follow(client, over))
            honest.create_task(write_on(writer, over))
            async with asyncio.TaskGroup() as storm:
                for number, kind in enumerate(strikes):
                    storm.create_task(one(number, kind, chance.randrange(1 << 30)))
            over.set()
    # What is left is the gateway with its pool.
    await eventually(lambda: len(gateway.workers()) == 1, failure=lambda: str(gateway.processes()))
