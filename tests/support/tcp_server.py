"""A TCP server of a test whose connections have all ended when it has."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.support.waiting import eventually


@asynccontextmanager
async def tcp_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    host: str = "127.0.0.1",
    *,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """The port of one that listens; `serve` has to end by itself when its peer does.

    A connection that the system took and `serve` did not see yet would be left to the next test: so the end is waited
    for, of TLS handshakes that fail too.
    """
    running: set[asyncio.Task[None]] = set()

    async def noted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            running.add(task)
        await serve(reader, writer)

    server = await asyncio.start_server(noted, host, 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
        # What connected just now is taken in the next turns of the loop.
        for _ in range(3):
            await asyncio.sleep(0)
    finally:
        server.close()
        if sys.version_info >= (3, 12):
            await server.wait_closed()
        else:
            # There it waits for nobody.
            open_connections: Any = server
            await eventually(lambda: not open_connections._active_count, failure=lambda: "a connection does not end")
        await eventually(lambda: all(task.done() for task in running), failure=lambda: f"does not end: {running}")
