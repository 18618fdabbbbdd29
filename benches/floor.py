"""Measures the bare mechanism: gRPC alone, and the chain client ← gateway ← worker that only forwards."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc

from benches.figures import latency_ms
from mxgateway.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = [("grpc.max_receive_message_length", -1)]


@contextmanager
def floor_server() -> Iterator[int]:
    """A bare server in a process of its own; yields its port."""
    with subprocess.Popen(
        [sys.executable, "-m", "benches.floor_server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        yield int(server.stdout.readline())
        server.communicate()


async def sequential(call: Callable[[], Awaitable[object]], seconds: float) -> dict[str, object]:
    """One call after the other."""
    samples: list[float] = []
    begin = time.perf_counter()
    while (start := time.perf_counter()) - begin < seconds:
        await call()
        samples.append(time.perf_counter() - start)
    return {"callsPerSecond": round(len(samples) / (time.perf_counter() - begin)), "latencyMs": latency_ms(samples)}


async def in_flight(call: Callable[[], Awaitable[object]], seconds: float, width: int = 50) -> dict[str, object]:
    """`width` callers at once."""
    begin = time.perf_counter()
    samples: list[float] = []

    async def caller() -> None:
        while (start := time.perf_counter()) - begin < seconds:
            await call()
            samples.append(time.perf_counter() - start)

    async with asyncio.TaskGroup() as group:
        for _ in range(width):
            group.create_task(caller())
    return {"callsPerSecond": round(len(samples) / (time.perf_counter() - begin)), "latencyMs": latency_ms(samples)}


async def _events(channel: grpc.aio.Channel, method: str, size: int, seconds: float, decode: str) -> int:
    call = channel.unary_stream(f"/floor/{method}")(str(size).encode())
    count, begin = 0, 0.0
    async for message in call:
        if not begin:
            begin = time.perf_counter()
            continue
        if decode == "bytes":
            count += size
        elif size == 1:
            pb.MxEvent.FromString(message)
            count += 1
        else:
            events = pb.MxEventBatch.FromString(message).events
            count += len(events)
            if decode == "fields":
                for event in events:
                    _ = (event.item_handle, event.quality, event.value.double_value, event.worker_sequence)
        if time.perf_counter() - begin > seconds:
            break
    elapsed = time.perf_counter() - begin
    call.cancel()
    return round(count / elapsed)


async def measure(seconds: float) -> dict[str, object]:
    """All floors, each for `seconds`."""
    with floor_server() as port:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS) as channel:
            payload = b"x" * 80
            echo = channel.unary_unary("/floor/Echo")
            chain = channel.unary_unary("/floor/ChainEcho")
            await echo(payload)
            await chain(payload)
            return {
                "grpc": {
                    "unarySequential": await sequential(lambda: echo(payload), seconds),
                    "unaryInFlight50": await in_flight(lambda: echo(payload), seconds),
                    "eventsPerSecond": {
                        "single": await _events(channel, "Events", 1, seconds, "decoded"),
                        "batch100": await _events(channel, "Events", 100, seconds, "bytes"),
                    },
                },
                "chain": {
                    "unarySequential": await sequential(lambda: chain(payload), seconds),
                    "unaryInFlight50": await in_flight(lambda: chain(payload), seconds),
                    "eventsPerSecond": {
                        "batch100": await _events(channel, "ChainEvents", 100, seconds, "decoded"),
                        "batch500": await _events(channel, "ChainEvents", 500, seconds, "decoded"),
                        "batch500FieldsRead": await _events(channel, "ChainEvents", 500, seconds, "fields"),
                    },
                },
            }
