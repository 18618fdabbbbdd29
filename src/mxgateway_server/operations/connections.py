"""One connection of the HTTP listener: counted before it greets, bounded in time whatever it does, and let go."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from mxgateway_server.operations.door import Door, Guest
from mxgateway_server.operations.turnstile import Turnstile
from mxgateway_server.rpc.surplus import origin

HANDSHAKE_SECONDS = 10.0
"""How long a client may take to agree on TLS."""
REQUEST_SECONDS = 15.0
"""How long a client may take to send a request, or to send the first after connecting."""
STALL_SECONDS = 20.0
"""How long a client may take nothing of an answer that waits for it; longer than a live stream waits by itself."""
FLUSH_SECONDS = 5.0
"""How long a connection that is to be closed may still take its last bytes."""
MOST_HEADERS = 100
"""Header lines of a request; browsers send twenty, proxies add some."""
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_TOO_MANY_HEADERS = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

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
        self._stands_in_line = False
        self._has_begun = False

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

    def handle_events(self) -> None:
        """Answers what has come; strangers' requests in turns, those that came before they were asked for too."""
        if self._guest.name or not self.conn.trailing_data[0]:
            self._go_on()
        elif not self._stands_in_line:
            self._stands_in_line = True
            # The pieces of a long request come in one after the other, and would always be the youngest.
            is_first, self._has_begun = not self._has_begun, True
            if not self._turnstile.enter(self._go_on, self._guest.address, is_first=is_first):
                # One at a time of each stands in line.
                self.transport.pause_reading()
                # Whoever sends his request in pieces lets the gateway wait, however many of them stand in line.
                self._guest.waits = is_first

    def _go_on(self) -> None:
        was_in_line, self._stands_in_line = self._stands_in_line, False
        self._guest.waits = False
        if self.transport.is_closing():
            return
        if was_in_line and not self.flow.read_paused:
            self.transport.resume_reading()
        if self.conn.their_state is h11.IDLE and self._has_too_many_headers():
            self.transport.write(_TOO_MANY_HEADERS)
            self.transport.close()
            return
        super().handle_events()
        if self.conn.their_state in (h11.DONE, h11.MUST_CLOSE):
            self._guest.waits = True
            self._forget_deadline()
        else:
            self._wait_for_request()

    def _has_too_many_headers(self) -> bool:
        # Each costs h11 microseconds, and thousands fit into the bytes that are allowed.
        head = _END_OF_HEAD.split(self.conn.trailing_data[0], maxsplit=1)[0]
        return head.count(b"\n") > MOST_HEADERS

    def on_response_complete(self) -> None:
        self._door.heard(self._guest)
        super().on_response_complete()

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


async def greet(
    connected: socket.socket, door: Door, turnstile: Turnstile, context: ssl.SSLContext | None, make: Make
) -> None:
    """Takes a connection from its first moment on, and counts it: TLS may take its time.

    Args:
        connected: the connection.
        door: who may stay.
        turnstile: what greetings in TLS go through; each takes a millisecond of the loop.
        context: of TLS; None for none.
        make: makes the protocol of a connection that has greeted.
    """
    task = asyncio.current_task()
    assert task is not None
    guest = Guest(_address(connected), lambda: _cancel(task))
    door.enter(guest)
    has_greeted = False
    try:
        loop = asyncio.get_running_loop()
        limits = {}
        if context is not None:
            until = loop.time() + HANDSHAKE_SECONDS
            async with asyncio.timeout_at(until):
                await _first_word(loop, connected)
                guest.waits = True
                await turnstile.passed(guest.address)
                guest.waits = False
            limits = {"ssl_handshake_timeout": max(0.1, until - loop.time()), "ssl_shutdown_timeout": FLUSH_SECONDS}
        guest.end = lambda: _shut(connected)
        await loop.connect_accepted_socket(lambda: make(guest), connected, ssl=context, **limits)
        has_greeted = True
    except (OSError, EOFError):
        pass  # whoever it was has gone, is too late, or speaks no TLS
    finally:
        if not has_greeted:
            door.leave(guest)
            connected.close()


async def _first_word(loop: asyncio.AbstractEventLoop, connected: socket.socket) -> None:
    """Waits until there is something to read: nothing is made for who says nothing."""
    if sys.platform == "win32":
        return  # its loop cannot look without taking
    said = loop.create_future()

    def it_has_come() -> None:
        if not said.done():
            said.set_result(None)

    loop.add_reader(connected, it_has_come)
    try:
        await said
    finally:
        loop.remove_reader(connected)


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()


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
        return origin(str(connected.getpeername()[0]))
    except OSError:
        return ""
