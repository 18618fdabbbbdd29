"""Traces of a whole gateway: what a collector gets, and that nobody waits for one that does not answer."""

from __future__ import annotations

import io
import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import grpc
import pytest
from tests.support.gateway import LiveGateway, bearer, command, fake_settings, live_gateway
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server import logs
from mxgateway_server.config.settings import Settings
from mxgateway_server.counters import Tally
from mxgateway_server.telemetry.tracing import trace_facts

pytest.importorskip("opentelemetry.sdk")

from tests.support.collector import attributes, collector

PREFIX = "mxaccess_gateway.v1.MxAccessGateway/"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
FROM_ELSEWHERE = (("traceparent", f"00-{TRACE}-{PARENT}-01"),)


def traced(tmp_path: Path, url: str, **more: Any) -> Settings:
    flags: dict[str, Any] = {"telemetry__enabled": True, "telemetry__endpoint": url, **more}
    return fake_settings(tmp_path, **flags)


def spans_of(gateway: LiveGateway) -> Tally:
    return gateway.gateway.parts.status.counters.spans


async def say(gateway: LiveGateway, session: str, *messages: pb.MxCommandBatch) -> Any:
    """One command stream with these messages, to its end."""
    call = gateway.stub.InvokeStream(metadata=gateway.auth)
    for message in messages:
        message.session_id = session
        await call.write(message)
    await call.done_writing()
    replies = []
    while (batch := await call.read()) is not grpc.aio.EOF:
        replies += batch.replies
    return replies


def batch(*correlation_ids: str) -> pb.MxCommandBatch:
    return pb.MxCommandBatch(
        commands=[
            pb.MxStreamCommand(correlation_id=each, command=command("PING", message="hunter2"))
            for each in correlation_ids
        ]
    )


async def test_calls_and_their_commands_come_to_the_collector_within_their_callers_trace(tmp_path: Path) -> None:
    async with collector() as found:
        async with live_gateway(traced(tmp_path, found.url)) as gateway:
            session = await gateway.open()
            request = pb.MxCommandRequest(session_id=session, command=command("PING", message="hunter2"))
            await gateway.stub.Invoke(request, metadata=(*gateway.auth, *FROM_ELSEWHERE))
            with pytest.raises(grpc.aio.AioRpcError):
                await gateway.stub.Invoke(
                    pb.MxCommandRequest(session_id="session-" + "0" * 32, command=command("PING")),
                    metadata=gateway.auth,
                )
            counts = spans_of(gateway)
        invoked, missed = found.named(PREFIX + "Invoke")
        ping, lost = found.named("PING")
        assert (invoked.trace_id.hex(), invoked.parent_span_id.hex()) == (TRACE, PARENT)
        assert (ping.trace_id, ping.parent_span_id) == (invoked.trace_id, invoked.span_id)
        assert invoked.start_time_unix_nano <= ping.start_time_unix_nano
        assert ping.end_time_unix_nano <= invoked.end_time_unix_nano
        told = attributes(ping)
        assert (told["mxgateway.command.kind"], told["mxgateway.session_id"]) == ("PING", session)
        assert told["mxgateway.correlation_id"] == attributes(invoked)["mxgateway.correlation_id"]
        assert attributes(missed)["rpc.response.status_code"] == "NOT_FOUND"
        assert attributes(lost)["error.type"] == "SESSION_NOT_FOUND"
        assert [attributes(span)["rpc.response.status_code"] for span in found.named(PREFIX + "OpenSession")] == ["OK"]
        assert found.resources[0]["service.name"] == "mxaccess-gateway"
        assert counts == {"exported": len(found.spans)}
        assert not any(word in str(found.spans) for word in ("hunter2", gateway.key, "Bearer"))


async def test_strangers_and_probes_make_no_spans(tmp_path: Path) -> None:
    async with collector() as found:
        async with live_gateway(traced(tmp_path, found.url)) as gateway:
            with pytest.raises(grpc.aio.AioRpcError):
                await gateway.stub.OpenSession(
                    pb.OpenSessionRequest(), metadata=(*bearer("mxgw_no_key"), *FROM_ELSEWHERE)
                )
            check = gateway.channel.unary_unary("/grpc.health.v1.Health/Check")
            await check(b"", metadata=FROM_ELSEWHERE)
            nothing = gateway.channel.unary_unary("/mxaccess_gateway.v1.MxAccessGateway/Nothing")
            with pytest.raises(grpc.aio.AioRpcError):
                await nothing(b"", metadata=gateway.auth)
        assert [(span.name, attributes(span)["error.type"]) for span in found.spans] == [("_OTHER", "UNIMPLEMENTED")]


@pytest.mark.parametrize(("ratio", "told"), [(0.0, []), (1.0, ["1", "2", "3"])])
async def test_commands_of_a_stream_are_told_of_the_messages_that_are_chosen(
    tmp_path: Path, ratio: float, told: list[str]
) -> None:
    async with collector() as found:
        async with live_gateway(traced(tmp_path, found.url, telemetry__sample_ratio=ratio)) as gateway:
            session = await gateway.open()
            replies = await say(gateway, session, batch("1", "2"), batch("3"))
            assert {reply.correlation_id for reply in replies} == {"1", "2", "3"}
        (stream,) = found.named(PREFIX + "InvokeStream")
        pings = found.named("PING")
        assert sorted(attributes(span)["mxgateway.correlation_id"] for span in pings) == told
        assert {span.parent_span_id for span in pings} <= {stream.span_id}


