"""Who may do what: every method and kind with the wrong scope, other people's sessions, limited keys, the audit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from tests.support.gateway import (
    ALL_SCOPES,
    LiveGateway,
    bearer,
    command,
    create_key,
    fake_settings,
    live_gateway,
    open_store,
)
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.authenticator import ANYONE
from mxgateway_server.access.constraints import Constraints
from mxgateway_server.galaxy import GalaxyComponent


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[LiveGateway]:
    async with live_gateway(fake_settings(tmp_path)) as live:
        yield live


def reason(error: grpc.aio.AioRpcError) -> str:
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    assert status is not None
    assert status.details[0].Unpack(info)
    return str(info.reason)


async def test_another_key_can_neither_use_nor_resume_nor_close_a_session_but_an_admin_can(
    gateway: LiveGateway,
) -> None:
    everything_but_admin = [scope for scope in ALL_SCOPES if scope != "admin"]
    owner = bearer(await create_key(gateway.settings, "owner", everything_but_admin))
    other = bearer(await create_key(gateway.settings, "other", everything_but_admin))
    session = (await gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=owner)).session_id
    ping = pb.MxCommandRequest(session_id=session, command=command("PING"))
    for attempt in (
        lambda: gateway.stub.Invoke(ping, metadata=other),
        lambda: gateway.stub.CloseSession(pb.CloseSessionRequest(session_id=session), metadata=other),
        lambda: gateway.stub.StreamEvents(
            pb.StreamEventsRequest(session_id=session, after_worker_sequence=1), metadata=other
        ).read(),
        lambda: gateway.stub.InvokeStream(iter([pb.MxCommandBatch(session_id=session)]), metadata=other).read(),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await attempt()
        assert (caught.value.code(), reason(caught.value)) == (
            grpc.StatusCode.PERMISSION_DENIED,
            "SESSION_OWNER_MISMATCH",
        )
    await gateway.stub.Invoke(ping, metadata=gateway.auth)
    await gateway.stub.CloseSession(pb.CloseSessionRequest(session_id=session), metadata=owner)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.stub.CloseSession(pb.CloseSessionRequest(session_id=session), metadata=other)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_a_limited_key_reads_and_writes_its_tags_only_and_all_of_it_is_in_the_audit(
    gateway: LiveGateway,
) -> None:
    limits = Constraints(read_tag_globs=("Tank*.PV", "Oven*.PV"), write_tag_globs=("Tank*.PV",))
    scopes = ["session:open", "session:close", "invoke:read", "invoke:write"]
    key = bearer(await create_key(gateway.settings, "limited", scopes, limits))
    session = (await gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=key)).session_id

    async def invoke(kind: str, **payload: Any) -> pb.MxCommandReply:
        request = pb.MxCommandRequest(session_id=session, command=command(kind, **payload))
        reply: pb.MxCommandReply = await gateway.stub.Invoke(request, metadata=(*key, ("x-correlation-id", "c-1")))
        return reply

    tank = (await invoke("ADD_ITEM", server_handle=1, item_definition="Tank1.PV")).add_item.item_handle
    oven = (await invoke("ADD_ITEM", server_handle=1, item_definition="Oven1.PV")).add_item.item_handle
    value = pb.MxValue(string_value="SENTINEL-VALUE")
    await invoke("WRITE", server_handle=1, item_handle=tank, value=value)
    for kind, payload in (
        ("ADD_ITEM", {"item_definition": "Secret.PV"}),
        ("WRITE", {"item_handle": oven, "value": value}),
        ("WRITE", {"item_handle": 999, "value": value}),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await invoke(kind, server_handle=1, **payload)
        assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
    reply = await invoke("SUBSCRIBE_BULK", server_handle=1, tag_addresses=["Secret.A", "Tank2.PV", "Secret.B"])
    assert [(r.tag_address, r.was_successful) for r in reply.subscribe_bulk.results] == [
        ("Secret.A", False),
        ("Tank2.PV", True),
        ("Secret.B", False),
    ]
    tank2 = reply.subscribe_bulk.results[1].item_handle
    entries = [pb.WriteBulkEntry(item_handle=handle, value=value) for handle in (oven, tank2)]
    reply = await invoke("WRITE_BULK", server_handle=1, entries=entries)
    assert [result.was_successful for result in reply.write_bulk.results] == [False, True]
    reply = await invoke("READ_BULK", server_handle=1, tag_addresses=["Secret.A"])
    assert "may not read" in reply.read_bulk.results[0].error_message
    await gateway.stub.CloseSession(pb.CloseSessionRequest(session_id=session), metadata=key)

    store = await open_store(gateway.settings)
    try:
        records = []

        async def written() -> bool:
            records[:] = await store.read_audit(key_id="limited", limit=1000)
            return len(records) >= 9

        for _ in range(500):
            if await written():
                break
        seen = [(record.event, record.target, record.outcome) for record in records[1:]]
        assert seen == [
            ("write", "Tank1.PV", "accepted"),
            ("denied", "Secret.PV", "permission-denied"),
            ("denied", "Oven1.PV", "permission-denied"),
            ("denied", "?", "permission-denied"),
            ("denied", "Secret.A", "permission-denied"),
            ("denied", "Oven1.PV", "permission-denied"),
            ("write", "Tank2.PV", "accepted"),
            ("denied", "Secret.A", "permission-denied"),
        ]
        # However many tags of one command are refused, it is one record.
        assert records[5].details["count"] == 2
        assert records[5].details["targets"] == ["Secret.A", "Secret.B"]
        assert {record.correlation_id for record in records[1:]} == {"c-1"}
        assert {record.session_id for record in records[1:]} == {session}
        assert "SENTINEL-VALUE" not in repr(records)
    finally:
        await store.close()


async def test_a_limited_keys_session_opens_once_the_galaxy_has_been_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then its tags cannot be judged: whoever comes back right after a start would be refused."""
    asked, read = asyncio.Event(), asyncio.Event()

    async def settled(_: GalaxyComponent) -> bool:
        asked.set()
        return await read.wait()

    monkeypatch.setattr(GalaxyComponent, "settled", settled)
    async with live_gateway(fake_settings(tmp_path)) as gateway, asyncio.timeout(20):
        await gateway.open()
        assert not asked.is_set()
        key = bearer(
            await create_key(gateway.settings, "limited", ["session:open"], Constraints(write_tag_globs=("Tank.*",)))
        )
        opening = gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=key)
        await asked.wait()
        assert not opening.done()
        read.set()
        assert (await opening).session_id


