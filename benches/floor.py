"""Measures the bare mechanism: gRPC alone, and the chain client ← gateway ← worker that only forwards."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import grpc

from benches.figures import latency_ms
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

OPTIONS = [("grpc.max_receive_message_length", -1)]
PAYLOAD = b"x" * 80


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


_TURN = 0.2


async def in_turns(ways: Mapping[str, Callable[[], Awaitable[object]]], seconds: float) -> dict[str, dict[str, Any]]:
    """`sequential` and `in_flight` of several ways, in short turns: what else the machine does meanwhile meets all."""
    alone: dict[str, list[float]] = {name: [] for name in ways}
    flown: dict[str, list[float]] = {name: [] for name in ways}
    for call in ways.values():
        await call()
    for _ in range(max(2, round(seconds / _TURN))):
        for name, call in ways.items():
            begin = time.perf_counter()
            while (start := time.perf_counter()) - begin < _TURN:
                await call()
                alone[name].append(time.perf_counter() - start)
    for _ in range(max(2, round(seconds / _TURN))):
        for name, call in ways.items():
            flown[name].append(float(str((await in_flight(call, _TURN))["callsPerSecond"])))
    return {
        name: {
            "sequential": {
                "callsPerSecond": round(len(alone[name]) / sum(alone[name])),
                "latencyMs": latency_ms(alone[name]),
            },
            "inFlight50": {"callsPerSecond": round(statistics.mean(flown[name]))},
        }
        for name in ways
    }


class Chain:
    """A connection to the bare chain, for measuring it in turns with others."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._echo = channel.unary_unary("/floor/ChainEcho")

    async def echo(self) -> object:
        return await self._echo(PAYLOAD)

    async def events_per_second(self, seconds: float) -> float:
        return await _events(self._channel, "ChainEvents", 500, seconds, "decoded")


@asynccontextmanager
async def chain() -> AsyncIterator[Chain]:
    """The bare chain in processes of its own."""
    with floor_server() as port:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS) as channel:
            yield Chain(channel)


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
            payload = PAYLOAD
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
