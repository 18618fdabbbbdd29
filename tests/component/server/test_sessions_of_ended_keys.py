"""Sessions of a key that is not valid any more end with it, and a new key of the same id inherits none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from tests.support.clock import ManualClock
from tests.support.gateway import ALL_SCOPES, bearer, command, create_key, fake_settings, live_gateway, open_store
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb


async def opened(stub: Any, auth: Any) -> str:
    return str((await stub.OpenSession(pb.OpenSessionRequest(), metadata=auth)).session_id)


async def test_sessions_and_workers_of_a_revoked_key_end_and_those_of_others_go_on(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        key = bearer(await create_key(gateway.settings, "leaving", ALL_SCOPES))
        for _ in range(3):
            await opened(gateway.stub, key)
        staying = await gateway.open()
        store = await open_store(gateway.settings)
        await store.revoke("leaving")
        await store.close()
        await gateway.perform("check-keys")
        await eventually(lambda: [each.session_id for each in gateway.status().sessions] == [staying])
        await eventually(lambda: gateway.status().workers.alive == 1)
        assert (await gateway.ping(staying, "here")).diagnostic_message == "here"


async def test_sessions_of_a_key_end_when_it_expires(tmp_path: Path) -> None:
    clock = ManualClock()
    async with live_gateway(fake_settings(tmp_path), clock=clock) as gateway:
        key = bearer(await create_key(gateway.settings, "brief", ALL_SCOPES, expires_ns=clock.unix_ns() + 60 * 10**9))
        await opened(gateway.stub, key)
        await gateway.perform("check-keys")
        assert len(gateway.status().sessions) == 1
        clock.advance(60)
        await gateway.perform("check-keys")
        await eventually(lambda: gateway.status().sessions == ())


async def test_a_rotated_key_keeps_its_sessions(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        session = await opened(gateway.stub, bearer(await create_key(gateway.settings, "rotated", ALL_SCOPES)))
        store = await open_store(gateway.settings)
        new = bearer(await store.rotate("rotated"))
        await store.close()
        await gateway.perform("check-keys")
        ping = pb.MxCommandRequest(session_id=session, command=command("PING", message="mine"))
        assert (await gateway.stub.Invoke(ping, metadata=new)).diagnostic_message == "mine"


async def test_a_new_key_of_a_deleted_keys_id_inherits_nothing(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        session = await opened(gateway.stub, bearer(await create_key(gateway.settings, "reused", ALL_SCOPES)))
        store = await open_store(gateway.settings)
        # All between two looks at the store.
        await store.revoke("reused")
        await store.delete("reused")
        new = bearer(await store.create("reused", "reused", [each for each in ALL_SCOPES if each != "admin"]))
        await store.close()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.stub.CloseSession(pb.CloseSessionRequest(session_id=session), metadata=new)
        assert caught.value.code() in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND)
        await gateway.perform("check-keys")
        await eventually(lambda: gateway.status().sessions == ())
