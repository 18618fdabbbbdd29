"""The gateway as a client of any language meets it: bare gRPC, standard services, requests that make no sense."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.support.gateway import LiveGateway, bearer, create_key, fake_settings, live_gateway

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.commands import Scope
from mxgateway_server.access.scopes import RPC_SCOPES

UNARY = (
    *("OpenSession", "CloseSession", "Invoke", "TestConnection", "GetLastDeployTime"),
    *("AcknowledgeAlarm", "AcknowledgeAlarms", "ShelveAlarms", "GetAlarmStatistics", "GetAlarmMonitorStatus"),
)
STREAMS = (
    *("StreamEvents", "StreamEventBatches", "WatchDeployEvents"),
    *("StreamAlarms", "StreamAlarmBatches", "QueryActiveAlarms", "QueryAlarmHistory"),
)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[LiveGateway]:
    async with live_gateway(fake_settings(tmp_path, protocol__reflection=True)) as live:
        yield live


async def code_of(call: Any) -> tuple[grpc.StatusCode, str]:
    try:
        await (call.read() if hasattr(call, "read") else call)
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


async def test_bytes_that_are_no_request_are_an_invalid_argument_and_for_strangers_not_even_read(
    gateway: LiveGateway,
) -> None:
    for method in RPC_SCOPES:
        name = method.rpartition("/")[2]
        if name in UNARY:
            make = gateway.channel.unary_unary(method)
        elif name in STREAMS:
            make = gateway.channel.unary_stream(method)
        else:
            continue
        assert (await code_of(make(b"\xff\xff\xff")))[0] == grpc.StatusCode.UNAUTHENTICATED, method
        code, text = await code_of(make(b"\xff\xff\xff", metadata=gateway.auth))
        assert (code, text) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "the request is not the message of this method",
        ), method


async def test_a_method_that_does_not_exist_is_unimplemented(gateway: LiveGateway) -> None:
    call = gateway.channel.unary_unary("/mxaccess_gateway.v1.MxAccessGateway/Nothing")
    assert (await code_of(call(b"", metadata=gateway.auth)))[0] == grpc.StatusCode.UNIMPLEMENTED
    # Nobody maps the gateway without a key.
    assert (await code_of(call(b"")))[0] == grpc.StatusCode.UNAUTHENTICATED
    health = gateway.channel.unary_unary("/grpc.health.v1.Health/Nothing")
    assert (await code_of(health(b"", metadata=gateway.auth)))[0] == grpc.StatusCode.UNIMPLEMENTED


async def test_the_health_service_knows_the_gateway_and_its_services_without_a_key(gateway: LiveGateway) -> None:
    stub = health_pb2_grpc.HealthStub(gateway.channel)  # type: ignore[no-untyped-call]
    for service in ("", "mxaccess_gateway.v1.MxAccessGateway", "galaxy_repository.v1.GalaxyRepository"):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    code, _ = await code_of(stub.Check(health_pb2.HealthCheckRequest(service="nothing")))
    assert code == grpc.StatusCode.NOT_FOUND


async def test_reflection_when_it_is_on_needs_a_key_with_its_scope(gateway: LiveGateway) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(gateway.channel)  # type: ignore[no-untyped-call]
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    narrow = bearer(await create_key(gateway.settings, "narrow", [str(Scope.INVOKE_READ)]))
    for metadata, expected in (((), "UNAUTHENTICATED"), (narrow, "PERMISSION_DENIED")):
        code, _ = await code_of(stub.ServerReflectionInfo(iter([request]), metadata=metadata))
        assert code.name == expected
    answer = await stub.ServerReflectionInfo(iter([request]), metadata=gateway.auth).read()
    assert {each.name for each in answer.list_services_response.service} >= {
        "mxaccess_gateway.v1.MxAccessGateway",
        "galaxy_repository.v1.GalaxyRepository",
        "grpc.health.v1.Health",
    }


def _timeout(seconds: int, nanos: int = 0) -> dict[str, Any]:
    return {"command_timeout": {"seconds": seconds, "nanos": nanos}}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"requested_backend": "nosuch"}, "requested_backend 'nosuch' is not offered here"),
        ({"requested_backend": "x\x1b[2J" + "y" * 100_000}, "requested_backend"),
        (_timeout(0), "command_timeout must be more than 0"),
        (_timeout(-5), "command_timeout must be more than 0"),
        (_timeout(1, -1_500_000_000), "command_timeout must be more than 0"),
        ({"client_session_name": "x" * 201}, "client_session_name"),
        ({"client_session_name": "a\nforged"}, "client_session_name"),
        ({"client_correlation_id": "x" * 201}, "correlation id"),
        ({"client_correlation_id": "a\nforged"}, "correlation id"),
        ({"backpressure_policy": 77}, "backpressure_policy 77 is unknown"),
        ({"backend_options": {str(number): "" for number in range(33)}}, "more than 32"),
        ({"backend_options": {"galaxy": "/etc/passwd"}}, "may not be set here"),
        ({"backend_options": {"galaxy=/etc/passwd": ""}}, "is no name"),
        ({"backend_options": {"": ""}}, "is no name"),
        ({"backend_options": {"start": "x" * 1001}}, "1000 printable characters"),
        ({"backend_options": {"start": "a\x00b"}}, "1000 printable characters"),
    ],
)
async def test_a_session_that_cannot_be_opened_as_wished_is_refused_before_a_worker_starts(
    gateway: LiveGateway, request_: dict[str, Any], words: str
) -> None:
    code, text = await code_of(gateway.stub.OpenSession(pb.OpenSessionRequest(**request_), metadata=gateway.auth))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert words in text
    assert text.isprintable()
    assert len(text) < 300
    assert gateway.status().session_totals.opened == 0


@pytest.mark.parametrize("seconds", [601, 315_576_000_000, 2**62])
async def test_a_time_limit_beyond_the_longest_is_the_longest(gateway: LiveGateway, seconds: int) -> None:
    reply = await gateway.stub.OpenSession(pb.OpenSessionRequest(**_timeout(seconds)), metadata=gateway.auth)
    assert reply.default_command_timeout.ToSeconds() == 600
    await gateway.close(reply.session_id)


async def test_names_and_ids_of_people_are_welcome(gateway: LiveGateway) -> None:
    await gateway.close(await gateway.open(client_session_name="Kessel 7 «süd»", client_correlation_id="цех-1"))
