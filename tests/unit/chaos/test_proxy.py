"""The TCP proxy: forwards faithfully, and each of its faults looks to both ends as it should."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from chaos.proxy import TcpProxy
from tests.support.tcp_server import tcp_server
from tests.support.waiting import eventually


class Echo:
    """A server that echoes, and knows how its connections ended."""

    def __init__(self) -> None:
        self.open = 0
        self.ended: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while data := await reader.read(1000):
                writer.write(data)
                await writer.drain()
            self.ended.append("closed")
        except ConnectionResetError:
            self.ended.append("reset")
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def proxied() -> AsyncIterator[tuple[Echo, TcpProxy]]:
    echo = Echo()
    async with tcp_server(echo.serve) as port, TcpProxy(("127.0.0.1", port)) as proxy:
        yield echo, proxy


async def connect(proxy: TcpProxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = proxy.address.rsplit(":", 1)
    return await asyncio.open_connection(host, int(port))


async def echoed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes) -> bytes:
    writer.write(text)
    return await asyncio.wait_for(reader.readexactly(len(text)), 5)


async def test_a_good_line_forwards_everything() -> None:
    """Bytes come back as they went out, and the end of one side is the end of both."""
    async with proxied() as (echo, proxy):
        reader, writer = await connect(proxy)
        assert await echoed(reader, writer, b"x" * 200_000) == b"x" * 200_000
        assert proxy.bytes_forwarded == 400_000
        writer.close()
        await eventually(lambda: echo.ended == ["closed"])
        await eventually(lambda: proxy.connections == 0)


async def test_cut_closes_both_sides_in_order() -> None:
    """After a cut the client reads the end, the server too, and a new connection works."""
    async with proxied() as (echo, proxy):
        reader, writer = await connect(proxy)
        await echoed(reader, writer, b"a")
        proxy.cut()
        assert await reader.read() == b""
        await eventually(lambda: echo.ended == ["closed"])
        writer.close()
        reader, writer = await connect(proxy)
        assert await echoed(reader, writer, b"b") == b"b"
        writer.close()


async def test_reset_is_a_reset_on_both_sides() -> None:
    """After a reset both ends see ECONNRESET."""
    async with proxied() as (echo, proxy):
        reader, writer = await connect(proxy)
        await echoed(reader, writer, b"a")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        await eventually(lambda: echo.ended == ["reset"])
        writer.close()


async def test_a_black_hole_keeps_everything_until_it_heals() -> None:
    """Nothing passes while it lasts; then what waited arrives."""
    async with proxied() as (echo, proxy):
        reader, writer = await connect(proxy)
        await echoed(reader, writer, b"a")
        proxy.black_hole()
        answer = asyncio.ensure_future(echoed(reader, writer, b"b"))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not answer.done()
        assert echo.open == 1
        await proxy.heal()
        assert await answer == b"b"
        writer.close()


async def test_half_open_connections_stay_silent_for_good() -> None:
    """The server is never told, not even when the client leaves; new connections work."""
    async with proxied() as (echo, proxy):
        reader, writer = await connect(proxy)
        await echoed(reader, writer, b"a")
        proxy.half_open()
        await proxy.heal()
        writer.write(b"lost")
        fresh_reader, fresh_writer = await connect(proxy)
        assert await echoed(fresh_reader, fresh_writer, b"b") == b"b"
        proxy.drop_abandoned()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        assert echo.ended == []
        assert echo.open == 2
        fresh_writer.close()
        writer.close()


async def test_refused_connections_work_again_after_healing() -> None:
    """While it refuses there is no listener; after healing the port is the same."""
    async with proxied() as (_, proxy):
        reader, writer = await connect(proxy)
        await echoed(reader, writer, b"a")
        before = proxy.address
        await proxy.refuse()
        with pytest.raises(OSError):
            await connect(proxy)
        await proxy.heal()
        assert proxy.address == before
        writer.close()
        reader, writer = await connect(proxy)
        assert await echoed(reader, writer, b"b") == b"b"
        writer.close()


async def test_a_gateway_that_is_away_is_a_closed_connection() -> None:
    """When the target does not listen the client reads the end at once."""
    async with TcpProxy(("127.0.0.1", 1)) as proxy:
        reader, writer = await connect(proxy)
        assert await reader.read() == b""
        writer.close()
