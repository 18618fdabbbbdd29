"""The gRPC server: endpoints, limits, keepalive, health and reflection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.config.addresses import address_of_before, join_address, split_address
from mxgateway_server.config.settings import Settings
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.logs import get_logger
from mxgateway_server.rpc.guard import Guard
from mxgateway_server.rpc.health import HealthService
from mxgateway_server.rpc.ports import check_port
from mxgateway_server.rpc.tls import server_credentials

logger = get_logger(__name__)

_SERVING, _NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
_HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
# Beyond its own bound gRPC ends calls at random, be they a flooder's or anybody's. Connections and their streams are
# bounded, and every call that waits is answered.
_NEVER_AT_RANDOM = 1_000_000
TAKEN_SECONDS = 15.0
"""How long an address is waited for that this gateway had before an upgrade. Whoever else got it out of the system's
free ports meanwhile seldom keeps it."""
_TAKEN_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerBounds:
    """Bounds that gRPC itself keeps.

    Attributes:
        connections: connections that it takes.
        streams: calls and streams at once on one connection.
    """

    connections: int
    streams: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the gateway listens.

    Attributes:
        address: HOST:PORT as a client writes it.
        ca_file: what a client may trust; empty without TLS.
        wants_certificate: whether only clients with a certificate get in.
    """

    address: str
    is_tls: bool
    ca_file: str = ""
    wants_certificate: bool = False


class _Handlers:
    """Takes what generated code would register at a server, so that nothing gets past the guard."""

    def __init__(self, handlers: list[grpc.GenericRpcHandler]) -> None:
        self.handlers = handlers

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        self.handlers.extend(handlers)

    def add_registered_method_handlers(self, _service: str, _handlers: object) -> None:
        """The same handlers once more, for servers that look them up by name."""


