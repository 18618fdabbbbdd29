"""Event streams: batches and single events look alike, gaps are visible, every way out cancels the call."""

from __future__ import annotations

import asyncio
import gc

import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, data_change
from tests.support.waiting import eventually

from mxgateway import GatewayClient, MxGatewayConnectionError, MxGatewayTransportError, Session
from mxgateway.generated import mxaccess_gateway_pb2 as pb


@pytest.mark.parametrize(("capabilities", "rpc"), [((), "StreamEvents"), (("event-batches",), "StreamEventBatches")])
async def test_batches_are_used_when_announced(
    gateway: FakeGateway, client: GatewayClient, capabilities: tuple[str, ...], rpc: str
) -> None:
    """The stream uses batches exactly when the gateway announced them, and yields single events in order either way."""
    gateway.capabilities = capabilities
    gateway.events = [data_change(n) for n in range(1, 6)]
    async with await client.open_session() as session:
        seen = []
        async with session.stream_events() as stream:
            async for event in stream:
                seen.append(event.worker_sequence)
                if len(seen) == 5:
                    break
        assert seen == [1, 2, 3, 4, 5]
        assert stream.last_worker_sequence == 5
    assert gateway.calls[rpc] == 1


async def test_a_closed_client_ends_a_stream_that_nobody_waits_for(gateway: FakeGateway, client: GatewayClient) -> None:
    """At once, on the wire, too; and whoever comes back to it is told, and does not wait for what never comes."""
    gateway.events = [data_change(1)]
    session = await client.open_session()
    stream = session.stream_events()
    await anext(stream)
    await client.close()
    await eventually(lambda: "StreamEventBatches" in gateway.cancelled)
    with pytest.raises(MxGatewayTransportError, match="closed"):
        await asyncio.wait_for(anext(stream), 10)


async def test_batch_becomes_single_events_with_its_receive_time(gateway: FakeGateway, session: Session) -> None:
    """Events of one batch come one by one, each with the batch's gateway receive time."""
    batch = pb.MxEventBatch(events=[data_change(n) for n in range(1, 4)])
    batch.gateway_receive_timestamp.FromSeconds(5)
    gateway.events = [batch]
    async with session.stream_events() as stream:
        events = [await anext(stream) for _ in range(3)]
    assert [event.worker_sequence for event in events] == [1, 2, 3]
    assert all(event.gateway_receive_timestamp.seconds == 5 for event in events)


async def test_dropped_events_show_as_a_gap_in_place(gateway: FakeGateway, session: Session) -> None:
    """Events that a policy dropped appear as a replay_gap marker before the batch that follows them."""
    gateway.events = [
        pb.MxEventBatch(events=[data_change(1)]),
        pb.MxEventBatch(events=[data_change(5)], dropped_events=3, total_dropped_events=3),
    ]
    async with session.stream_events() as stream:
        events = [await anext(stream) for _ in range(3)]
    assert [event.HasField("replay_gap") for event in events] == [False, True, False]
    assert events[1].replay_gap.dropped_events == 3
    assert stream.dropped_events == 3


async def test_all_that_waits_comes_as_one_list(gateway: FakeGateway, session: Session) -> None:
    """batches() yields what waits as lists, after what anext has left over."""
    gateway.events = [
        pb.MxEventBatch(events=[data_change(n) for n in (1, 2, 3)]),
        pb.MxEventBatch(events=[data_change(4)]),
    ]
    gateway.put(None)
    stream = session.stream_events()
    assert (await anext(stream)).worker_sequence == 1
    lists = [[event.worker_sequence for event in batch] async for batch in stream.batches()]
    assert lists == [[2, 3], [4]]
    assert stream.last_worker_sequence == 4


