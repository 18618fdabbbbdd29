"""A TCP proxy between a client and the gateway that can be slow, silent, or gone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field

_CHUNK = 64 * 1024
_LINGER_RESET = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Line:
    """The state of the line; every connection of the proxy shares it.

    Attributes:
        delay: seconds that everything takes, one way.
        rate: bytes per second, each way; 0 for no limit.
        silent: nothing passes while it is set.
    """

    delay: float = 0.0
    rate: float = 0.0
    silent: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, eq=False)
class _Connection:
    client: asyncio.StreamWriter
    line: Line
    gateway: asyncio.StreamWriter | None = None
    abandoned: bool = False
    resets: bool = False

    def writers(self) -> list[asyncio.StreamWriter]:
        return [w for w in (self.client, self.gateway) if w is not None]


class TcpProxy:
    """Forwards connections to `target`, as badly as it is told. Use `async with`; the port stays the same throughout.

    Attributes:
        target: host and port of the gateway; a change holds for new connections.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self._line = Line()
        self._connections: dict[_Connection, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None
        self._port = 0
        self.accepted = 0
        self.bytes_forwarded = 0

    @property
    def address(self) -> str:
        """Where clients connect to."""
        return f"127.0.0.1:{self._port}"

    @property
    def connections(self) -> int:
        return len(self._connections)

    async def __aenter__(self) -> TcpProxy:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Closes everything, half-open connections too."""
        await self._deafen()
        tasks = list(self._connections.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------------------------------------------------ faults

    def slow_down(self, delay: float = 0.0, rate: float = 0.0) -> None:
        """From now on everything comes `delay` seconds late, or at `rate` bytes per second."""
        self._line.delay, self._line.rate = delay, rate

    def black_hole(self) -> None:
        """From now on nothing passes, on old and new connections; `heal` lets it all through."""
        self._line.silent = True
        self._line.changed.clear()

    def half_open(self) -> None:
        """The present connections go silent for good and neither end is told; new ones work."""
        for connection in self._connections:
            connection.abandoned = True
        # The old line stays silent for ever; new connections get a line of their own.
        self._line.silent = True
        self._line.changed.clear()
        self._line = Line()

    def cut(self) -> None:
        """Closes all connections in order, both ways."""
        for task in list(self._connections.values()):
            task.cancel()

    def reset(self) -> None:
        """Resets all connections, both ways."""
        for connection, task in list(self._connections.items()):
            connection.resets = True
            task.cancel()

    async def refuse(self) -> None:
        """Closes all connections and refuses new ones until `heal`."""
        await self._deafen()
        self.reset()

    def drop_abandoned(self) -> None:
        """Ends the half-open connections towards the client only, as a client does that has found out."""
        for connection in self._connections:
            if connection.abandoned:
                connection.client.transport.abort()

    async def heal(self) -> None:
        """Back to a good line."""
        self._line.delay = self._line.rate = 0.0
        self._line.silent = False
        self._line.changed.set()
        if self._server is None:
            await self._listen()

    # ---------------------------------------------------------------------------------------------------- forwarding

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port, limit=_CHUNK)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _deafen(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        connection = _Connection(writer, self._line)
        task = asyncio.current_task()
        assert task is not None
        self._connections[connection] = task
        try:
            await _pass(connection.line, 0)
            try:
                back, forth = await asyncio.open_connection(*self.target, limit=_CHUNK)
            except OSError:
                return
            connection.gateway = forth
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(connection, reader, forth))
                group.create_task(self._pump(connection, back, writer))
        except* (OSError, _Ended, asyncio.CancelledError):
            # The connection's end is its own business; the proxy's own stop waits for this task.
            pass
        finally:
            del self._connections[connection]
            for each in connection.writers():
                if connection.resets:
                    _set_reset(each)
                    each.transport.abort()
                each.close()
                with contextlib.suppress(OSError, asyncio.CancelledError):
                    await each.wait_closed()

    async def _pump(self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = connection.line
        while data := await reader.read(_CHUNK):
            await _pass(line, len(data))
            writer.write(data)
            self.bytes_forwarded += len(data)
            await writer.drain()
        # Neither gRPC nor HTTP/2 half-closes a connection: the end of one way is the end of both.
        await _pass(line, 0)
        raise _Ended


class _Ended(Exception):  # noqa: N818 - no error
    """One end closed the connection."""


async def _pass(line: Line, size: int) -> None:
    """Takes the time that the line takes for so many bytes."""
    if line.delay:
        await asyncio.sleep(line.delay)
    if line.rate and size:
        await asyncio.sleep(size / line.rate)
    while line.silent:
        await line.changed.wait()


def _set_reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
