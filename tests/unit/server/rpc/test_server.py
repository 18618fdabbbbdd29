"""What gRPC itself is told to bound: nobody else sees a connection before its greeting is over."""

from __future__ import annotations

from typing import Any

import grpc.aio
import pytest
from tests.support.guarded import open_guard

from mxgateway_server.config.sources import load
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
