"""Workers that go wrong while their session is in use: told apart, typed, and no harm to anyone else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tests.support.gateway import LiveGateway, command, fake_settings, live_gateway
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.sessions.state import CloseReason


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[LiveGateway]:
    settings = fake_settings(tmp_path, worker__shutdown_timeout_seconds=1.0, worker__terminate_timeout_seconds=0.2)
    async with live_gateway(settings) as live:
        yield live


async def read_all(stream: Any) -> None:
    while True:
        await stream.read()


def reason(error: grpc.aio.AioRpcError) -> str:
    status = rpc_status.from_call(error)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return str(info.reason)


def metadata(error: grpc.aio.AioRpcError) -> dict[str, str]:
    status = rpc_status.from_call(error)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return dict(info.metadata)


def in_flight(gateway: LiveGateway, session_id: str) -> int:
    worker = gateway.session(session_id).worker
    return -1 if worker is None else worker.in_flight


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        ("exit 1", grpc.StatusCode.UNAVAILABLE, "WORKER_EXITED"),
        ("exit 10", grpc.StatusCode.UNAVAILABLE, "WORKER_OUT_OF_MEMORY"),
        ("abort", grpc.StatusCode.UNAVAILABLE, "WORKER_EXITED"),
        ("garbage", grpc.StatusCode.UNAVAILABLE, "WORKER_PROTOCOL_VIOLATION"),
        ("oversized", grpc.StatusCode.UNAVAILABLE, "WORKER_PROTOCOL_VIOLATION"),
        ("repeat_sequence", grpc.StatusCode.UNAVAILABLE, "WORKER_PROTOCOL_VIOLATION"),
        ("bad_body", grpc.StatusCode.UNAVAILABLE, "WORKER_PROTOCOL_VIOLATION"),
        ("other_session", grpc.StatusCode.UNAVAILABLE, "WORKER_PROTOCOL_VIOLATION"),
        ("fault hung", grpc.StatusCode.UNAVAILABLE, "WORKER_HUNG"),
        ("fault overflow", grpc.StatusCode.UNAVAILABLE, "WORKER_FAULTED"),
        ("fault unexpected", grpc.StatusCode.UNAVAILABLE, "WORKER_FAULTED"),
    ],
)
async def test_each_way_to_go_wrong_has_its_own_reason_and_spares_other_sessions(
    gateway: LiveGateway, text: str, code: grpc.StatusCode, why: str
) -> None:
    bad, good = await gateway.open(), await gateway.open()
    stream = gateway.stub.StreamEvents(pb.StreamEventsRequest(session_id=bad), metadata=gateway.auth)
    await stream.initial_metadata()
    await gateway.ping(bad, "stderr last-words")
    waiting = asyncio.ensure_future(gateway.ping(bad, "silent"))
    await eventually(lambda: in_flight(gateway, bad) == 1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.ping(bad, text)
    assert "last-words" not in (caught.value.details() or ""), "they are the log's"
    assert (caught.value.code(), reason(caught.value)) == (code, why)
    with pytest.raises(grpc.aio.AioRpcError) as other:
        await waiting
    assert reason(other.value) == why
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await stream.read()
    assert reason(ended.value) == why
    assert "sesame" not in (ended.value.details() or "")
    with pytest.raises(grpc.aio.AioRpcError) as later:
        await gateway.ping(bad)
    assert (later.value.code(), reason(later.value)) == (grpc.StatusCode.FAILED_PRECONDITION, "SESSION_FAULTED")
    assert (await gateway.ping(good, "fine")).diagnostic_message == "fine"
    assert (await gateway.close(bad)).final_state == pb.SESSION_STATE_CLOSED
    assert (await gateway.close(good)).final_state == pb.SESSION_STATE_CLOSED


async def test_events_that_are_none_end_their_session_where_they_are_opened(gateway: LiveGateway) -> None:
    """Batches pass unopened; who has to open one and finds no events in it ends the session, by its own reason."""
    bad, good = await gateway.open(), await gateway.open()
    stream = gateway.stub.StreamEvents(pb.StreamEventsRequest(session_id=bad), metadata=gateway.auth)
    await stream.initial_metadata()
    # The session may end before the reply to this one comes.
    await asyncio.gather(gateway.ping(bad, "bad_events"), return_exceptions=True)
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await stream.read()
    assert (ended.value.code(), reason(ended.value)) == (grpc.StatusCode.UNAVAILABLE, "WORKER_PROTOCOL_VIOLATION")
    with pytest.raises(grpc.aio.AioRpcError) as later:
        await gateway.ping(bad)
    assert reason(later.value) == "SESSION_FAULTED"
    assert (await gateway.ping(good, "fine")).diagnostic_message == "fine"
    await gateway.close(bad)
    await gateway.close(good)


async def test_a_command_without_reply_times_out_and_the_session_stays_usable(gateway: LiveGateway) -> None:
    request = pb.OpenSessionRequest()
    request.command_timeout.FromMilliseconds(150)
    session = (await gateway.stub.OpenSession(request, metadata=gateway.auth)).session_id
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.ping(session, "silent")
    assert (caught.value.code(), reason(caught.value)) == (grpc.StatusCode.DEADLINE_EXCEEDED, "COMMAND_TIMEOUT")
    assert (await gateway.ping(session, "late")).diagnostic_message == "late"
    worker = gateway.session(session).worker
    assert worker is not None
    assert (worker.late_replies, worker.in_flight) == (1, 0)
    await gateway.close(session)


async def test_a_clients_deadline_ends_the_call_and_frees_the_place_when_the_worker_answers(
    gateway: LiveGateway,
) -> None:
    session = await gateway.open()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.stub.Invoke(
            pb.MxCommandRequest(
                session_id=session,
                command=pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand(message="silent")),
            ),
            metadata=gateway.auth,
            timeout=0.15,
        )
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    await gateway.ping(session, "late")
    assert in_flight(gateway, session) == 0
    await gateway.close(session)


async def test_the_worker_is_told_of_every_command_that_nobody_waits_for_any_more(gateway: LiveGateway) -> None:
    request = pb.OpenSessionRequest()
    request.command_timeout.FromMilliseconds(150)
    session = (await gateway.stub.OpenSession(request, metadata=gateway.auth)).session_id
    with pytest.raises(grpc.aio.AioRpcError):
        await gateway.ping(session, "silent")
    assert (await gateway.ping(session, "cancels")).diagnostic_message == "timeout"
    stream = gateway.stub.InvokeStream(metadata=gateway.auth)
    silent = pb.MxStreamCommand(correlation_id="1", command=command("PING", message="silent"))
    silent.timeout.FromSeconds(60)
    await stream.write(pb.MxCommandBatch(session_id=session, commands=[silent]))
    await stream.write(pb.MxCommandBatch(session_id=session, cancel_correlation_ids=["1"]))
    (canceled,) = (await stream.read()).replies
    assert canceled.protocol_status.code == pb.PROTOCOL_STATUS_CODE_CANCELED
    await stream.done_writing()
    assert (await gateway.ping(session, "cancels")).diagnostic_message == "timeout,canceled"
    await gateway.close(session)


async def test_more_commands_than_the_bound_fail_at_once(tmp_path: Path) -> None:
    settings = fake_settings(tmp_path, sessions__max_pending_commands_per_session=2)
    async with live_gateway(settings) as gateway:
        session = await gateway.open()
        waiting = [asyncio.ensure_future(gateway.ping(session, "silent")) for _ in range(2)]
        await eventually(lambda: in_flight(gateway, session) == 2)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.ping(session)
        assert (caught.value.code(), reason(caught.value)) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "PENDING_COMMAND_LIMIT",
        )
        await gateway.close(session)
        assert all(
            isinstance(result, grpc.aio.AioRpcError)
            for result in await asyncio.gather(*waiting, return_exceptions=True)
        )


async def test_closing_while_a_command_runs_ends_it_with_a_typed_error_and_the_worker_by_force(
    gateway: LiveGateway,
) -> None:
    session = await gateway.open("ignore_shutdown")
    waiting = asyncio.ensure_future(gateway.ping(session, "silent"))
    await eventually(lambda: in_flight(gateway, session) == 1)
    closed = await gateway.close(session)
    assert closed.final_state == pb.SESSION_STATE_CLOSED
    assert closed.protocol_status.code == pb.PROTOCOL_STATUS_CODE_TIMEOUT
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await waiting
    assert reason(caught.value) == "SESSION_CLOSED"


async def test_many_closes_at_once_share_one_ending(gateway: LiveGateway) -> None:
    session = await gateway.open()
    replies = await asyncio.gather(*(gateway.close(session) for _ in range(10)))
    assert {reply.final_state for reply in replies} == {pb.SESSION_STATE_CLOSED}
    assert gateway.status().session_totals.closed == 1


async def test_kills_and_closes_at_once_are_one_ending_of_one_session(gateway: LiveGateway) -> None:
    await gateway.open()
    manager = gateway.gateway.parts.sessions
    (session,) = manager.sessions
    await asyncio.gather(*(manager.kill(session) for _ in range(5)), manager.close(session, CloseReason.CLIENT))
    await manager.kill(session)
    counters = manager.counters
    assert (counters.opened, counters.closed, counters.killed, counters.faulted, len(manager)) == (1, 1, 1, 0, 0)
    assert session.record.close_reason == CloseReason.ADMIN_KILL


async def test_a_kill_does_not_wait_for_the_orderly_end_that_is_under_way(tmp_path: Path) -> None:
    settings = fake_settings(tmp_path, worker__shutdown_timeout_seconds=600.0, worker__terminate_timeout_seconds=600.0)
    async with live_gateway(settings) as gateway:
        session_id = await gateway.open("ignore_shutdown")
        manager = gateway.gateway.parts.sessions
        (session,) = manager.sessions
        closing = asyncio.ensure_future(gateway.close(session_id))
        await eventually(lambda: session.record.state == pb.SESSION_STATE_CLOSING)
        await manager.kill(session)
        assert (await closing).final_state == pb.SESSION_STATE_CLOSED
        assert len(manager) == 0


@pytest.mark.parametrize("start", ["never_ready", "wrong_nonce", "garbage", "exit:7", "backend_fault"])
async def test_a_session_whose_worker_does_not_start_leaves_no_trace(tmp_path: Path, start: str) -> None:
    settings = fake_settings(tmp_path, worker__startup_timeout_seconds=0.8)
    async with live_gateway(settings) as gateway:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.open(start)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        status = gateway.status()
        assert status.sessions == ()
        assert status.session_totals.opened == 0
        assert status.workers.failed == 1


async def test_a_slow_reader_with_fail_fast_faults_its_session_and_no_other(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path, events__queue_capacity=50)) as gateway:
        slow, good = await gateway.open(), await gateway.open()
        stream = gateway.stub.StreamEvents(pb.StreamEventsRequest(session_id=slow), metadata=gateway.auth)
        await stream.initial_metadata()
        for _ in range(40):
            if not gateway.session(slow).fault:
                # The last one may meet the session's end.
                with contextlib.suppress(grpc.aio.AioRpcError):
                    await gateway.ping(slow, "flood 40 20000")
        assert gateway.session(slow).fault == "EVENT_QUEUE_OVERFLOW"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read_all(stream)
        assert reason(caught.value) == "EVENT_QUEUE_OVERFLOW"
        await gateway.ping(good)
        await gateway.close(slow)


async def test_whoever_waits_for_a_reply_when_a_session_fails_is_told_the_cause(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path, events__queue_capacity=50)) as gateway:
        slow = await gateway.open()
        stream = gateway.stub.StreamEvents(pb.StreamEventsRequest(session_id=slow), metadata=gateway.auth)
        await stream.initial_metadata()
        waiting = asyncio.ensure_future(gateway.ping(slow, "silent"))
        await eventually(lambda: in_flight(gateway, slow) == 1)
        while not gateway.session(slow).fault:
            with contextlib.suppress(grpc.aio.AioRpcError):
                await gateway.ping(slow, "flood 40 20000")
        for late in (waiting, asyncio.ensure_future(gateway.ping(slow))):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await late
            assert (caught.value.code(), reason(caught.value)) == (
                grpc.StatusCode.FAILED_PRECONDITION,
                "SESSION_FAULTED",
            )
            assert "EVENT_QUEUE_OVERFLOW" in str(caught.value.details())
            assert metadata(caught.value)["cause"] == "EVENT_QUEUE_OVERFLOW"
        await gateway.close(slow)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.ping(slow)
        assert reason(caught.value) == "SESSION_NOT_FOUND"
        assert metadata(caught.value)["cause"] == "EVENT_QUEUE_OVERFLOW"
        # What is never read would be waited for when the gateway stops.
        stream.cancel()


async def test_a_stream_that_is_not_read_while_items_are_added_faults_no_session(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path, events__queue_capacity=50)) as gateway:
        session = await gateway.open()
        stream = gateway.stub.StreamEventBatches(pb.StreamEventsRequest(session_id=session), metadata=gateway.auth)
        await stream.initial_metadata()
        for first in range(0, 400, 20):
            tags = [f"Tank_{number}.Level" for number in range(first, first + 20)]
            await gateway.invoke(session, "SUBSCRIBE_BULK", server_handle=1, tag_addresses=tags)
            await gateway.ping(session, "emit_items 200 200 2000")
        assert gateway.session(session).state == "ready"
        seen: set[int] = set()
        while len(seen) < 200:
            seen |= {event.item_handle for event in (await stream.read()).events}
        assert gateway.session(session).state == "ready"


async def test_a_reader_that_never_reads_costs_bounded_memory_with_drop_oldest(tmp_path: Path) -> None:
    settings = fake_settings(tmp_path, events__queue_capacity=100, events__backpressure_policy="drop_oldest")
    async with live_gateway(settings) as gateway:
        slow = await gateway.open()
        stream = gateway.stub.StreamEventBatches(pb.StreamEventsRequest(session_id=slow), metadata=gateway.auth)
        await stream.initial_metadata()
        for _ in range(60):
            await gateway.ping(slow, "flood 40 20000")
            session = gateway.session(slow)
            (reader,) = session.event_streams
            assert reader.waiting_events <= 100
            assert session.kept_events <= 1024 + 40
        seen = dropped = 0
        at = 0
        while at < 2400:
            batch = await stream.read()
            dropped += batch.dropped_events
            for event in batch.events:
                seen += 1
                assert event.worker_sequence > at
                at = event.worker_sequence
        assert dropped > 0
        assert seen + dropped == 2400
        stream.cancel()
        await gateway.close(slow)


async def test_a_reply_that_the_gateway_must_know_and_cannot_read_ends_the_session(gateway: LiveGateway) -> None:
    """AddItem's reply names the handle that later writes are judged by."""
    session_id = await gateway.open()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.invoke(session_id, "ADD_ITEM", server_handle=1, item_definition="no reply")
    assert reason(caught.value) == "WORKER_PROTOCOL_VIOLATION"
    with pytest.raises(grpc.aio.AioRpcError) as later:
        await gateway.ping(session_id)
    assert reason(later.value) == "SESSION_FAULTED"


@pytest.mark.parametrize("text", ["as message", "as bytes"])
async def test_a_reply_has_the_ids_of_its_call_however_the_worker_wrote_it(gateway: LiveGateway, text: str) -> None:
    session_id = await gateway.open()
    ping = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand(message=text))
    request = pb.MxCommandRequest(session_id=session_id, client_correlation_id="mine", command=ping)
    reply = await gateway.stub.Invoke(request, metadata=gateway.auth)
    assert (reply.session_id, reply.correlation_id, reply.diagnostic_message) == (session_id, "mine", text)