async def test_a_freed_handle_opens_no_way_to_another_tag_for_commands_behind_it(gateway: LiveGateway) -> None:
    limits = Constraints(write_tag_globs=("Tank*.PV",))
    key = bearer(await create_key(gateway.settings, "limited", ["session:open", "invoke:read", "invoke:write"], limits))
    session = (await gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=key)).session_id
    stream = gateway.stub.InvokeStream(metadata=key)

    async def send(*commands: pb.MxCommand) -> list[pb.MxCommandReply]:
        streamed = [
            pb.MxStreamCommand(correlation_id=str(number), command=each) for number, each in enumerate(commands)
        ]
        await stream.write(pb.MxCommandBatch(session_id=session, commands=streamed))
        replies: list[pb.MxCommandReply] = []
        while len(replies) < len(commands):
            replies += (await stream.read()).replies
        return sorted(replies, key=lambda reply: int(reply.correlation_id))

    added = command("ADD_ITEM", server_handle=1, item_definition="Tank1.PV")
    handle = (await send(added))[0].add_item.item_handle
    write = command("WRITE", server_handle=1, item_handle=handle, value=pb.MxValue(int32_value=1))
    assert (await send(write))[0].protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
    remove = command("REMOVE_ITEM", server_handle=1, item_handle=handle)
    foreign = command("ADD_ITEM", server_handle=1, item_definition="Reactor1.SP")
    # All four are under way at once, and the worker gives Reactor1.SP the handle that Tank1.PV had.
    before, _, again, after = await send(write, remove, foreign, write)
    assert before.protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
    assert again.add_item.item_handle == handle
    assert after.protocol_status.code == pb.PROTOCOL_STATUS_CODE_PERMISSION_DENIED
    await stream.done_writing()