async def test_resume_position_is_sent(gateway: FakeGateway, session: Session) -> None:
    """after_worker_sequence and the policy travel in the request; a negative one is refused."""
    gateway.events = [data_change(n) for n in range(1, 6)]
    async with session.stream_events(3, backpressure_policy=pb.BACKPRESSURE_POLICY_CONFLATE) as stream:
        assert (await anext(stream)).worker_sequence == 4
    assert gateway.stream_requests[0].after_worker_sequence == 3
    assert gateway.stream_requests[0].backpressure_policy == pb.BACKPRESSURE_POLICY_CONFLATE
    with pytest.raises(ValueError, match="after_worker_sequence"):
        session.stream_events(-1)


async def test_beginning_is_asked_for(gateway: FakeGateway, session: Session) -> None:
    """from_beginning travels in the request, and excludes a position."""
    gateway.events = [data_change(1)]
    async with session.stream_events(from_beginning=True) as stream:
        assert (await anext(stream)).worker_sequence == 1
    assert gateway.stream_requests[0].from_beginning
    with pytest.raises(ValueError, match="from_beginning"):
        session.stream_events(3, from_beginning=True)


async def test_sequence_beyond_63_bits(gateway: FakeGateway, session: Session) -> None:
    """worker_sequence is unsigned: 2⁶³+1 arrives as it is."""
    gateway.events = [data_change(2**63 + 1)]
    async with session.stream_events() as stream:
        assert (await anext(stream)).worker_sequence == 2**63 + 1


async def test_breaking_out_of_the_loop_cancels_the_stream(gateway: FakeGateway, session: Session) -> None:
    """Dropping the iterator after a break ends the gRPC stream without further ado."""
    gateway.events = [data_change(1)]
    async for _ in session.stream_events():
        break
    gc.collect()
    await eventually(lambda: gateway.streams_open == 0)


async def test_aclose_ends_a_waiting_iteration_cleanly(gateway: FakeGateway, session: Session) -> None:
    """aclose() by another task ends the waiting loop without an error."""
    stream = session.stream_events()
    waiter = asyncio.ensure_future(anext(stream, None))
    await eventually(lambda: gateway.streams_open == 1)
    await stream.aclose()
    assert await waiter is None
    await eventually(lambda: gateway.streams_open == 0)
    await stream.aclose()


async def test_cancelling_the_waiting_task_cancels_the_stream(gateway: FakeGateway, session: Session) -> None:
    """Cancelling the task that iterates raises CancelledError there and ends the stream; the session stays usable."""
    stream = session.stream_events()
    waiter = asyncio.ensure_future(anext(stream))
    await eventually(lambda: gateway.streams_open == 1)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    await eventually(lambda: gateway.streams_open == 0)
    assert await session.ping("x") == "x"


async def test_stream_error_is_typed_after_what_came_before(gateway: FakeGateway, session: Session) -> None:
    """Events before a failure are delivered, then the typed error is raised, then the iterator is exhausted."""
    gateway.events = [data_change(1), Abort(grpc.StatusCode.UNAVAILABLE, "going away")]
    stream = session.stream_events()
    assert (await anext(stream)).worker_sequence == 1
    with pytest.raises(MxGatewayConnectionError, match="going away"):
        await anext(stream)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_closing_the_client_ends_the_stream_with_an_error(gateway: FakeGateway, client: GatewayClient) -> None:
    """A stream that loses its client raises a transport error, not CancelledError."""
    session = await client.open_session()
    stream = session.stream_events()
    waiter = asyncio.ensure_future(anext(stream))
    await eventually(lambda: gateway.streams_open == 1)
    await client.close()
    with pytest.raises(MxGatewayTransportError):
        await waiter


async def test_lists_carry_their_receive_time_once(gateway: FakeGateway, session: Session) -> None:
    """For lists the gateway's receive time stands on the stream, so that taking very many events stays cheap."""
    batch = pb.MxEventBatch(events=[data_change(n) for n in range(1, 4)])
    batch.gateway_receive_timestamp.FromSeconds(5)
    gateway.events = [batch]
    async with session.stream_events() as stream:
        assert stream.gateway_receive_timestamp is None
        batches = stream.batches()
        assert len(await anext(batches)) == 3
        assert stream.gateway_receive_timestamp is not None
        assert stream.gateway_receive_timestamp.seconds == 5
