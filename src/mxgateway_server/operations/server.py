"""HTTP inside the gateway's own loop: uvicorn's protocol on sockets that the gateway binds, begun and ended by it.

uvicorn as such takes the process's signals, ends the process when a port is taken, and looks ten times a second
whether it should stop. Here it does none of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.config.addresses import split_address
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.logs import get_logger
from mxgateway_server.open_files import OF_OPERATIONS
from mxgateway_server.operations.tls import server_context
from mxgateway_server.rpc.ports import check_port

logger = get_logger(__name__)

REQUEST_SECONDS = 15.0
"""How long a client may take to send a request, or to send the first after connecting."""
KEEP_ALIVE_SECONDS = 20
MAX_HEAD_BYTES = 32 * 1024
GRACE_SECONDS = 3


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


class _Protocol(H11Protocol):
    """Ends a connection that is one too many, or that does not come to the end of its request."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > OF_OPERATIONS:
            transport.abort()
            return
        self._wait_for_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state in (h11.DONE, h11.MUST_CLOSE):
            self._forget_deadline()
        else:
            self._wait_for_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def _wait_for_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.abort)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Server(uvicorn.Server):
    """Leaves signals alone, and waits to be told to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        # Once, for the headers of every answer.
        await self.on_tick(0)
        await self._told.wait()

    def stop(self) -> None:
        self.should_exit = True
        self._told.set()


class OperationsServer:
    """The listener for HTTP, a part of the gateway.

    Args:
        endpoints: where it listens.
        certificate: what endpoints with TLS present, the newest at each handshake; None when none has TLS.

    Attributes:
        ending: set when the gateway stops. Whoever answers with a stream has to end it then: uvicorn tells it nothing.
    """

    def __init__(self, endpoints: Sequence[HttpEndpoint], certificate: CertificateKeeper | None) -> None:
        self._endpoints = endpoints
        self._certificate = certificate
        self._bound: list[tuple[_Server, list[socket.socket]]] = []
        self.ending = asyncio.Event()

    def start(self) -> list[str]:
        """Binds every address, and says under which URLs the gateway is found.

        Raises:
            ConfigurationError: an address that the operator asked for cannot be bound.
        """
        urls = []
        for endpoint in self._endpoints:
            try:
                sockets = _bind(endpoint.setting, endpoint.address)
            except ConfigurationError as error:
                if endpoint.is_asked_for:
                    self.close()
                    raise
                logger.warning("operations_not_listening", problem=str(error))
                continue
            self._bound.append((_Server(self._config(endpoint)), sockets))
            urls.append(_url(endpoint, sockets[0].getsockname()[1]))
            logger.info("operations_listening", url=urls[-1])
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

    async def stop(self) -> None:
        self.ending.set()
        for server, _ in self._bound:
            server.stop()

    def _config(self, endpoint: HttpEndpoint) -> uvicorn.Config:
        config = uvicorn.Config(
            endpoint.app,
            http=_Protocol,
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
        if endpoint.is_tls:
            assert self._certificate is not None
            config.ssl = server_context(self._certificate)
        return config


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
        made.listen(128)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


def _url(endpoint: HttpEndpoint, port: int) -> str:
    host, _ = split_address(endpoint.address)
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if endpoint.is_tls else 'http'}://{shown}:{port}"
