"""The beginning of a subscription: the stream is read while tags are added, and a patient one waits for its gateway."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, data_change
from tests.support.waiting import eventually

from mxgateway import (
    GatewayClient,
    MxGatewayAuthenticationError,
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewaySessionError,
    Session,
    SubscriptionState,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.constants import MAX_BULK_ITEMS

BREAK = Abort(grpc.StatusCode.UNAVAILABLE, "connection lost")


def handle_of(gateway: FakeGateway, tag: str) -> int:
    return [handle for handle, name in gateway.items.items() if name == tag][-1]


async def test_first_values_that_overtake_the_reply_are_changes(gateway: FakeGateway, session: Session) -> None:
    """The stream is read while tags are subscribed; what comes before the reply that names its item is not lost."""
    released = asyncio.Event()

    async def slowly(request: pb.MxCommandRequest) -> pb.MxCommandReply:
        reply = gateway.reply(request)
        gateway.put(*(data_change(each.item_handle, each.item_handle) for each in reply.subscribe_bulk.results))
        await released.wait()
        return reply

    gateway.answer("subscribe_bulk", slowly)
    subscription = session.subscribe(["A.B", "A.C"])
    starting = asyncio.ensure_future(subscription.start())
    await eventually(lambda: subscription._feed.reader.position == 2)
    assert (subscription.state, subscription.waiting) == (SubscriptionState.STARTING, 0)
    released.set()
    await starting
    assert [(await anext(subscription)).tag for _ in range(2)] == ["A.B", "A.C"]
    await subscription.aclose()


async def test_changes_of_the_first_tags_come_while_others_are_added(gateway: FakeGateway, session: Session) -> None:
    """A handler hears from the first thousand while the second is on its way."""
    seen: list[str] = []
    gateway.answer(
        "subscribe_bulk", lambda request: None if len(gateway.commands_of("subscribe_bulk")) == 1 else _wait(request)
    )
    released = asyncio.Event()

    async def _wait(request: pb.MxCommandRequest) -> pb.MxCommandReply:
        await released.wait()
        return gateway.reply(request)

    tags = [f"A.B{n}" for n in range(MAX_BULK_ITEMS + 1)]
    subscription = session.subscribe(tags, handler=lambda change: seen.append(change.tag))
    starting = asyncio.ensure_future(subscription.start())
    await eventually(lambda: len(gateway.commands_of("subscribe_bulk")) == 2)
    gateway.put(data_change(1, handle_of(gateway, "A.B7")))
    await eventually(lambda: seen == ["A.B7"])
    assert not starting.done()
    released.set()
    await starting
    await subscription.aclose()


async def test_a_line_that_is_cut_while_tags_are_added(gateway: FakeGateway, client: GatewayClient) -> None:
    """What is there already stays; the rest is added after the reconnect, and start() waits for all of it."""
    gateway.answer("subscribe_bulk", lambda _: BREAK if len(gateway.commands_of("subscribe_bulk")) == 2 else None)
    tags = [f"A.B{n}" for n in range(MAX_BULK_ITEMS + 5)]
    async with client.subscribe(tags) as subscription:
        assert (subscription.state, subscription.failures) == (SubscriptionState.CONNECTED, {})
        assert [len(each.tag_addresses) for each in gateway.commands_of("add_item_bulk")] == [5]
        assert (subscription.interruptions, subscription.new_sessions, subscription.gaps) == (1, 0, 0)


async def test_items_of_a_lost_reply_are_removed(gateway: FakeGateway, client: GatewayClient) -> None:
    """They send, but nobody knows whose values these are: they go, and others come in their place."""

    def answer(request: pb.MxCommandRequest) -> pb.MxCommandReply | Abort:
        reply = gateway.reply(request)
        return BREAK if len(gateway.commands_of("subscribe_bulk")) == 2 else reply

    gateway.answer("subscribe_bulk", answer)
    tags = [f"A.B{n}" for n in range(MAX_BULK_ITEMS + 1)]
    async with client.subscribe(tags) as subscription:
        orphan, handle = [handle for handle, name in gateway.items.items() if name == tags[-1]]
        gateway.put(data_change(1, orphan), data_change(2, handle))
        assert [(c.tag, c.worker_sequence) for c in [await anext(subscription)]] == [(tags[-1], 2)]
        await eventually(lambda: [list(e.item_handles) for e in gateway.commands_of("unsubscribe_bulk")] == [[orphan]])


async def test_each_tag_has_room_for_its_first_value(gateway: FakeGateway, session: Session) -> None:
    """While start() waits nobody can consume, so a small queue must not lose first values."""
    gateway.events = [pb.MxEventBatch(events=[data_change(n, n) for n in range(1, 31)])]
    async with session.subscribe([f"A.B{n}" for n in range(30)], queue_size=2) as subscription:
        await eventually(lambda: subscription.waiting == 30)
        assert subscription.dropped == 0
        assert [len(batch) async for batch in _first(subscription.batches())] == [30]


async def _first(batches):  # type: ignore[no-untyped-def]
    async for batch in batches:
        yield batch
        return


async def test_a_patient_subscription_waits_for_its_gateway(gateway: FakeGateway, client: GatewayClient) -> None:
    """Nothing is raised while the gateway is away; what is in the way is told, and no gap is counted afterwards."""
    gateway.script("OpenSession", BREAK, BREAK)
    paused = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        await paused.wait()

    subscription = client.subscribe(["A.B"], patient=True)
    subscription._feed.sleep = sleep
    async with subscription:
        assert subscription.state is SubscriptionState.STARTING
        await eventually(lambda: "connection lost" in str(subscription.last_interruption))
        await subscription.add(["A.C"])
        with pytest.raises(MxGatewayConnectionError, match="nothing was sent"):
            await subscription.write("A.B", 1)
        paused.set()
        await eventually(lambda: subscription.state is SubscriptionState.CONNECTED)
        assert subscription.session_id == "session-" + "0" * 31 + "1"
        assert (subscription.interruptions, subscription.new_sessions, subscription.gaps) == (0, 0, 0)
        assert list(gateway.commands_of("subscribe_bulk")[0].tag_addresses) == ["A.B", "A.C"]
    assert subscription.session_id == ""


async def test_patience_ends_where_waiting_does_not_help(gateway: FakeGateway, client: GatewayClient) -> None:
    """A key that the gateway does not know ends it; iterating and wait_closed tell why."""
    gateway.script("OpenSession", Abort(grpc.StatusCode.UNAUTHENTICATED, "unknown key"))
    subscription = client.subscribe(["A.B"], patient=True)
    with pytest.raises(MxGatewayAuthenticationError):
        await subscription.wait_closed()
    with pytest.raises(MxGatewayAuthenticationError):
        await anext(subscription)
    assert isinstance(subscription.error, MxGatewayAuthenticationError)


async def test_whoever_gives_up_waiting_leaves_nothing_behind(gateway: FakeGateway, client: GatewayClient) -> None:
    """A limit around the start ends stream and session."""
    gateway.answer("subscribe_bulk", lambda _: asyncio.sleep(30))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await client.subscribe(["A.B"]).start()
    await eventually(lambda: gateway.streams_open == 0)
    assert gateway.calls["CloseSession"] == 1


async def test_a_fault_of_the_library_itself_is_told(gateway: FakeGateway, session: Session) -> None:
    """No background task dies in silence: the iterator, wait_closed and `error` have it."""
    subscription = session.subscribe(["A.B"])

    def fault(_event: pb.MxEvent) -> bool:
        raise ZeroDivisionError("a fault")

    subscription._feed.reader.is_new = fault  # type: ignore[method-assign]
    async with subscription:
        gateway.put(data_change(1, 1))
        with pytest.raises(MxGatewayError, match="ZeroDivisionError: a fault"):
            await anext(subscription)
        with pytest.raises(MxGatewayError, match="ZeroDivisionError"):
            await subscription.wait_closed()
        assert isinstance(subscription.error and subscription.error.__cause__, ZeroDivisionError)


async def test_a_session_that_never_gets_its_tags_ends_the_start(gateway: FakeGateway, client: GatewayClient) -> None:
    """A session that is lost each time while tags are added is no accident: whoever starts is told, and soon."""
    gone = Abort(grpc.StatusCode.NOT_FOUND, "session is gone")
    tags = [f"T{number}.V" for number in range(MAX_BULK_ITEMS + 1)]
    gateway.answer(
        "subscribe_bulk", lambda request: gone if len(request.command.subscribe_bulk.tag_addresses) == 1 else None
    )
    subscription = client.subscribe(tags)
    subscription._feed.sleep = _at_once
    with pytest.raises(MxGatewaySessionError, match="session is gone"):
        await subscription.start()
    assert gateway.calls["OpenSession"] == 5
    # A patient one goes on, since it may be told to end at any time.
    patient = client.subscribe(tags, patient=True)
    patient._feed.sleep = _at_once
    await patient.start()
    await eventually(lambda: gateway.calls["OpenSession"] > 15)
    gateway.answers.clear()
    await eventually(lambda: patient.state is SubscriptionState.CONNECTED)
    await patient.aclose()


async def _at_once(_: float) -> None:
    await asyncio.sleep(0)
