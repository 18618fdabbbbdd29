"""The floor of Python gives each call what the client gives it, or the client is held against less than its work."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio
from benches.clients.floor_python import CALL_SECONDS, MOST_BYTES, SETTINGS, Invoking

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.options import ClientOptions

OPTIONS = ClientOptions(endpoint="gateway:5120", api_key="mxgw_bench_0123456789abcdef", plaintext=True)


class Stub:
    """Answers, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[pb.MxCommandRequest, dict[str, Any]]] = []

    async def Invoke(self, request: pb.MxCommandRequest, **how: Any) -> pb.MxCommandReply:
        self.asked.append((request, how))
        return pb.MxCommandReply(session_id=request.session_id)


def test_each_call_has_a_deadline_the_key_and_an_id_of_its_own() -> None:
    stub, metadata = Stub(), grpc.aio.Metadata(("authorization", "Bearer key"))
    invoking = Invoking(stub, "session", metadata)

    async def twice() -> None:
        for _ in range(2):
            await invoking.invoke(pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand(message="floor"))

    asyncio.run(twice())
    requests = [request for request, _ in stub.asked]
    assert [each.session_id for each in requests] == ["session"] * 2
    assert [each.command.ping.message for each in requests] == ["floor"] * 2
    assert len({each.client_correlation_id for each in requests} - {""}) == 2
    assert [how for _, how in stub.asked] == [{"timeout": CALL_SECONDS, "metadata": metadata}] * 2


def test_its_limits_are_those_of_a_client_that_was_told_none() -> None:
    assert OPTIONS.call_timeout == CALL_SECONDS
    assert OPTIONS.max_message_bytes == MOST_BYTES
    settings = dict(SETTINGS)
    assert settings["grpc.max_send_message_length"] == settings["grpc.max_receive_message_length"] == MOST_BYTES
    assert OPTIONS.keepalive_time is not None
    assert settings["grpc.keepalive_time_ms"] == round(OPTIONS.keepalive_time * 1000)
    assert settings["grpc.keepalive_timeout_ms"] == round(OPTIONS.keepalive_timeout * 1000)
