"""Whoever looks for a refusal in the log finds it: by correlation id, address and key id, however many there were."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import structlog
from click.testing import CliRunner
from tests.support.gateway import LiveGateway, bearer, command, create_key, fake_settings, live_gateway, open_store
from tests.support.key_store import SECRET

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.clock import SystemClock
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.cli.main import main

Lines = list[MutableMapping[str, Any]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    with structlog.testing.capture_logs() as captured:
        yield captured


@pytest.fixture
async def gateway(tmp_path: Path, lines: Lines) -> AsyncIterator[LiveGateway]:
    async with live_gateway(fake_settings(tmp_path)) as running:
        yield running


async def refused(call: Any) -> str:
    """The correlation id that the caller was given with a refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return str(dict(caught.value.trailing_metadata() or ())["x-correlation-id"])


def found(lines: Lines, correlation_id: str) -> MutableMapping[str, Any]:
    (line,) = (line for line in lines if line.get("correlation_id") == correlation_id)
    return line


async def test_a_start_tells_of_keys_that_lost_what_they_had_when_a_scope_was_divided(
    tmp_path: Path, lines: Lines
) -> None:
    settings = fake_settings(tmp_path)
    for key_id in ("of-before", "ended", "chosen"):
        await create_key(settings, key_id, ["invoke:read"])
    store = await open_store(settings)
    await store.revoke("ended")
    await store.close()
    with closing(sqlite3.connect(tmp_path / "keys.db")) as connection, connection:
        connection.execute("UPDATE api_keys SET scope_catalogue = 0 WHERE key_id <> 'chosen'")
    async with live_gateway(settings):
        (line,) = (line for line in lines if line["event"] == "keys_lack_a_newer_scope")
    assert (line["keys"], line["log_level"]) == (["of-before"], "warning")
    assert "apikey change" in line["remedy"]
    listed = await asyncio.to_thread(CliRunner().invoke, main, ["apikey", "list", "--state-dir", str(tmp_path)])
    assert "Note: of-before: made when invoke:read included AdviseSupervisory" in listed.stderr


async def test_a_start_tells_of_a_clock_that_was_set_back(tmp_path: Path, lines: Lines) -> None:
    """Keys end by the clock; that one had gone further is known from what was recorded."""
    settings, clock = fake_settings(tmp_path), SystemClock()
    store = await open_store(settings)
    await store.record([AuditRecord(event="write", key_id="k", at_ns=clock.unix_ns() + 7200 * 10**9)])
    await store.close()
    async with live_gateway(settings):
        pass
    (line,) = (line for line in lines if line["event"] == "clock_was_set_back")
    assert 7100 < line["seconds"] <= 7200


async def test_each_kind_of_refusal_is_found_by_its_correlation_id(gateway: LiveGateway, lines: Lines) -> None:
    reader = bearer(await create_key(gateway.settings, "reader", ["invoke:read"]))
    wrong = bearer(f"mxgw_tester_{SECRET}")
    session = await gateway.open()
    ping = pb.MxCommandRequest(session_id=session, command=command("PING", message="x"))
    unknown = pb.MxCommandRequest(session_id="session-" + "0" * 32, command=command("PING", message="x"))
    cases = [
        (gateway.stub.Invoke(ping), "authentication_failed", "warning", ""),
        (gateway.stub.Invoke(ping, metadata=wrong), "authentication_failed", "warning", "tester"),
        (gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=reader), "call_denied", "warning", "reader"),
        (gateway.stub.Invoke(ping, metadata=reader), "call_denied", "warning", "reader"),
        (gateway.stub.Invoke(unknown, metadata=gateway.auth), "call_refused", "info", "tester"),
        (gateway.stub.Invoke(pb.MxCommandRequest(), metadata=gateway.auth), "call_refused", "info", "tester"),
    ]
    for call, event, level, key_id in cases:
        line = found(lines, await refused(call))
        assert (line["event"], line["log_level"], line["key_id"]) == (event, level, key_id)
        assert line["address"] in ("127.0.0.1", "::1")
        assert line["method"].startswith("/mxaccess_gateway.v1.MxAccessGateway/")
    assert SECRET not in str(lines)


async def test_a_command_of_a_stream_that_fails_is_found_by_its_own_id(gateway: LiveGateway, lines: Lines) -> None:
    session = await gateway.open()
    call = gateway.stub.InvokeStream(metadata=gateway.auth)
    wrong = pb.MxStreamCommand(correlation_id="order-17", command=pb.MxCommand(kind=pb.MX_COMMAND_KIND_WRITE))
    await call.write(pb.MxCommandBatch(session_id=session, commands=[wrong]))
    await call.read()
    line = found(lines, "order-17")
    assert (line["event"], line["reason"], line["session_id"]) == ("call_refused", "INVALID_REQUEST", session)
    call.cancel()


async def test_of_a_storm_some_are_told_and_the_rest_is_counted(gateway: LiveGateway, lines: Lines) -> None:
    for _ in range(200):
        await refused(gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=bearer(f"mxgw_tester_{SECRET}")))
    told = [line["event"] for line in lines if line["event"].startswith("authentication_")]
    assert told.count("authentication_failed") == 10
    assert 1 <= told.count("authentication_throttled") <= 60
    waits = [line["waits_seconds"] for line in lines if "waits_seconds" in line]
    assert waits == [5.0]
