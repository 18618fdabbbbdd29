"""What somebody without a key costs: connections, time, headers, streams and watches, each with an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.gateway import LiveGateway, fake_settings, live_gateway
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_SETTINGS = b"\0\0\0\4\0\0\0\0\0"
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)
LIST_SESSIONS = "/mxaccess_gateway.v1.MxAccessGateway/ListSessions"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[LiveGateway]:
    settings = fake_settings(
        tmp_path,
        protocol__max_connections_per_address=12,
        protocol__handshake_timeout_seconds=0.5,
        protocol__max_metadata_bytes=2048,
        protocol__max_streams_per_connection=8,
        protocol__max_streams_per_key=6,
        protocol__max_health_watches_per_address=2,
    )
    async with live_gateway(settings) as live:
        # From now on the connection is that of somebody with a key.
        await live.stub.ListSessions(pb.ListSessionsRequest(), metadata=live.auth)
        yield live


@asynccontextmanager
async def stranger(gateway: LiveGateway, greeting: bytes = b"") -> AsyncIterator[asyncio.StreamReader]:
    host, port = gateway.running.endpoints[0].address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(greeting)
        yield reader
    finally:
        writer.transport.abort()


@pytest.mark.parametrize(
    "greeting",
    [b"", PREFACE[:10], PREFACE, PREFACE + NO_SETTINGS, b"\x16\x03\x01\x02\x00\x01"],
    ids=["nothing", "half a preface", "no settings", "no answer to ours", "TLS where there is none"],
)
async def test_whoever_does_not_greet_in_time_is_cut_off(gateway: LiveGateway, greeting: bytes) -> None:
    async with stranger(gateway, greeting) as reader, asyncio.timeout(20):
        while await reader.read(4096):
            pass


async def test_of_too_many_connections_those_of_strangers_go_and_work_goes_on(gateway: LiveGateway) -> None:
    session = await gateway.open()
    connections = gateway.gateway.parts.connections
    async with stranger(gateway) as first:
        strangers = [stranger(gateway) for _ in range(20)]
        for each in strangers:
            await each.__aenter__()
        try:
            await eventually(lambda: connections.closed >= 15)
            async with asyncio.timeout(20):
                # The oldest goes first.
                await first.read()
            assert (await gateway.ping(session, "on")).protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
        finally:
            for each in strangers:
                await each.__aexit__(None, None, None)


async def test_headers_above_the_limit_are_refused_and_the_connection_goes_on(gateway: LiveGateway) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await gateway.stub.ListSessions(pb.ListSessionsRequest(), metadata=(*gateway.auth, ("x-more", "x" * 3000)))
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    await gateway.stub.ListSessions(pb.ListSessionsRequest(), metadata=(*gateway.auth, ("x-more", "x" * 1000)))


async def test_streams_of_a_connection_are_bounded(gateway: LiveGateway) -> None:
    session = await gateway.open()
    streams = []
    for number in range(8):
        # Six of the key's and two that need none.
        stream = gateway.stub.InvokeStream(metadata=gateway.auth) if number < 6 else watch(gateway)
        if number < 6:
            await stream.write(pb.MxCommandBatch(session_id=session))
        await stream.initial_metadata()
        streams.append(stream)
    waiting = asyncio.ensure_future(_list(gateway))
    # It is not sent, so it cannot be answered: this one, which is sent later, is.
    async with grpc.aio.insecure_channel(gateway.running.endpoints[0].address, options=OWN_CONNECTION) as other:
        await other.unary_unary(LIST_SESSIONS)(b"", metadata=gateway.auth)
    assert not waiting.done()
    streams[0].cancel()
    await waiting


async def test_streams_of_a_key_are_bounded_whatever_they_are_and_over_all_connections(gateway: LiveGateway) -> None:
    session = await gateway.open()
    streams = []

    async def begin() -> Any:
        stream = gateway.stub.InvokeStream(metadata=gateway.auth)
        await stream.write(pb.MxCommandBatch(session_id=session))
        await stream.initial_metadata()
        return stream

    streams = [await begin() for _ in range(6)]
    async with grpc.aio.insecure_channel(gateway.running.endpoints[0].address, options=OWN_CONNECTION) as other:
        events = other.unary_stream("/mxaccess_gateway.v1.MxAccessGateway/StreamEvents")
        request = pb.StreamEventsRequest(session_id=session).SerializeToString()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await events(request, metadata=gateway.auth).read()
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "protocol.max_streams_per_key" in (refused.value.details() or "")
    assert (await gateway.ping(session, "on")).diagnostic_message == "on"
    streams[0].cancel()
    await eventually(lambda: gateway.status().live_streams == 5)
    await begin()


async def test_health_watches_of_an_address_are_bounded_and_checks_are_not(gateway: LiveGateway) -> None:
    health: Any = health_pb2_grpc.HealthStub(gateway.channel)  # type: ignore[no-untyped-call]
    watches = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(2)]
    for each in watches:
        assert (await each.read()).status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await health.Watch(health_pb2.HealthCheckRequest()).read()
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "protocol.max_health_watches_per_address" in (refused.value.details() or "")
    assert (await health.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING
    watches[0].cancel()

    async def is_free() -> bool:
        try:
            again = health.Watch(health_pb2.HealthCheckRequest())
            return (await again.read()) is not None
        except grpc.aio.AioRpcError:
            return False

    async with asyncio.timeout(20):
        while not await is_free():
            pass


async def test_a_flood_of_calls_ends_those_of_others_never(gateway: LiveGateway) -> None:
    codes: set[str] = set()

    async def bad(channel: grpc.aio.Channel) -> None:
        try:
            await channel.unary_unary(LIST_SESSIONS)(b"")
        except grpc.aio.AioRpcError as error:
            codes.add(error.code().name)

    async with grpc.aio.insecure_channel(gateway.running.endpoints[0].address, options=OWN_CONNECTION) as channel:
        await asyncio.gather(*(bad(channel) for _ in range(300)), *(_list(gateway) for _ in range(5)))
    # gRPC itself refuses streams of a connection that has too many.
    assert codes <= {"UNAUTHENTICATED", "UNAVAILABLE"}


async def test_more_waiting_calls_than_grpc_holds_by_itself_end_nobody_elses(tmp_path: Path) -> None:
    """From a thousand calls on that wait to be taken, gRPC's server ends some at random, whose they are or not."""
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(live_gateway(fake_settings(tmp_path)))
        address = gateway.running.endpoints[0].address
        channels = [
            await stack.enter_async_context(
                grpc.aio.insecure_channel(address, options=(*OWN_CONNECTION, ("grpc.primary_user_agent", str(number))))
            )
            for number in range(16)
        ]
        await asyncio.gather(*(channel.channel_ready() for channel in channels))
        # All of them are sent before the gateway, on this very loop, can take one.
        calls = [channel.unary_unary(LIST_SESSIONS)(b"") for _ in range(90) for channel in channels]
        honest = [_list(gateway) for _ in range(10)]
        codes = {(await call.code()).name for call in calls}
        assert codes == {"UNAUTHENTICATED"}
        await asyncio.gather(*honest)


def watch(gateway: LiveGateway) -> Any:
    return gateway.channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")


async def _list(gateway: LiveGateway) -> pb.ListSessionsReply:
    reply: pb.ListSessionsReply = await gateway.stub.ListSessions(pb.ListSessionsRequest(), metadata=gateway.auth)
    return reply
