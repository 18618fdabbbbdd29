"""A key that ends, ends everything that it began, at once: calls, command streams, event streams and watches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from tests.support.gateway import (
    USUAL_SCOPES,
    LiveGateway,
    bearer,
    command,
    create_key,
    fake_settings,
    live_gateway,
    open_store,
)
from tests.support.waiting import eventually

from mxgateway.generated import galaxy_repository_pb2 as gpb
from mxgateway.generated import galaxy_repository_pb2_grpc as gpb_grpc
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.constraints import Constraints
from mxgateway_server.upkeep import KEY_CHECK_SECONDS

DEADLINE = 5.0
"""Generous, for busy machines; what keeps the promise of one second is the period of the check."""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[LiveGateway]:
    # The keys are remembered for a minute, so that only the change counter can tell of a change in time.
    async with live_gateway(fake_settings(tmp_path, authentication__cache_seconds=60)) as running:
        yield running


async def change(gateway: LiveGateway, how: str) -> None:
    """What another process does to the key `line`."""
    store = await open_store(gateway.settings)
    try:
        if how == "revoke":
            await store.revoke("line")
        elif how == "rotate":
            await store.rotate("line")
        elif how == "change":
            await store.change("line", constraints=Constraints(read_only=True))
        elif how == "delete":
            await store.revoke("line")
            await store.delete("line")
    finally:
        await store.close()


async def is_refused(gateway: LiveGateway, session: str, auth: Any) -> bool:
    try:
        request = pb.MxCommandRequest(session_id=session, command=command("PING", message="x"))
        await gateway.stub.Invoke(request, metadata=auth)
    except grpc.aio.AioRpcError as error:
        return error.code() is grpc.StatusCode.UNAUTHENTICATED
    return False


async def ends(call: Any) -> grpc.StatusCode:
    """How a stream ends."""
    try:
        while await call.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_the_check_leaves_room_within_a_second() -> None:
    assert KEY_CHECK_SECONDS <= 0.5


@pytest.mark.parametrize("how", ["revoke", "rotate", "delete", "expire"])
async def test_everything_of_a_key_ends_with_it(gateway: LiveGateway, how: str) -> None:
    lasts = {"expires_ns": time.time_ns() + 2_000_000_000} if how == "expire" else {}
    auth = bearer(await create_key(gateway.settings, "line", USUAL_SCOPES, **lasts))
    session = (await gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=auth)).session_id
    commands = gateway.stub.InvokeStream(metadata=auth)
    ping = pb.MxStreamCommand(correlation_id="a", command=command("PING", message="x"))
    await commands.write(pb.MxCommandBatch(session_id=session, commands=[ping]))
    await commands.read()
    events = gateway.stub.StreamEvents(pb.StreamEventsRequest(session_id=session), metadata=auth)
    await events.initial_metadata()
    watch = gpb_grpc.GalaxyRepositoryStub(gateway.channel).WatchDeployEvents(  # type: ignore[no-untyped-call]
        gpb.WatchDeployEventsRequest(), metadata=auth
    )
    await eventually(lambda: gateway.status().live_streams == 3)
    await change(gateway, how)
    async with asyncio.timeout(DEADLINE):
        while not await is_refused(gateway, session, auth):
            continue
        codes = await asyncio.gather(ends(commands), ends(events), ends(watch))
    assert set(codes) == {grpc.StatusCode.UNAUTHENTICATED}
    await eventually(lambda: gateway.status().live_streams == 0)
    # Another secret is the same key's, so what it holds in the plant is; else nobody is left who could ask for it.
    if how == "rotate":
        assert [each.session_id for each in gateway.status().sessions] == [session]
    else:
        await eventually(lambda: not gateway.status().sessions)


async def test_a_changed_key_goes_by_its_new_rights_at_once(gateway: LiveGateway) -> None:
    """What runs with the rights of before ends; a call has those of now, and the session is the key's as before."""
    auth = bearer(await create_key(gateway.settings, "line", USUAL_SCOPES))
    session = (await gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=auth)).session_id
    commands = gateway.stub.InvokeStream(metadata=auth)
    ping = pb.MxStreamCommand(correlation_id="a", command=command("PING", message="x"))
    await commands.write(pb.MxCommandBatch(session_id=session, commands=[ping]))
    await commands.read()
    await change(gateway, "change")
    async with asyncio.timeout(DEADLINE):
        assert await ends(commands) is grpc.StatusCode.UNAUTHENTICATED
    assert not await is_refused(gateway, session, auth)
    write = command("WRITE", server_handle=1, item_handle=1, value=pb.MxValue(int32_value=1))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.stub.Invoke(pb.MxCommandRequest(session_id=session, command=write), metadata=auth)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "read-only" in (caught.value.details() or "")


async def test_a_key_that_was_made_a_moment_ago_is_taken_at_once(gateway: LiveGateway) -> None:
    for number in range(5):
        auth = bearer(await create_key(gateway.settings, f"k{number}", USUAL_SCOPES))
        session = (await gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=auth)).session_id
        await gateway.stub.CloseSession(pb.CloseSessionRequest(session_id=session), metadata=auth)


async def test_other_keys_notice_nothing(gateway: LiveGateway) -> None:
    await create_key(gateway.settings, "line", USUAL_SCOPES)
    session = await gateway.open()
    events = gateway.stub.StreamEvents(pb.StreamEventsRequest(session_id=session), metadata=gateway.auth)
    await events.initial_metadata()
    await change(gateway, "revoke")
    await gateway.perform("check-keys")
    await gateway.ping(session)
    assert gateway.status().live_streams == 1
    events.cancel()