async def test_a_true_worker_tells_how_long_a_command_waited_and_ran(tmp_path: Path) -> None:
    more = {"worker__command": (), "worker__backend": "simulator", "galaxy__connection_string": "reference"}
    async with collector() as found:
        async with live_gateway(traced(tmp_path, found.url, telemetry__tags=True, **more)) as gateway:
            session = await gateway.open()
            server = (await gateway.invoke(session, "REGISTER", client_name="t")).register.server_handle
            await gateway.invoke(session, "ADD_ITEM", server_handle=server, item_definition="TestChildObject.TestInt")
            await gateway.invoke(session, "ADD_ITEM", server_handle=4711, item_definition="TestChildObject.TestInt")
        (registered,) = found.named("REGISTER")
        told = attributes(registered)
        seconds = (registered.end_time_unix_nano - registered.start_time_unix_nano) / 1e9
        assert told["mxgateway.queue_wait"] >= 0.0
        assert 0.0 < told["mxgateway.worker_time"] <= seconds
        assert told["mxgateway.hresult"] == "0x00000000"
        added, refused = found.named("ADD_ITEM")
        assert [each.string_value for each in attributes(added)["mxgateway.tags"].values] == ["TestChildObject.TestInt"]
        assert attributes(refused)["error.type"] == "MXACCESS_FAILURE"
        assert attributes(refused)["mxgateway.hresult"] == "0x80070057"


async def test_records_of_the_log_name_the_trace_that_they_belong_to(tmp_path: Path) -> None:
    lines = io.StringIO()
    logs.add_context(trace_facts)
    logs.configure(style="json", stream=lines)
    try:
        async with collector() as found, live_gateway(traced(tmp_path, found.url)) as gateway:
            with pytest.raises(grpc.aio.AioRpcError):
                await gateway.stub.CloseSession(
                    pb.CloseSessionRequest(session_id="session-" + "0" * 32),
                    metadata=(*gateway.auth, *FROM_ELSEWHERE),
                )
    finally:
        logs.remove_context(trace_facts)
        logs.configure()
    records = [json.loads(line) for line in lines.getvalue().splitlines()]
    (refused,) = [record for record in records if record["event"] == "call_refused"]
    (closed,) = found.named(PREFIX + "CloseSession")
    assert (refused["trace_id"], refused["span_id"]) == (TRACE, closed.span_id.hex())
    keys = list(refused)
    assert keys.index("correlation_id") < keys.index("trace_id") < keys.index("span_id") < keys.index("key_id")
    assert not any("trace_id" in record for record in records if record is not refused)


# ---------------------------------------------------------------------------------------------------- a dead collector


@contextmanager
def nobody() -> Iterator[str]:
    """An address that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


async def calls_go_on(gateway: LiveGateway, dropped: bool) -> None:
    session = await gateway.open()
    for _ in range(40):
        assert (await gateway.ping(session)).protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
    spans = spans_of(gateway)
    assert (spans["dropped"] > 0) is dropped


async def test_of_a_collector_that_is_not_there_calls_know_nothing(tmp_path: Path) -> None:
    with nobody() as url:
        settings = traced(tmp_path, url, telemetry__queue_spans=8, telemetry__timeout_seconds=0.2)
        async with live_gateway(settings) as gateway:
            await calls_go_on(gateway, dropped=True)
            spans = spans_of(gateway)
            await eventually(lambda: spans["failed"] > 0)
            assert spans["exported"] == 0


async def test_of_a_collector_that_hangs_calls_know_nothing_and_the_end_does_not_wait(tmp_path: Path) -> None:
    async with collector(hangs=True) as found:
        settings = traced(tmp_path, found.url, telemetry__queue_spans=8, telemetry__timeout_seconds=60.0)
        async with live_gateway(settings) as gateway:
            await calls_go_on(gateway, dropped=True)
            await eventually(lambda: found.asked > 0)
            spans = spans_of(gateway)
        assert spans["exported"] == 0
        assert spans["failed"] + spans["dropped"] >= 40


async def test_a_collector_that_refuses_is_asked_once_a_batch(tmp_path: Path) -> None:
    async with collector(refuses=True) as found, live_gateway(traced(tmp_path, found.url)) as gateway:
        await calls_go_on(gateway, dropped=False)
        spans = spans_of(gateway)
        await eventually(lambda: spans["failed"] > 0)
        assert found.spans == []


# ----------------------------------------------------------------------------------------------------------- the switch


@contextmanager
def counted(*parts: str) -> Iterator[list[str]]:
    """Python functions of these packages that are called on this thread meanwhile."""
    called: list[str] = []

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and any(part in frame.f_code.co_filename for part in parts):
            called.append(frame.f_code.co_qualname)

    sys.setprofile(look)
    try:
        yield called
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize("is_on", [False, True])
async def test_with_the_switch_off_a_call_costs_one_look(tmp_path: Path, is_on: bool) -> None:
    async with collector() as found:
        async with live_gateway(traced(tmp_path, found.url, telemetry__enabled=is_on)) as gateway:
            session = await gateway.open()
            await gateway.ping(session)
            with counted("/opentelemetry/", "/telemetry/") as called:
                for _ in range(10):
                    await gateway.ping(session)
        ours = [name for name in called if not name.startswith("LoopLag")]
        if is_on:
            assert len(ours) > 200
        else:
            assert ours == ["current_trace"] * 10
            assert found.asked == 0


async def test_what_the_ratio_leaves_out_costs_no_span(tmp_path: Path) -> None:
    async with collector() as found:
        async with live_gateway(traced(tmp_path, found.url, telemetry__call_ratio=0.0)) as gateway:
            session = await gateway.open()
            with counted("/opentelemetry/") as called:
                await gateway.ping(session)
                await say(gateway, session, batch("1", "2"))
        assert called == []
        assert found.asked == 0
