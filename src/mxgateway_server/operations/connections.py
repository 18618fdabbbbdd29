"""One connection of the HTTP listener: counted before it greets, bounded in time whatever it does, and let go."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any, TypeAlias

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from mxgateway_server.operations.door import Door, Guest
from mxgateway_server.operations.turnstile import Turnstile

HANDSHAKE_SECONDS = 10.0
"""How long a client may take to agree on TLS."""
REQUEST_SECONDS = 15.0
"""How long a client may take to send a request, or to send the first after connecting."""
STALL_SECONDS = 20.0
"""How long a client may take nothing of an answer that waits for it; longer than a live stream waits by itself."""
FLUSH_SECONDS = 5.0
"""How long a connection that is to be closed may still take its last bytes."""

Make: TypeAlias = Callable[[Guest], asyncio.Protocol]


class GuestProtocol(H11Protocol):
    """HTTP on one connection.

    The state of each request's scope holds `introduce`, to say who is signed in, and `abort`.

    Args:
        door: who may stay.
        guest: this connection there.
        turnstile: what strangers go through.
    """

    def __init__(self, *arguments: Any, door: Door, guest: Guest, turnstile: Turnstile, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._turnstile = turnstile
        self._door = door
        self._guest = guest
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_EndingTransport(transport, self.loop))  # type: ignore[arg-type]
        self._guest.end = transport.abort
        self.app_state = {
            "introduce": lambda name: self._door.introduce(self._guest, name),
            "abort": transport.abort,
        }
        if self._guest not in self._door:
            transport.abort()
        self._wait_for_request()

    def data_received(self, data: bytes) -> None:
        if self._guest.name:
            self._take(data)
        elif not self._turnstile.enter(lambda: self._take(data, is_late=True)):
            # One at a time of each stands in line.
            self.transport.pause_reading()

    def _take(self, data: bytes, *, is_late: bool = False) -> None:
        if self.transport.is_closing():
            return
        if is_late and not self.flow.read_paused:
            self.transport.resume_reading()
        super().data_received(data)
        if self.conn.their_state in (h11.DONE, h11.MUST_CLOSE):
            self._forget_deadline()
        else:
            self._wait_for_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALL_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._forget_stall()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        self._forget_stall()
        self._door.leave(self._guest)
        super().connection_lost(exc)

    def _wait_for_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _forget_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


async def greet(connected: socket.socket, door: Door, context: ssl.SSLContext | None, make: Make) -> None:
    """Takes a connection from its first moment on, and counts it: TLS may take its time.

    Args:
        connected: the connection.
        door: who may stay.
        context: of TLS; None for none.
        make: makes the protocol of a connection that has greeted.
    """
    guest = Guest(_address(connected), lambda: _shut(connected))
    door.enter(guest)
    has_greeted = False
    limits = {"ssl_handshake_timeout": HANDSHAKE_SECONDS, "ssl_shutdown_timeout": FLUSH_SECONDS} if context else {}
    try:
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: make(guest), connected, ssl=context, **limits)
        has_greeted = True
    except (OSError, EOFError):
        pass  # whoever it was has gone, or speaks no TLS
    finally:
        if not has_greeted:
            door.leave(guest)
            connected.close()


def _shut(connected: socket.socket) -> None:
    # The loop reads the end of it then, and closes it in order.
    with contextlib.suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


class _EndingTransport:
    """A transport that, once it is closed, waits no longer than a while for who takes nothing any more."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop

    def close(self) -> None:
        if not self._transport.is_closing():
            self._transport.close()
            if self._transport.get_write_buffer_size():
                self._loop.call_later(FLUSH_SECONDS, self._transport.abort)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _address(connected: socket.socket) -> str:
    try:
        return str(connected.getpeername()[0])
    except OSError:
        return ""
