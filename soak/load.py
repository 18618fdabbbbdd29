"""Work without an end for one session, and short sessions beside it that hang."""

from __future__ import annotations

import asyncio
import itertools
import random
from dataclasses import asdict, dataclass, field

from mxgateway import GatewayClient, MxGatewayError, MxGatewaySessionError, Session
from soak.site import Tags

MOST_UNDER_WAY = 50
PAUSE = 0.02
HANG_EVERY = 30.0
LAST_WORDS = 20.0
STILL_IN_A_HANG = 2.0
"""Seconds of a hang in which nothing happens to its worker yet."""
STILL_AGAIN = 1.0
"""Seconds after which a worker that was killed is gone for Wine, too."""


@dataclass(slots=True)
class Counters:
    """What was done."""

    events: int = 0
    writes: int = 0
    completions: int = 0
    reads: int = 0
    itemsAdded: int = 0  # noqa: N815 - as the report has it
    hangs: int = 0
    violations: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, int]:
        return {name: count for name, count in asdict(self).items() if name != "violations"}


class Load:
    """The steady session's work; `over` ends it.

    Attributes:
        counters: what was done so far.
        undisturbed: held while handles are counted; no process starts then.
    """

    def __init__(self, client: GatewayClient, session: Session, tags: Tags, seed: int) -> None:
        self.counters = Counters()
        self.over = asyncio.Event()
        self.undisturbed = asyncio.Lock()
        self._still_until = 0.0
        self._client = client
        self._session = session
        self._tags = tags
        self._chance = random.Random(seed)
        self._server = 0
        self._written: tuple[int, ...] = ()
        self._places = asyncio.Semaphore(MOST_UNDER_WAY)

    @property
    def is_still(self) -> bool:
        """Whether no process starts or ends now, or is about to."""
        return not self.undisturbed.locked() and asyncio.get_running_loop().time() < self._still_until

    async def prepare(self) -> None:
        """Registers, and advises what moves and what is written."""
        self._server = await self._session.register("soak")
        moving = [await self._session.add_item(self._server, tag) for tag in self._tags.moving]
        self._written = tuple([await self._session.add_item(self._server, tag) for tag in self._tags.written])
        for item in (*moving, *self._written):
            await self._session.advise(self._server, item)
        await self._session.read_bulk(self._server, self._tags.written)

    async def run(self) -> None:
        """All of the work, until `over`; then waits for the completions that are due."""
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(self._read_events())
            async with asyncio.TaskGroup() as work:
                work.create_task(self._write())
                work.create_task(self._add_and_remove())
                work.create_task(self._read_values())
                work.create_task(self._hang())
            try:
                async with asyncio.timeout(LAST_WORDS):
                    for _ in range(MOST_UNDER_WAY):
                        await self._places.acquire()
            except TimeoutError:
                missing = self.counters.writes - self.counters.completions
                self.counters.violations.append(f"{missing} writes were never completed")
            reader.cancel()

    async def _read_events(self) -> None:
        counters = self.counters
        sequence = 0
        async with self._session.stream_events() as events:
            async for event in events:
                counters.events += 1
                if sequence and event.worker_sequence != sequence + 1:
                    counters.violations.append(f"events after {sequence} are missing up to {event.worker_sequence}")
                sequence = event.worker_sequence
                if event.HasField("on_write_complete"):
                    counters.completions += 1
                    self._places.release()

    async def _write(self) -> None:
        for number in itertools.count():
            if self.over.is_set():
                return
            which = number % 3
            value = (number, "x" * self._chance.randrange(4000), list(range(self._chance.randrange(1, 200))))[which]
            await self._places.acquire()
            await self._session.write(self._server, self._written[which], value)
            self.counters.writes += 1
            await asyncio.sleep(PAUSE)

    async def _add_and_remove(self) -> None:
        while not self.over.is_set():
            tags = self._chance.sample(self._tags.passing, self._chance.randrange(1, len(self._tags.passing)))
            items = [await self._session.add_item(self._server, tag) for tag in tags]
            for item in items:
                await self._session.advise(self._server, item)
            for item in items:
                # Half of them are removed while they are advised.
                if self._chance.random() < 0.5:
                    await self._session.unadvise(self._server, item)
                await self._session.remove_item(self._server, item)
            self.counters.itemsAdded += len(items)
            await asyncio.sleep(PAUSE)

    async def _read_values(self) -> None:
        while not self.over.is_set():
            results = await self._session.read_bulk(self._server, [*self._tags.passing, *self._tags.written])
            self.counters.reads += len(results)
            await asyncio.sleep(10 * PAUSE)

    async def _hang(self) -> None:
        """Another session hangs now and then; it must cost nobody else anything."""
        loop = asyncio.get_running_loop()
        while not self.over.is_set():
            async with self.undisturbed:
                self._still_until = 0.0
            session = await self._client.open_session(client_session_name="hangs")
            server = await session.register("hang")
            await session.inject_fault("hang_call", {"method": "add_item", "seconds": "3600"})
            self._still_until = loop.time() + STILL_IN_A_HANG
            try:
                await session.add_item(server, self._tags.written[0])
                self.counters.violations.append("a hung call came back")
            except MxGatewayError as error:
                # By the worker itself, or by the gateway's look at its heartbeats, whichever comes first.
                if not any(word in str(error) for word in ("hangs", "has been running")):
                    self.counters.violations.append(f"a hang was told as {error}")
            try:
                await session.close()
            except MxGatewaySessionError as error:
                self.counters.violations.append(f"a hung session could not be closed: {error}")
            self.counters.hangs += 1
            if await self._is_over_after(STILL_AGAIN):
                return
            self._still_until = loop.time() + HANG_EVERY
            if await self._is_over_after(HANG_EVERY - STILL_AGAIN):
                return

    async def _is_over_after(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.over.wait()
        except TimeoutError:
            return False
        return True
