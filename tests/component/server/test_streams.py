"""Streams over gRPC: the worker's bytes, resuming, policies, the command stream as strict as a unary call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.support.fake_worker import data_change
from tests.support.gateway import LiveGateway, bearer, command, create_key, fake_settings, live_gateway
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_gateway_pb2_grpc as pb_grpc
from mxgateway_protocol.batches import join_events
from mxgateway_server.access.constraints import Constraints

STREAM = "/mxaccess_gateway.v1.MxAccessGateway/"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[LiveGateway]:
    async with live_gateway(fake_settings(tmp_path, events__replay_buffer_capacity=4)) as live:
        yield live


async def batches(gateway: LiveGateway, session: str, **request: Any) -> Any:
    call = gateway.stub.StreamEventBatches(pb.StreamEventsRequest(session_id=session, **request), metadata=gateway.auth)
    await call.initial_metadata()
    return call


async def singles(gateway: LiveGateway, session: str, **request: Any) -> Any:
    call = gateway.stub.StreamEvents(pb.StreamEventsRequest(session_id=session, **request), metadata=gateway.auth)
    await call.initial_metadata()
    return call


async def read_sequences(call: Any, last: int) -> list[int]:
    seen: list[int] = []
    while not seen or seen[-1] < last:
        seen += [event.worker_sequence for event in (await call.read()).events]
    return seen


async def test_the_bytes_of_the_events_are_the_workers(gateway: LiveGateway) -> None:
    session = await gateway.open()
    request = pb.StreamEventsRequest(session_id=session)
    raw = gateway.channel.unary_stream(
        STREAM + "StreamEventBatches", request_serializer=pb.StreamEventsRequest.SerializeToString
    )(request, metadata=gateway.auth)
    await raw.initial_metadata()
    single = gateway.channel.unary_stream(
        STREAM + "StreamEvents", request_serializer=pb.StreamEventsRequest.SerializeToString
    )(request, metadata=gateway.auth)
    await single.initial_metadata()
    await gateway.ping(session, "emit 3")
    sent = [data_change(session, sequence, 1) for sequence in (1, 2, 3)]
    assert (await raw.read()).startswith(join_events(sent))
    for event in sent:
        assert (await single.read()).startswith(event)
    raw.cancel()
    single.cancel()


async def test_everything_that_waits_comes_in_one_message(gateway: LiveGateway) -> None:
    session = await gateway.open()
    await gateway.ping(session, "emit_each 50")
    call = await batches(gateway, session)
    assert len((await call.read()).events) == 50
    call.cancel()


async def test_a_stream_may_ask_for_smaller_batches(gateway: LiveGateway) -> None:
    session = await gateway.open()
    await gateway.ping(session, "emit 10")
    call = await batches(gateway, session, max_batch_events=4)
    assert [len((await call.read()).events) for _ in range(3)] == [4, 4, 2]
    call.cancel()


async def test_a_broken_stream_resumes_where_it_ended(gateway: LiveGateway) -> None:
    session = await gateway.open()
    first = await batches(gateway, session)
    await gateway.ping(session, "emit_each 6")
    assert await read_sequences(first, 6) == [1, 2, 3, 4, 5, 6]
    first.cancel()
    await eventually(lambda: not gateway.session().event_streams)
    await gateway.ping(session, "emit_each 3")
    again = await batches(gateway, session, after_worker_sequence=4)
    batch = await again.read()
    assert [event.worker_sequence for event in batch.events] == [5, 6, 7, 8, 9]
    assert batch.replayed_events == 5
    await gateway.ping(session, "emit 1")
    batch = await again.read()
    assert ([event.worker_sequence for event in batch.events], batch.replayed_events) == ([10], 0)
    again.cancel()


@pytest.mark.parametrize("is_batched", [True, False])
async def test_a_position_that_is_gone_gives_the_sentinel_first(gateway: LiveGateway, is_batched: bool) -> None:
    session = await gateway.open()
    first = await batches(gateway, session)
    await gateway.ping(session, "emit_each 20")
    await read_sequences(first, 20)
    first.cancel()
    if is_batched:
        call = await batches(gateway, session, after_worker_sequence=3)
        batch = await call.read()
        # The sentinel and the four events from the ring.
        assert batch.replayed_events == 5
        events = list(batch.events)
    else:
        call = await singles(gateway, session, after_worker_sequence=3)
        events = [await call.read() for _ in range(5)]
    sentinel, rest = events[0], events[1:]
    assert (sentinel.family, sentinel.WhichOneof("body")) == (pb.MX_EVENT_FAMILY_UNSPECIFIED, None)
    assert sentinel.replay_gap.requested_after_sequence == 3
    assert sentinel.replay_gap.oldest_available_sequence == 17
    assert sentinel.replay_gap.dropped_events == 0
    assert [event.worker_sequence for event in rest] == [17, 18, 19, 20]
    call.cancel()


async def test_what_the_worker_dropped_is_shown_in_both_kinds_of_stream(gateway: LiveGateway) -> None:
    session = await gateway.open()
    batched, single = await batches(gateway, session), await singles(gateway, session)
    await gateway.ping(session, "emit 1")
    await gateway.ping(session, "dropped 7")
    await gateway.ping(session, "emit 1")
    first, second = await batched.read(), await batched.read()
    assert (first.dropped_events, second.dropped_events, second.total_dropped_events) == (0, 7, 7)
    events = [await single.read() for _ in range(3)]
    assert [event.worker_sequence for event in events] == [1, 0, 9]
    marker = events[1].replay_gap
    assert (marker.dropped_events, marker.requested_after_sequence, marker.oldest_available_sequence) == (7, 1, 9)
    batched.cancel()
    single.cancel()


async def test_several_streams_get_the_same_events(gateway: LiveGateway) -> None:
    session = await gateway.open()
    calls = [await batches(gateway, session) for _ in range(3)]
    await gateway.ping(session, "emit_each 10")
    for call in calls:
        assert await read_sequences(call, 10) == list(range(1, 11))
        call.cancel()


async def test_the_number_of_streams_is_limited(tmp_path: Path) -> None:
    settings = fake_settings(tmp_path, sessions__allow_multiple_event_subscribers=False)
    async with live_gateway(settings) as gateway:
        session = await gateway.open()
        call = await batches(gateway, session)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await (await batches(gateway, session)).read()
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        call.cancel()


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"session_id": "x"}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"session_id": "session-" + "0" * 32}, grpc.StatusCode.NOT_FOUND),
        ({"after_worker_sequence": 5}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"backpressure_policy": 77}, grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_a_stream_that_cannot_be_opened_says_why(
    gateway: LiveGateway, request_: dict[str, Any], code: grpc.StatusCode
) -> None:
    request = {"session_id": await gateway.open(), **request_}
    call = gateway.stub.StreamEvents(pb.StreamEventsRequest(**request), metadata=gateway.auth)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() == code


async def test_a_client_close_ends_the_stream_after_its_last_event_without_an_error(gateway: LiveGateway) -> None:
    session = await gateway.open()
    call = await batches(gateway, session)
    await gateway.ping(session, "emit 2")
    await gateway.close(session)
    assert await read_sequences(call, 2) == [1, 2]
    assert await call.read() == grpc.aio.EOF
    assert await call.code() == grpc.StatusCode.OK


# ------------------------------------------------------------------------------------------------------ command stream


async def streamed(gateway: LiveGateway, session: str, key: Any, *commands: pb.MxStreamCommand) -> list[Any]:
    """The replies to commands sent together."""
    call = gateway.stub.InvokeStream(metadata=key)
    await call.write(pb.MxCommandBatch(session_id=session, commands=commands))
    await call.done_writing()
    return [reply async for batch in call for reply in batch.replies]


UNARY_AS_PROTOCOL = {
    grpc.StatusCode.INVALID_ARGUMENT: pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST,
    grpc.StatusCode.PERMISSION_DENIED: pb.PROTOCOL_STATUS_CODE_PERMISSION_DENIED,
    grpc.StatusCode.NOT_FOUND: pb.PROTOCOL_STATUS_CODE_SESSION_NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION: pb.PROTOCOL_STATUS_CODE_SESSION_NOT_READY,
    grpc.StatusCode.RESOURCE_EXHAUSTED: pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED: pb.PROTOCOL_STATUS_CODE_TIMEOUT,
}
NAN = pb.MxValue(double_value=float("nan"))
CASES = [
    pb.MxCommand(),
    pb.MxCommand(kind=pb.MX_COMMAND_KIND_WRITE),
    pb.MxCommand(kind=pb.MX_COMMAND_KIND_WRITE, ping=pb.PingCommand()),
    pb.MxCommand(kind=pb.MxCommandKind.ValueType(77), ping=pb.PingCommand()),
    command("WRITE", item_handle=1, value=NAN),
    command("WRITE", item_handle=1),
    command("READ_BULK", tag_addresses=["t"] * 1001),
    command("SHUTDOWN_WORKER"),
    command("WRITE_SECURED", item_handle=1, value=pb.MxValue(int32_value=1)),
    command("INJECT_FAULT"),
    command("SUBSCRIBE_ALARMS"),
    command("ACKNOWLEDGE_ALARM"),
    command("QUERY_ACTIVE_ALARMS"),
    command("ADD_ITEM", server_handle=1, item_definition="Secret.PV"),
    command("ADD_ITEM", server_handle=1, item_definition="Tank.PV"),
    command("WRITE", server_handle=1, item_handle=99, value=pb.MxValue(int32_value=1)),
    command("SUBSCRIBE_BULK", server_handle=1, tag_addresses=["Tank.PV", "Secret.PV"]),
    command("PING", message="x"),
    command("GET_SESSION_STATE"),
    command("DRAIN_EVENTS"),
    command(
        "WRITE",
        server_handle=1,
        item_handle=1,
        value=pb.MxValue(sparse_array_value=pb.MxSparseArray(total_length=0)),
    ),
]


@pytest.mark.parametrize("keys", ["limited", "free"])
async def test_every_case_of_invoke_gives_the_same_answer_on_the_command_stream(
    gateway: LiveGateway, keys: str
) -> None:
    if keys == "limited":
        limits = Constraints(read_tag_globs=("Tank.PV",), write_tag_globs=("Tank.PV",))
        scopes = ["session:open", "invoke:read", "invoke:write"]
        key = bearer(await create_key(gateway.settings, "limited", scopes, limits))
    else:
        key = gateway.auth
    session = (await gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=key)).session_id
    for number, case in enumerate(CASES):
        (reply,) = await streamed(gateway, session, key, pb.MxStreamCommand(correlation_id=f"c{number}", command=case))
        request = pb.MxCommandRequest(session_id=session, client_correlation_id=f"c{number}", command=case)
        try:
            unary = await gateway.stub.Invoke(request, metadata=key)
        except grpc.aio.AioRpcError as error:
            expected = (UNARY_AS_PROTOCOL[error.code()], error.details())
            assert (reply.protocol_status.code, reply.protocol_status.message) == expected, case
        else:
            # Handles go up by one with each command that makes one.
            for made in (reply, unary):
                made.ClearField("add_item")
                for result in made.subscribe_bulk.results:
                    result.item_handle = 0
            assert reply == unary, case


async def test_cancel_removes_the_wait_and_the_stream_goes_on(gateway: LiveGateway) -> None:
    session = await gateway.open()
    call = gateway.stub.InvokeStream(metadata=gateway.auth)
    silent = pb.MxStreamCommand(correlation_id="a", command=command("PING", message="silent"))
    await call.write(pb.MxCommandBatch(session_id=session, commands=[silent]))
    await call.write(pb.MxCommandBatch(cancel_correlation_ids=["a", "unknown"]))
    (reply,) = (await call.read()).replies
    assert (reply.correlation_id, reply.protocol_status.code) == ("a", pb.PROTOCOL_STATUS_CODE_CANCELED)
    after = pb.MxStreamCommand(correlation_id="a", command=command("PING", message="late"))
    await call.write(pb.MxCommandBatch(commands=[after]))
    (reply,) = (await call.read()).replies
    assert reply.diagnostic_message == "late"
    await call.done_writing()
    assert await call.read() == grpc.aio.EOF


async def test_each_command_may_have_a_time_limit_of_its_own(gateway: LiveGateway) -> None:
    session = await gateway.open()
    short = pb.MxStreamCommand(correlation_id="a", command=command("PING", message="silent"))
    short.timeout.FromMilliseconds(100)
    none = pb.MxStreamCommand(correlation_id="b", command=command("PING", message="x"))
    none.timeout.FromMilliseconds(0)
    replies = await streamed(gateway, session, gateway.auth, short, none)
    assert {reply.correlation_id: reply.protocol_status.code for reply in replies} == {
        "a": pb.PROTOCOL_STATUS_CODE_TIMEOUT,
        "b": pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST,
    }


async def test_correlation_ids_must_be_there_and_unique_among_those_under_way(gateway: LiveGateway) -> None:
    session = await gateway.open()
    call = gateway.stub.InvokeStream(metadata=gateway.auth)
    commands = [
        pb.MxStreamCommand(correlation_id=name, command=command("PING", message="silent")) for name in ("a", "a", "")
    ]
    await call.write(pb.MxCommandBatch(session_id=session, commands=commands))
    replies: list[Any] = []
    while len(replies) < 2:
        replies += (await call.read()).replies
    assert [(r.correlation_id, r.protocol_status.code) for r in replies] == [
        ("a", pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST),
        ("", pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST),
    ]
    call.cancel()
    await eventually(lambda: gateway.session().attached_streams == 0)


async def test_a_correlation_id_is_free_again_with_its_reply(gateway: LiveGateway) -> None:
    session = await gateway.open()
    call = gateway.stub.InvokeStream(metadata=gateway.auth)
    for number in range(100):
        ping = pb.MxStreamCommand(correlation_id="a", command=command("PING", message=str(number)))
        await call.write(pb.MxCommandBatch(session_id=session, commands=[ping]))
        (reply,) = (await call.read()).replies
        assert (reply.correlation_id, reply.diagnostic_message) == ("a", str(number))
    await call.done_writing()
    assert await call.read() == grpc.aio.EOF


async def test_a_fault_or_a_close_answers_everything_under_way_and_what_comes_after(gateway: LiveGateway) -> None:
    session = await gateway.open()
    call = gateway.stub.InvokeStream(metadata=gateway.auth)

    def ping(name: str, text: str) -> pb.MxStreamCommand:
        return pb.MxStreamCommand(correlation_id=name, command=command("PING", message=text))

    await call.write(pb.MxCommandBatch(session_id=session, commands=[ping("a", "silent"), ping("b", "exit 1")]))
    replies: list[Any] = []
    while len(replies) < 2:
        replies += (await call.read()).replies
    assert {r.protocol_status.code for r in replies} == {pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE}
    await call.write(pb.MxCommandBatch(commands=[ping("c", "x")]))
    assert (await call.read()).replies[0].protocol_status.code == pb.PROTOCOL_STATUS_CODE_SESSION_NOT_READY
    await gateway.close(session)
    await call.write(pb.MxCommandBatch(commands=[ping("d", "x")]))
    assert (await call.read()).replies[0].protocol_status.code == pb.PROTOCOL_STATUS_CODE_SESSION_NOT_FOUND
    await call.done_writing()
    assert await call.read() == grpc.aio.EOF


async def test_the_first_message_must_name_a_session_and_later_ones_no_other(gateway: LiveGateway) -> None:
    session = await gateway.open()
    for first, code in (
        ("", grpc.StatusCode.INVALID_ARGUMENT),
        ("session-" + "0" * 32, grpc.StatusCode.NOT_FOUND),
    ):
        call = gateway.stub.InvokeStream(metadata=gateway.auth)
        await call.write(pb.MxCommandBatch(session_id=first))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() == code
    call = gateway.stub.InvokeStream(metadata=gateway.auth)
    await call.write(pb.MxCommandBatch(session_id=session))
    await call.write(pb.MxCommandBatch(session_id="session-" + "0" * 32))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_caller_that_does_not_read_its_replies_is_not_read_either(
    gateway: LiveGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mxgateway_server.rpc.command_stream.MAX_WAITING_REPLIES", 20)
    monkeypatch.setattr("mxgateway_server.rpc.command_stream.MAX_REPLIES_TOGETHER", 1)
    session = await gateway.open()
    text = "x" * 100_000
    # Without probing, the caller's window stays small, so that what it does not read shows at the gateway.
    options = (("grpc.http2.bdp_probe", 0),)
    async with grpc.aio.insecure_channel(gateway.running.endpoints[0].address, options=options) as channel:
        call = pb_grpc.MxAccessGatewayStub(channel).InvokeStream(metadata=gateway.auth)  # type: ignore[no-untyped-call]
        sent = 0
        blocked = False
        while sent < 1000 and not blocked:
            ping = pb.MxStreamCommand(correlation_id=str(sent), command=command("PING", message=text))
            writing = asyncio.ensure_future(call.write(pb.MxCommandBatch(session_id=session, commands=[ping])))
            done, _ = await asyncio.wait((writing,), timeout=2.0)
            blocked = not done
            sent += 1
        assert blocked
        assert gateway.session().commands_started < 1000
        call.cancel()
        await asyncio.wait((writing,))
        assert writing.cancelled() or writing.exception() is not None
    await eventually(lambda: gateway.session().attached_streams == 0)
