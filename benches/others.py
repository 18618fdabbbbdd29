"""How soon a session sees what another one writes: two sessions, so two worker processes, over one plant."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

from benches.figures import latency_ms
from benches.gateway_process import GatewayProcess
from mxgateway import Session, from_mx_value

TAG = "Setpoint_001.Value"
# Longer than a worker waits for anything but the write.
_PAUSE = 0.05
_FEWEST = 20


class _Watcher:
    """What was written and when, and how long each took until it was seen."""

    def __init__(self) -> None:
        self.written: dict[int, float] = {}
        self.seconds: list[float] = []
        self.all_seen = asyncio.Event()
        self.last = 0

    async def watch(self, session: Session) -> None:
        server = await session.register("watches")
        await session.advise(server, await session.add_item(server, TAG))
        async with session.stream_events() as stream, aclosing(stream.batches()) as batches:  # type: ignore[type-var]
            async for events in batches:
                now = time.perf_counter()
                for event in events:
                    number: Any = from_mx_value(event.value)
                    begun = self.written.pop(number, None)
                    if begun is not None:
                        self.seconds.append(now - begun)
                    if self.last and number == self.last:
                        self.all_seen.set()


async def measure_others(running: GatewayProcess, seconds: float) -> dict[str, Any]:
    """Writes a number now and then, and takes the time from each write to its change in the other session."""
    watcher = _Watcher()
    async with (
        await running.client() as client,
        await running.client() as other,
        client.open_session(client_session_name="writes") as writing,
        other.open_session(client_session_name="watches") as watching,
        asyncio.TaskGroup() as group,
    ):
        reader = group.create_task(watcher.watch(watching))
        server = await writing.register("writes")
        item = await writing.add_item(server, TAG)
        await writing.advise(server, item)
        end = time.perf_counter() + seconds
        number = 0
        while not watcher.last:
            number += 1
            if number > _FEWEST and time.perf_counter() > end:
                watcher.last = number
            watcher.written[number] = time.perf_counter()
            await writing.write(server, item, number)
            await asyncio.sleep(_PAUSE)
        async with asyncio.timeout(30):
            await watcher.all_seen.wait()
        reader.cancel()
    return {"writes": number, "seen": len(watcher.seconds), "seenMs": latency_ms(watcher.seconds)}
