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
from typing import Any

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


async def measure(seconds: float) -> dict[str, object]:
    """Events per second of 1,000 items, reads of 6 and of 100, as our own figures are taken."""
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
                figures: dict[str, object] = {
                    "read6": await sequential(lambda: client.read_values(nodes[:6]), seconds),
                    "read6InFlight50": await in_flight(lambda: client.read_values(nodes[:6]), seconds),
                    "read100": await sequential(lambda: client.read_values(nodes[:100]), seconds),
                }
                counter = _Counter()
                subscription = await client.create_subscription(10, counter)
                await subscription.subscribe_data_change(nodes)
                server.stdin.write("flood\n")
                server.stdin.flush()
                begin, before = time.perf_counter(), counter.count
                await asyncio.sleep(max(seconds, 2.0))
                figures["eventsPerSecond"] = round((counter.count - before) / (time.perf_counter() - begin))
                server.stdin.write("quiet\n")
                server.stdin.flush()
                return figures
        finally:
            server.communicate(timeout=20)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
