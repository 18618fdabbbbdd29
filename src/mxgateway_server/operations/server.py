"""HTTP inside the gateway's own loop: uvicorn's protocol on sockets that the gateway binds, begun and ended by it.

uvicorn as such takes the process's signals, ends the process when a port is taken, and looks ten times a second
whether it should stop. Here it does none of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.config.addresses import address_of_before, join_address, split_address
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.logs import get_logger
from mxgateway_server.open_files import OF_OPERATIONS
from mxgateway_server.operations.connections import GuestProtocol, greet
from mxgateway_server.operations.door import Door, Guest
from mxgateway_server.operations.tls import server_context
from mxgateway_server.operations.turnstile import Turnstile
from mxgateway_server.parts import work_until
from mxgateway_server.rpc.ports import check_port

logger = get_logger(__name__)

KEEP_ALIVE_SECONDS = 20
MAX_HEAD_BYTES = 32 * 1024
GRACE_SECONDS = 3
BACKLOG = 1024
"""Connections that wait to be taken; beyond it the system lets clients try again a second later."""
ACCEPTED_A_TURN = 32
"""Connections taken in one turn of the event loop, each in a twentieth of a millisecond."""
ACCEPT_AGAIN_SECONDS = 1.0
"""After the system gave no connection: it has no file left, perhaps."""
BIND_AGAIN_SECONDS = 1.0
"""Between two looks at an address that somebody else has after an upgrade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpEndpoint:
    """Where HTTP is offered, and what.

    Attributes:
        setting: name of the setting that says the address.
        address: HOST:PORT; port 0 for any free one.
        is_tls: whether it presents the gateway's certificate.
        is_asked_for: whether the operator named it; a default that cannot be bound is told, and the gateway goes on.
        app: what answers.
    """

    setting: str
    address: str
    is_tls: bool
    is_asked_for: bool
    app: ASGIApp


