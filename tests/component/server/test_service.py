"""The service over real gRPC and real worker processes with scripted behaviour."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.support.gateway import LiveGateway, fake_settings, live_gateway

from mxgateway.generated import galaxy_repository_pb2 as gpb
from mxgateway.generated import galaxy_repository_pb2_grpc as gpb_grpc
from mxgateway.generated import mxaccess_gateway_pb2 as pb


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[LiveGateway]:
    async with live_gateway(fake_settings(tmp_path)) as live:
        yield live


async def test_a_session_runs_commands_and_delivers_the_workers_very_bytes(gateway: LiveGateway) -> None:
    session = await gateway.open()
    reply = await gateway.invoke(session, "REGISTER", client_name="test")
    assert reply.register.server_handle == 1
    assert reply.session_id == session
    call = gateway.stub.StreamEventBatches(pb.StreamEventsRequest(session_id=session), metadata=gateway.auth)
    await call.initial_metadata()
    await gateway.ping(session, "emit 3")
    batch = await call.read()
    assert [event.worker_sequence for event in batch.events] == [1, 2, 3]
    assert batch.HasField("gateway_receive_timestamp")
    call.cancel()
    closed = await gateway.close(session)
    assert closed.final_state == pb.SESSION_STATE_CLOSED
    assert (await gateway.close(session)).final_state == pb.SESSION_STATE_CLOSED


async def test_the_single_event_stream_adds_the_receive_time_and_nothing_else(gateway: LiveGateway) -> None:
    session = await gateway.open()
    call = gateway.stub.StreamEvents(pb.StreamEventsRequest(session_id=session), metadata=gateway.auth)
    await call.initial_metadata()
    await gateway.ping(session, "emit 2")
    first, second = await call.read(), await call.read()
    assert (first.worker_sequence, second.worker_sequence) == (1, 2)
    assert first.HasField("gateway_receive_timestamp")
    call.cancel()
    await gateway.close(session)


async def test_health_says_no_while_no_worker_starts(tmp_path: Path) -> None:
    settings = fake_settings(
        tmp_path, worker__command=(sys.executable, "-c", "import sys; sys.exit(3)"), worker__pool_size=1
    )
    async with live_gateway(settings) as live:
        watch = health_pb2_grpc.HealthStub(live.channel).Watch(health_pb2.HealthCheckRequest())
        statuses = set()
        while health_pb2.HealthCheckResponse.NOT_SERVING not in statuses:
            statuses.add((await watch.read()).status)
        watch.cancel()


async def test_without_a_key_every_call_is_unauthenticated(gateway: LiveGateway) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.stub.OpenSession(pb.OpenSessionRequest())
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    call = gateway.stub.StreamEvents(pb.StreamEventsRequest())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_a_worker_that_dies_ends_its_stream_and_calls_with_unavailable(gateway: LiveGateway) -> None:
    session = await gateway.open()
    call = gateway.stub.StreamEvents(pb.StreamEventsRequest(session_id=session), metadata=gateway.auth)
    await call.initial_metadata()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.ping(session, "exit 3")
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.ping(session)
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION


async def test_commands_over_the_command_stream_keep_their_order_and_find_their_replies(gateway: LiveGateway) -> None:
    session = await gateway.open()
    call = gateway.stub.InvokeStream(metadata=gateway.auth)
    commands = [
        pb.MxStreamCommand(
            correlation_id=str(n),
            command=pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand(message=f"p{n}")),
        )
        for n in range(10)
    ]
    await call.write(pb.MxCommandBatch(session_id=session, commands=commands))
    await call.done_writing()
    replies = [reply async for batch in call for reply in batch.replies]
    assert [reply.diagnostic_message for reply in replies] == [f"p{n}" for n in range(10)]
    assert [reply.correlation_id for reply in replies] == [str(n) for n in range(10)]
    await gateway.close(session)


async def test_stopping_ends_streams_with_unavailable_and_leaves_no_worker(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path, worker__pool_size=1)) as live:
        session = await live.open()
        call = live.stub.StreamEvents(pb.StreamEventsRequest(session_id=session), metadata=live.auth)
        await call.initial_metadata()
        live.gateway.request_stop()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(call.read(), 10)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_stopping_does_not_wait_for_streams_that_nobody_ends(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path, protocol__shutdown_grace_seconds=600.0)) as live:
        session = await live.open()
        commands = live.stub.InvokeStream(metadata=live.auth)
        await commands.write(pb.MxCommandBatch(session_id=session))
        await commands.initial_metadata()
        watch = health_pb2_grpc.HealthStub(live.channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        deploys = gpb_grpc.GalaxyRepositoryStub(live.channel).WatchDeployEvents(  # type: ignore[no-untyped-call]
            gpb.WatchDeployEventsRequest(), metadata=live.auth
        )
        # A call that has not come to its handler by then is cancelled by gRPC itself.
        await deploys.initial_metadata()
        live.gateway.request_stop()
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        for call in (commands, watch, deploys):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await asyncio.wait_for(call.read(), 10)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_what_came_before_a_workers_death_is_delivered_before_the_error(gateway: LiveGateway) -> None:
    session = await gateway.open()
    await gateway.ping(session, "emit 5")
    call = gateway.stub.StreamEvents(pb.StreamEventsRequest(session_id=session), metadata=gateway.auth)
    await call.initial_metadata()
    with pytest.raises(grpc.aio.AioRpcError):
        await gateway.ping(session, "exit 1")
    assert [(await call.read()).worker_sequence for _ in range(5)] == [1, 2, 3, 4, 5]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
