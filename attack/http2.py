"""As much of HTTP/2 as a stranger needs who does not keep to gRPC: frames to send, and what comes back."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple

from attack.target import Target

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GO_AWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
MAX_FRAME = 16_384
FIRST_WINDOW = 65_535


class Frame(NamedTuple):
    """One frame as it came."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame as bytes."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def integer(value: int, bits: int) -> bytes:
    """An integer of HPACK, whose first byte has so many bits for it."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes((value,))
    out = [limit]
    value -= limit
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def headers(pairs: Iterable[tuple[str, str]]) -> bytes:
    """A header block: every field literally and never indexed, so that nothing has to be remembered."""
    block = b""
    for name, value in pairs:
        key, text = name.encode(), value.encode()
        block += b"\x10" + integer(len(key), 7) + key + integer(len(text), 7) + text
    return block


def call(stream: int, method: str, authority: str, more: Iterable[tuple[str, str]] = ()) -> bytes:
    """The beginning of a gRPC call."""
    pairs = [
        (":method", "POST"),
        (":scheme", "https"),
        (":path", method),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        *more,
    ]
    return frame(HEADERS, END_HEADERS, stream, headers(pairs))


class Connection:
    """A TLS connection whose windows are kept; use `connected`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._windows: dict[int, int] = {0: FIRST_WINDOW}
        self._first_window = FIRST_WINDOW
        self._room = asyncio.Event()
        self.is_over = False

    def open(self, data: bytes, stream: int) -> None:
        """Begins a stream with these bytes."""
        self._windows[stream] = self._first_window
        self._writer.write(data)

    def begin_message(self, stream: int, length: int) -> None:
        """Announces a gRPC message of this length, of which nothing is sent yet."""
        head = b"\0" + length.to_bytes(4, "big")
        self._writer.write(frame(DATA, 0, stream, head))
        self._windows[0] -= len(head)
        self._windows[stream] -= len(head)

    async def send(self, stream: int, count: int) -> int:
        """Sends so many bytes as the other side takes; returns how many those were."""
        sent = 0
        while sent < count and self.is_open(stream):
            room = min(self._windows[0], self._windows[stream], MAX_FRAME, count - sent)
            if room <= 0:
                self._room.clear()
                await self._room.wait()
                continue
            self._writer.write(frame(DATA, 0, stream, b"\0" * room))
            self._windows[0] -= room
            self._windows[stream] -= room
            sent += room
            await self._writer.drain()
        return sent

    async def drain(self) -> None:
        """Waits until what was written is on its way, and lets others work."""
        await self._writer.drain()
        await asyncio.sleep(0)

    async def read(self) -> None:
        """Takes frames until the end, and answers what has to be answered."""
        try:
            while True:
                head = await self._reader.readexactly(9)
                payload = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
                self.take(Frame(head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF, payload))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.is_over = True
            self._room.set()

    def take(self, came: Frame) -> None:
        """One frame of the other side's."""
        if came.kind == SETTINGS and not came.flags & ACK:
            for place in range(0, len(came.payload), 6):
                if int.from_bytes(came.payload[place : place + 2], "big") == 4:
                    window = int.from_bytes(came.payload[place + 2 : place + 6], "big")
                    for stream in self._windows:
                        if stream:
                            self._windows[stream] += window - self._first_window
                    self._first_window = window
            self._writer.write(frame(SETTINGS, ACK, 0))
        elif came.kind == PING and not came.flags & ACK:
            self._writer.write(frame(PING, ACK, 0, came.payload))
        elif came.kind == WINDOW:
            self._windows[came.stream] = self._windows.get(came.stream, 0) + int.from_bytes(came.payload, "big")
        elif came.kind == RESET or (came.kind == HEADERS and came.flags & END_STREAM):
            # Refused: whoever sends on this stream gives up.
            self._windows.pop(came.stream, None)
        elif came.kind == GO_AWAY:
            self.is_over = True
        self._room.set()

    def is_open(self, stream: int) -> bool:
        """Whether the other side has not ended the stream."""
        return stream in self._windows and not self.is_over


def tls(target: Target) -> ssl.SSLContext:
    """TLS as gRPC speaks it, trusting the target's authority."""
    context = ssl.create_default_context(cafile=target.ca_file)
    context.set_alpn_protocols(["h2"])
    return context


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[Connection]:
    """A connection after its preface."""
    reader, writer = await asyncio.open_connection(
        target.host, target.port, ssl=tls(target), server_hostname="localhost"
    )
    writer.write(PREFACE + frame(SETTINGS, 0, 0))
    connection = Connection(reader, writer)
    reading = asyncio.ensure_future(connection.read())
    try:
        yield connection
    finally:
        reading.cancel()
        writer.transport.abort()
        await asyncio.gather(reading, return_exceptions=True)