class _Server(uvicorn.Server):
    """Leaves signals alone, counts connections from their first moment on, and waits to be told to stop."""

    def __init__(
        self, config: uvicorn.Config, door: Door, turnstile: Turnstile, context: ssl.SSLContext | None
    ) -> None:
        super().__init__(config)
        self._turnstile = turnstile
        self.servers = []
        self._told = asyncio.Event()
        self._door = door
        self._context = context
        self._sockets: list[socket.socket] = []

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._sockets = sockets or []
        self.started = True

    async def main_loop(self) -> None:
        # Once, for the headers of every answer.
        await self.on_tick(0)
        await work_until(self._told, *(self._accept(each) for each in self._sockets))

    def stop(self) -> None:
        self.should_exit = True
        self._told.set()

    async def _accept(self, listening: socket.socket) -> None:
        """Takes connections without end; asyncio's own server does not count those that have not greeted."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as greetings:
            for number in itertools.count(1):
                try:
                    connected, _ = await loop.sock_accept(listening)
                except ConnectionError:
                    continue  # it ended before it was taken
                except OSError as error:
                    logger.warning("operations_cannot_accept", error=error)
                    await asyncio.sleep(ACCEPT_AGAIN_SECONDS)
                    continue
                greeting = greet(connected, self._door, self._turnstile, self._context, self._protocol)
                greetings.create_task(greeting)
                # In turns with everything else, however many wait.
                if number % ACCEPTED_A_TURN == 0:
                    await asyncio.sleep(0)
                # Those that are taken beyond what can soon be greeted would only drive each other out.
                await self._turnstile.soon()

    def _protocol(self, guest: Guest) -> asyncio.Protocol:
        turnstile = self._turnstile
        return GuestProtocol(self.config, self.server_state, {}, door=self._door, guest=guest, turnstile=turnstile)


class OperationsServer:
    """The listener for HTTP, a part of the gateway.

    Args:
        endpoints: where it listens.
        certificate: what endpoints with TLS present, the newest at each handshake; None when none has TLS.

    Attributes:
        door: who is connected.
        addresses: setting → HOST:PORT where it listens, or will as soon as it can.
        ending: set when the gateway stops. Whoever answers with a stream has to end it then: uvicorn tells it nothing.
    """

    def __init__(self, endpoints: Sequence[HttpEndpoint], certificate: CertificateKeeper | None) -> None:
        self._endpoints = endpoints
        self._certificate = certificate
        self._bound: list[tuple[_Server, list[socket.socket]]] = []
        self._awaited: list[HttpEndpoint] = []
        # One for all addresses: they share the files that are kept for them.
        self.door = Door(OF_OPERATIONS)
        self._turnstile = Turnstile()
        self.ending = asyncio.Event()
        self.addresses: dict[str, str] = {}

    def start(self, taken: Mapping[str, str] | None = None) -> list[str]:
        """Binds every address, and says under which URLs the gateway is found.

        Args:
            taken: setting → the address that the program before had; empty unless this is an upgrade. Then sessions
                depend on this start: an address that cannot be bound ends nothing, `run` looks for it again and again.

        Raises:
            ConfigurationError: an address that the operator asked for cannot be bound, and this is no upgrade.
        """
        urls = []
        for wanted in self._endpoints:
            endpoint = replace(wanted, address=address_of_before(wanted.address, (taken or {}).get(wanted.setting)))
            try:
                sockets = _bind(endpoint.setting, endpoint.address)
            except ConfigurationError as error:
                if taken and (endpoint.is_asked_for or endpoint.setting in taken):
                    logger.warning("address_taken", setting=endpoint.setting, problem=str(error))
                    self._awaited.append(endpoint)
                    self.addresses[endpoint.setting] = endpoint.address
                    continue
                if endpoint.is_asked_for:
                    self.close()
                    raise
                logger.warning("operations_not_listening", problem=str(error))
                continue
            urls.append(self._offer(endpoint, sockets))
        return urls

    def close(self) -> None:
        """Lets go of addresses that were bound and never served."""
        for _, sockets in self._bound:
            for each in sockets:
                each.close()
        self._bound.clear()

    async def run(self) -> None:
        """Answers until `stop`."""
        async with asyncio.TaskGroup() as group:
            for server, sockets in self._bound:
                group.create_task(server.serve(sockets), name="http")
            for endpoint in self._awaited:
                group.create_task(self._serve_at_last(endpoint), name="http-awaited")

    async def _serve_at_last(self, endpoint: HttpEndpoint) -> None:
        while not self.ending.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BIND_AGAIN_SECONDS):
                    await self.ending.wait()
                return
            try:
                # Calls go on meanwhile: to look a name up may take seconds, each time.
                bound = await asyncio.to_thread(_bind, endpoint.setting, endpoint.address)
            except ConfigurationError:
                continue  # told at the start
            if self.ending.is_set():
                for each in bound:
                    each.close()
                return
            self._offer(endpoint, bound)
            server, sockets = self._bound[-1]
            await server.serve(sockets)
            return

    def _offer(self, endpoint: HttpEndpoint, sockets: list[socket.socket]) -> str:
        server = _Server(self._config(endpoint), self.door, self._turnstile, self._context(endpoint))
        self._bound.append((server, sockets))
        host, _ = split_address(endpoint.address)
        address = self.addresses[endpoint.setting] = join_address(host, sockets[0].getsockname()[1])
        url = f"{'https' if endpoint.is_tls else 'http'}://{address}"
        logger.info("operations_listening", url=url)
        return url

    async def stop(self) -> None:
        self.ending.set()
        for server, _ in self._bound:
            server.stop()

    def _config(self, endpoint: HttpEndpoint) -> uvicorn.Config:
        config = uvicorn.Config(
            endpoint.app,
            http=GuestProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            # It trusts the loopback by default.
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )
        config.load()
        return config

    def _context(self, endpoint: HttpEndpoint) -> ssl.SSLContext | None:
        if not endpoint.is_tls:
            return None
        assert self._certificate is not None
        return server_context(self._certificate)


def _bind(setting: str, address: str) -> list[socket.socket]:
    check_port(setting, address)
    host, port = split_address(address)
    bound: list[socket.socket] = []
    try:
        for family, kind, _, _, place in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            # Of any free port, the second address has to have the same as the first.
            wanted: Any = (place[0], port or (bound[0].getsockname()[1] if bound else 0), *place[2:])
            with contextlib.suppress(OSError):
                bound.append(_listening(family, kind, wanted))
    except OSError:
        bound.clear()
    if not bound:
        raise ConfigurationError(f"{setting} = {address} cannot be bound; choose another address, or port 0")
    return bound


def _listening(family: int, kind: int, place: Any) -> socket.socket:
    made = socket.socket(family, kind)
    try:
        if sys.platform == "win32":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(place)
        # Who comes before `run` waits for it.
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made
