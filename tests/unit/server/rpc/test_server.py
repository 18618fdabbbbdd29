"""What gRPC itself is told to bound: nobody else sees a connection before its greeting is over."""

from __future__ import annotations

from typing import Any

import grpc.aio
import pytest
from tests.support.guarded import open_guard

from mxgateway_server.config.sources import load
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.rpc import server as rpc_server
from mxgateway_server.rpc.server import RpcServer, ServerBounds


class Told:
    """A server of gRPC's that only remembers what it was told."""

    options: dict[str, Any]

    def __init__(self, *, options: Any) -> None:
        Told.options = dict(options)

    def add_generic_rpc_handlers(self, _: Any) -> None:
        """Serves nothing."""


async def test_grpc_itself_keeps_the_bounds_that_only_it_can_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc.aio, "server", Told)
    settings = load(None, {"protocol.handshake_timeout_seconds": 3.0, "protocol.max_metadata_bytes": 4096})
    RpcServer(settings, ServerBounds(connections=70, streams=30), open_guard(), [])
    wanted = {
        # TLS, and what comes behind it.
        "grpc.server_handshake_timeout_ms": 3000,
        "grpc.http2.settings_timeout": 3000,
        "grpc.max_allowed_incoming_connections": 70,
        "grpc.max_concurrent_streams": 30,
        "grpc.max_metadata_size": 4096,
        "grpc.absolute_max_metadata_size": 4096,
        "grpc.max_receive_message_length": settings.protocol.max_grpc_message_bytes,
        "grpc.so_reuseport": 0,
    }
    assert {name: Told.options.get(name) for name in wanted} == wanted
    # Beyond these gRPC would end calls at random.
    assert Told.options["grpc.server.max_pending_requests"] >= 1_000_000
    assert Told.options["grpc.server.max_pending_requests_hard_limit"] >= 1_000_000


class Port:
    """An address that somebody else has for so many looks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
        self.looks = looks
        monkeypatch.setattr(rpc_server, "check_port", self._check)
        monkeypatch.setattr(rpc_server, "_TAKEN_LOOK_SECONDS", 0.0)

    def _check(self, setting: str, address: str) -> None:
        self.looks -= 1
        if self.looks >= 0:
            raise ConfigurationError(f"{setting} = {address} cannot be bound: another program has it")


def plain_server() -> RpcServer:
    settings = load(None, {"listen": "", "listen_plaintext": "127.0.0.1:0"})
    return RpcServer(settings, ServerBounds(connections=70, streams=30), open_guard(), [])


async def test_after_an_upgrade_an_address_that_somebody_has_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions wait behind it, and a port out of the system's free ones is soon free again."""
    port = Port(monkeypatch, looks=3)
    server = plain_server()
    (endpoint,) = await server.start(None, {"listen_plaintext": "127.0.0.1:0"})
    assert port.looks < 0
    assert endpoint.address.startswith("127.0.0.1:")
    await server.stop(0)


async def test_it_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    Port(monkeypatch, looks=1_000_000)
    monkeypatch.setattr(rpc_server, "TAKEN_SECONDS", 0.05)
    with pytest.raises(ConfigurationError, match="another program has it"):
        await plain_server().start(None, {"listen_plaintext": "127.0.0.1:0"})


async def test_a_start_says_at_once_that_an_address_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    port = Port(monkeypatch, looks=2)
    with pytest.raises(ConfigurationError, match="another program has it"):
        await plain_server().start(None)
    assert port.looks == 1
