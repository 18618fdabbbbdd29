"""The same work done by an OPC UA stack that our users know: asyncua, server and client in processes of their own.

Usage as a server: python -m benches.peer_asyncua PORT; ends with its standard input.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO, Any

from benches.floor import in_flight, sequential

ITEMS = 1000


async def serve(port: int) -> None:
    from asyncua import Server, ua

    logging.disable(logging.WARNING)
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/bench")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace("bench")
    folder = await server.nodes.objects.add_object(index, "Bench")
    nodes = [await folder.add_variable(ua.NodeId(f"v{n}", index), f"v{n}", 0.0) for n in range(ITEMS)]
    running = True
    flooding = False

    async def flood() -> None:
        value = 0.0
        while running:
            if not flooding:
                await asyncio.sleep(0.01)
                continue
            value += 1.0
            for count, node in enumerate(nodes):
                await server.write_attribute_value(node.nodeid, ua.DataValue(ua.Variant(value, ua.VariantType.Double)))
                if count % 50 == 0:
                    await asyncio.sleep(0)

    async with server, asyncio.TaskGroup() as group:
        group.create_task(flood())
        print("ready", flush=True)
        reader = asyncio.get_running_loop()
        while line := await reader.run_in_executor(None, sys.stdin.readline):
            flooding = line.strip() == "flood"
        running = False


class _Counter:
    def __init__(self) -> None:
        self.count = 0

    def datachange_notification(self, _node: object, _value: object, _data: object) -> None:
        self.count += 1


class Peer:
    """A client of a running server."""

    def __init__(self, client: Any, nodes: list[Any], counter: _Counter, commands: IO[str]) -> None:
        self._client = client
        self._nodes = nodes
        self._counter = counter
        self._commands = commands

    async def read(self, count: int) -> object:
        return await self._client.read_values(self._nodes[:count])

    async def events_per_second(self, seconds: float) -> float:
        """All items change as fast as the server can, for so long."""
        self._tell("flood")
        # So that what is measured is under way, as ours is when its counting begins.
        await asyncio.sleep(0.1)
        begin, before = time.perf_counter(), self._counter.count
        await asyncio.sleep(seconds)
        rate = (self._counter.count - before) / (time.perf_counter() - begin)
        self._tell("quiet")
        while self._counter.count != before:
            before = self._counter.count
            await asyncio.sleep(0.1)
        return rate

    def _tell(self, command: str) -> None:
        self._commands.write(f"{command}\n")
        self._commands.flush()


@asynccontextmanager
async def peer() -> AsyncIterator[Peer]:
    """Server and client, with all items subscribed."""
    from asyncua import Client

    logging.disable(logging.WARNING)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-m", "benches.peer_asyncua", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout
        assert server.stdin
        server.stdout.readline()
        try:
            async with Client(f"opc.tcp://127.0.0.1:{port}/bench") as client:
                nodes: list[Any] = [client.get_node(f"ns=2;s=v{n}") for n in range(ITEMS)]
                counter = _Counter()
                subscription = await client.create_subscription(10, counter)
                await subscription.subscribe_data_change(nodes)
                yield Peer(client, nodes, counter, server.stdin)
        finally:
            server.communicate(timeout=20)


async def measure(seconds: float) -> dict[str, object]:
    """Reads of 6, alone and 50 in flight, as our own figures are taken."""
    async with peer() as other:
        return {
            "read6": await sequential(lambda: other.read(6), seconds),
            "read6InFlight50": await in_flight(lambda: other.read(6), seconds),
        }


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