async def test_who_tries_another_keys_session_is_in_the_audit(gateway: LiveGateway) -> None:
    session = await gateway.open()
    stranger = bearer(await create_key(gateway.settings, "stranger", [s for s in ALL_SCOPES if s != "admin"]))
    close = pb.CloseSessionRequest(session_id=session)
    with pytest.raises(grpc.aio.AioRpcError):
        await gateway.stub.CloseSession(close, metadata=(*stranger, ("x-correlation-id", "unary")))
    stream = gateway.stub.StreamEventBatches(
        pb.StreamEventsRequest(session_id=session), metadata=(*stranger, ("x-correlation-id", "stream"))
    )
    with pytest.raises(grpc.aio.AioRpcError):
        await stream.read()
    store = await open_store(gateway.settings)
    seen: list[tuple[str, str, str]] = []
    try:
        async with asyncio.timeout(20):
            while len(seen) < 2:
                records = await store.read_audit(key_id="stranger", event="denied")
                seen = [(record.session_id, record.correlation_id, record.details["method"]) for record in records]
    finally:
        await store.close()
    service = "/mxaccess_gateway.v1.MxAccessGateway/"
    assert seen == [(session, "unary", f"{service}CloseSession"), (session, "stream", f"{service}StreamEventBatches")]


@pytest.mark.parametrize("error", [sa.exc.OperationalError("select", {}, Exception("SENTINEL")), KeyError("SENTINEL")])
async def test_while_keys_cannot_be_checked_nobody_is_let_in_and_nothing_of_the_cause_is_told(
    gateway: LiveGateway, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def broken(*_: Any) -> Any:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr("mxgateway_server.access.store.KeyStore.keys_version", broken)
        # What was known a moment ago holds for that moment only.
        patch.setattr("mxgateway_server.access.key_ring.KeyRing.is_fresh", False)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.open()
    assert (caught.value.code(), reason(caught.value)) == (grpc.StatusCode.UNAVAILABLE, "KEY_STORE_UNAVAILABLE")
    assert "SENTINEL" not in f"{caught.value.details()}{caught.value.trailing_metadata()}"
    await gateway.close(await gateway.open())


async def test_a_watch_of_the_health_needs_no_key_and_goes_on(gateway: LiveGateway) -> None:
    watch = health_pb2_grpc.HealthStub(gateway.channel).Watch(health_pb2.HealthCheckRequest())  # type: ignore[no-untyped-call]
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    await gateway.perform("check-keys")
    gateway.gateway.request_stop()
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_rotated_key_ends_the_streams_of_its_old_secret(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        old = bearer(await create_key(gateway.settings, "rotated", ALL_SCOPES))
        session = (await gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=old)).session_id
        request = pb.StreamEventsRequest(session_id=session)
        stolen = gateway.stub.StreamEvents(request, metadata=old)
        await stolen.initial_metadata()
        store = await open_store(gateway.settings)
        new = bearer(await store.rotate("rotated"))
        await store.close()
        mine = gateway.stub.StreamEvents(request, metadata=new)
        await mine.initial_metadata()
        await gateway.perform("check-keys")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stolen.read()
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
        ping = pb.MxCommandRequest(session_id=session, command=command("PING", message="emit 1"))
        await gateway.stub.Invoke(ping, metadata=new)
        assert (await mine.read()).worker_sequence == 1


async def test_the_correlation_id_comes_back_on_success_and_on_failure(gateway: LiveGateway) -> None:
    call = gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=(*gateway.auth, ("x-correlation-id", "mine")))
    session = (await call).session_id
    assert ("x-correlation-id", "mine") in tuple(await call.trailing_metadata())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.stub.CloseSession(pb.CloseSessionRequest(), metadata=(*gateway.auth, ("x-correlation-id", "my")))
    assert ("x-correlation-id", "my") in tuple(caught.value.trailing_metadata())
    await gateway.close(session)


async def test_a_revoked_key_ends_its_streams_too(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        key = bearer(await create_key(gateway.settings, "leaving", ALL_SCOPES))
        session = (await gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=key)).session_id
        stream = gateway.stub.StreamEvents(pb.StreamEventsRequest(session_id=session), metadata=key)
        await stream.initial_metadata()
        commands = gateway.stub.InvokeStream(metadata=key)
        await commands.write(pb.MxCommandBatch(session_id=session))
        await commands.initial_metadata()
        store = await open_store(gateway.settings)
        await store.revoke("leaving")
        await store.close()
        await gateway.perform("check-keys")
        for call in (stream, commands):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
        # Its session ends as well, and may be gone already.
        await eventually(lambda: not any(each.attached_streams for each in gateway.status().sessions))


async def test_without_authentication_everybody_is_everyone_on_loopback_only(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path, authentication__mode="disabled")) as gateway:
        reply = await gateway.stub.OpenSession(pb.OpenSessionRequest())
        assert gateway.session().owner_key_id == ANYONE.key_id
        await gateway.stub.CloseSession(pb.CloseSessionRequest(session_id=reply.session_id))