class RpcServer:
    """The server and its endpoints."""

    def __init__(
        self,
        settings: Settings,
        bounds: ServerBounds,
        guard: Guard,
        handlers: Sequence[tuple[str, grpc.GenericRpcHandler]],
    ) -> None:
        protocol = settings.protocol
        handshake_ms = int(protocol.handshake_timeout_seconds * 1000)
        self._settings = settings
        self._services = list(dict.fromkeys(name for name, _ in handlers))
        self._health = HealthService(protocol.max_health_watches, protocol.max_health_watches_per_address)
        self._is_welcoming = False
        self._told: dict[str, bool] = {}
        self._server = grpc.aio.server(
            options=(
                # Two gateways on one port must be told so, not share the calls.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", protocol.max_grpc_message_bytes),
                ("grpc.max_send_message_length", protocol.max_grpc_message_bytes),
                ("grpc.max_concurrent_streams", bounds.streams),
                ("grpc.max_allowed_incoming_connections", bounds.connections),
                ("grpc.server_handshake_timeout_ms", handshake_ms),
                ("grpc.http2.settings_timeout", handshake_ms),
                # Both, or gRPC refuses at random between the two.
                ("grpc.max_metadata_size", protocol.max_metadata_bytes),
                ("grpc.absolute_max_metadata_size", protocol.max_metadata_bytes),
                ("grpc.server.max_pending_requests", _NEVER_AT_RANDOM),
                ("grpc.server.max_pending_requests_hard_limit", _NEVER_AT_RANDOM),
                ("grpc.keepalive_time_ms", int(protocol.keepalive_seconds * 1000)),
                ("grpc.keepalive_timeout_ms", int(protocol.keepalive_timeout_seconds * 1000)),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", 5000),
                ("grpc.http2.max_ping_strikes", 0),
            ),
        )
        collected = _Handlers([handler for _, handler in handlers])
        health_pb2_grpc.add_HealthServicer_to_server(self._health, collected)
        if protocol.reflection:
            from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

            # `enable_server_reflection` takes whatever is no asyncio server for one with threads.
            names = (*self._services, _HEALTH, reflection.SERVICE_NAME)
            servicer = reflection.aio.ReflectionServicer(names)
            reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, collected)
        self._server.add_generic_rpc_handlers((guard.over(collected.handlers),))

    async def start(
        self, certificate: CertificateKeeper | None, taken: Mapping[str, str] | None = None
    ) -> list[Endpoint]:
        """Listens; the health service says NOT_SERVING until `serving`.

        Args:
            taken: setting → the address that the program before had. Clients look for this gateway there, and sessions
                wait: where somebody else has it at the moment, it is waited for.

        Raises:
            ConfigurationError: an address cannot be bound.
        """
        endpoints = []
        before = taken or {}
        for setting, wanted, wants_certificate in self._settings.tls_endpoints():
            assert certificate is not None
            credentials = server_credentials(certificate, wants_certificate=wants_certificate)
            address = await self._bind_at_last(
                setting, address_of_before(wanted, before.get(setting)), credentials, bool(before)
            )
            endpoints.append(Endpoint(address, True, str(certificate.current.ca_file), wants_certificate))
        if self._settings.listen_plaintext:
            wanted = address_of_before(self._settings.listen_plaintext, before.get("listen_plaintext"))
            address = await self._bind_at_last("listen_plaintext", wanted, None, bool(before))
            endpoints.append(Endpoint(address, False))
        self._set_all(_NOT_SERVING)
        await self._server.start()
        return endpoints

    async def _bind_at_last(
        self, setting: str, address: str, credentials: grpc.ServerCredentials | None, is_awaited: bool
    ) -> str:
        loop = asyncio.get_running_loop()
        end = loop.time() + (TAKEN_SECONDS if is_awaited else 0.0)
        is_told = False
        while True:
            try:
                return self._bind(setting, address, credentials)
            except ConfigurationError as error:
                if loop.time() >= end:
                    raise
                problem = str(error)
            if not is_told:
                logger.warning("address_taken", setting=setting, problem=problem)
                is_told = True
            await asyncio.sleep(_TAKEN_LOOK_SECONDS)

    def _bind(self, setting: str, address: str, credentials: grpc.ServerCredentials | None) -> str:
        host, _ = split_address(address)
        check_port(setting, address)
        try:
            if credentials is None:
                port = self._server.add_insecure_port(address)
            else:
                port = self._server.add_secure_port(address, credentials)
        except RuntimeError:
            port = 0
        if not port:
            raise ConfigurationError(
                f"{setting} = {address} cannot be bound: the port is in use or the address is not this machine's; "
                "choose another, or port 0 for any free one"
            )
        return join_address(host, port)

    async def serving(self) -> None:
        """Tells the world that calls are welcome, from now on as far as `tell_health` lets it."""
        self._is_welcoming = True
        for service in self._names():
            self._health.set(service, _status(self._told.get(service, True)))

    async def not_serving(self) -> None:
        """Tells load balancers to go elsewhere, for good; calls are still answered."""
        self._is_welcoming = False
        self._set_all(_NOT_SERVING)

    async def tell_health(self, serving: dict[str, bool]) -> None:
        """Keeps the health service honest: for each service, whether its calls will be answered."""
        self._told = dict(serving)
        if self._is_welcoming:
            for service, is_serving in serving.items():
                self._health.set(service, _status(is_serving))

    async def stop(self, grace: float) -> None:
        """Takes no more calls, lets those under way end within `grace` seconds."""
        await self._server.stop(grace)

    def _names(self) -> list[str]:
        return list(dict.fromkeys(("", *self._services, *self._told)))

    def _set_all(self, status: health_pb2.HealthCheckResponse.ServingStatus.ValueType) -> None:
        for service in self._names():
            self._health.set(service, status)


def _status(is_serving: bool) -> health_pb2.HealthCheckResponse.ServingStatus.ValueType:
    return _SERVING if is_serving else _NOT_SERVING
