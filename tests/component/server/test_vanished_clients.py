"""Sessions whose clients are gone: they end with the grace, make room for others of their key, and can be listed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from tests.support.clock import ManualClock
from tests.support.gateway import (
    ALL_SCOPES,
    USUAL_SCOPES,
    LiveGateway,
    bearer,
    command,
    create_key,
    fake_settings,
    live_gateway,
)
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_gateway_pb2_grpc as pb_grpc

GRACE = 30.0


@asynccontextmanager
async def gateway_at(tmp_path: Path, clock: ManualClock, **flags: Any) -> AsyncIterator[LiveGateway]:
    # The duties are done by hand: time stands still but for what a test lets pass.
    flags = {"sessions__detach_grace_seconds": GRACE, "sessions__lease_sweep_interval_seconds": 3600.0, **flags}
    async with live_gateway(fake_settings(tmp_path, **flags), USUAL_SCOPES, clock) as gateway:
        yield gateway


@asynccontextmanager
async def client(gateway: LiveGateway) -> AsyncIterator[Any]:
    """A stub with a connection of its own, which is gone when the block ends."""
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.insecure_channel(gateway.running.endpoints[0].address, options=options) as channel:
        yield pb_grpc.MxAccessGatewayStub(channel)  # type: ignore[no-untyped-call]


async def opened(stub: Any, auth: Any, **request: Any) -> str:
    return str((await stub.OpenSession(pb.OpenSessionRequest(**request), metadata=auth)).session_id)


async def only_unary(stub: Any, session: str, auth: Any) -> None:
    ping = pb.MxCommandRequest(session_id=session, command=command("PING", message="here"))
    await stub.Invoke(ping, metadata=auth)


async def with_events(stub: Any, session: str, auth: Any) -> None:
    stream = stub.StreamEvents(pb.StreamEventsRequest(session_id=session), metadata=auth)
    await stream.initial_metadata()


async def with_commands(stub: Any, session: str, auth: Any) -> None:
    stream = stub.InvokeStream(metadata=auth)
    await stream.write(pb.MxCommandBatch(session_id=session))
    await stream.initial_metadata()


async def nothing_at_all(stub: Any, session: str, auth: Any) -> None:
    return None


async def until_gone(gateway: LiveGateway, sessions: int = 1) -> None:
    """Looks at the connections until so many clients are known to be gone."""
    while True:
        listed = (await gateway.stub.ListSessions(pb.ListSessionsRequest(), metadata=gateway.auth)).sessions
        if sum(not each.is_connected for each in listed) == sessions:
            return
        await gateway.perform("watch-connections")


@pytest.mark.parametrize("use", [only_unary, with_events, with_commands, nothing_at_all], ids=lambda use: use.__name__)
async def test_whatever_a_client_did_its_session_ends_with_the_grace_after_it_is_gone(tmp_path: Path, use: Any) -> None:
    clock = ManualClock()
    async with gateway_at(tmp_path, clock) as gateway:
        async with client(gateway) as stub:
            session = await opened(stub, gateway.auth)
            await use(stub, session, gateway.auth)
            clock.advance(10 * GRACE)
            await gateway.perform("watch-connections")
            await gateway.perform("sweep-sessions")
            assert gateway.session(session).state == "ready", "its client is there, however quiet"
        await eventually(lambda: gateway.session(session).attached_streams == 0)
        await until_gone(gateway)
        clock.advance(GRACE - 1)
        await gateway.perform("sweep-sessions")
        assert gateway.session(session).state == "ready"
        clock.advance(1)
        await gateway.perform("sweep-sessions")
        await eventually(lambda: gateway.status().sessions == ())
        assert gateway.status().workers.alive == 0


@pytest.mark.parametrize("use", [only_unary, with_events, nothing_at_all], ids=lambda use: use.__name__)
async def test_a_session_that_its_owner_keeps_waits_for_another_process(tmp_path: Path, use: Any) -> None:
    clock = ManualClock()
    async with gateway_at(tmp_path, clock) as gateway:
        async with client(gateway) as stub:
            session = await opened(stub, gateway.auth, keep_when_disconnected=True)
            await use(stub, session, gateway.auth)
        await until_gone(gateway)
        clock.advance(10 * GRACE)
        await gateway.perform("sweep-sessions")
        async with client(gateway) as stub:
            await only_unary(stub, session, gateway.auth)
        await until_gone(gateway)
        clock.advance(1800)
        await gateway.perform("sweep-sessions")
        await eventually(lambda: gateway.status().sessions == ())


async def test_a_key_at_its_limit_gets_the_place_of_a_client_that_is_gone_and_of_no_other(tmp_path: Path) -> None:
    clock = ManualClock()
    async with gateway_at(tmp_path, clock, sessions__max_sessions=8, sessions__max_sessions_per_key=2) as gateway:
        other = bearer(await create_key(gateway.settings, "other", ALL_SCOPES))
        living = await opened(gateway.stub, gateway.auth)
        async with client(gateway) as stub:
            theirs = await opened(stub, other)
            gone = await opened(stub, gateway.auth, client_session_name="crashes")
        with pytest.raises(grpc.aio.AioRpcError, match="max_sessions_per_key"):
            await gateway.open()
        await until_gone(gateway)
        clock.advance(2.0)
        fresh = await gateway.open()
        await eventually(lambda: gone not in {each.session_id for each in gateway.status().sessions})
        assert {each.session_id for each in gateway.status().sessions} == {living, theirs, fresh}
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.open()
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.aio.AioRpcError, match="made-room"):
            await gateway.ping(gone)


async def test_one_key_cannot_take_the_places_of_all_others(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path, sessions__max_sessions=4)) as gateway:
        other = bearer(await create_key(gateway.settings, "other", ALL_SCOPES))
        for _ in range(3):
            await gateway.open()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.open()
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "max_sessions_per_key" in str(caught.value.details())
        await opened(gateway.stub, other)


async def test_a_list_has_ones_own_sessions_and_all_for_an_admin(tmp_path: Path) -> None:
    clock = ManualClock()
    async with gateway_at(tmp_path, clock) as gateway:
        other = bearer(await create_key(gateway.settings, "other", USUAL_SCOPES))
        admin = bearer(await create_key(gateway.settings, "admin", ALL_SCOPES))
        mine = await opened(gateway.stub, gateway.auth, client_session_name="mine", keep_when_disconnected=True)
        clock.advance(5)
        theirs = await opened(gateway.stub, other)

        async def listed(auth: Any, **request: Any) -> pb.ListSessionsReply:
            reply: pb.ListSessionsReply = await gateway.stub.ListSessions(
                pb.ListSessionsRequest(**request), metadata=auth
            )
            return reply

        reply = await listed(gateway.auth)
        (one,) = reply.sessions
        assert (one.session_id, one.client_session_name, one.owner_key_id) == (mine, "mine", "tester")
        assert (one.state, one.is_own, one.is_connected) == (pb.SESSION_STATE_READY, True, True)
        assert one.keep_when_disconnected
        assert one.idle_time.seconds == 5
        assert one.backend_name == "fake"
        assert (reply.max_sessions, reply.max_sessions_of_key) == (64, 48)
        assert [(each.session_id, each.is_own) for each in (await listed(admin)).sessions] == [
            (mine, False),
            (theirs, False),
        ]
        assert (await listed(admin, own_only=True)).sessions == []
        await gateway.stub.CloseSession(pb.CloseSessionRequest(session_id=theirs), metadata=admin)
        assert (await listed(other)).sessions == []


async def test_a_failed_session_is_listed_with_its_cause(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        session = await gateway.open()
        with pytest.raises(grpc.aio.AioRpcError):
            await gateway.ping(session, "fault hung")
        (one,) = (await gateway.stub.ListSessions(pb.ListSessionsRequest(), metadata=gateway.auth)).sessions
        assert (one.state, one.fault_reason) == (pb.SESSION_STATE_FAULTED, "WORKER_HUNG")
        assert "hangs" in one.fault_message


async def test_a_key_that_may_neither_open_nor_close_sessions_sees_none(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        reader = bearer(await create_key(gateway.settings, "reader", ["invoke:read"]))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.stub.ListSessions(pb.ListSessionsRequest(), metadata=reader)
        assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
