"""Writes of a subscription: confirmed on its own stream, sent once, never confirmed by another write's completion."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, data_change, failed, write_complete
from tests.support.limits import LONG, TimeLimits
from tests.support.waiting import eventually

from mxgateway import (
    GatewayClient,
    MxAccessError,
    MxGatewayConnectionError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
    Session,
    Subscription,
    from_mx_value,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb

BREAK = Abort(grpc.StatusCode.UNAVAILABLE, "connection lost")


async def under_way(gateway: FakeGateway, count: int) -> None:
    await eventually(lambda: len(gateway.commands_of("write")) == count)


def handle_of(gateway: FakeGateway, tag: str) -> int:
    return [handle for handle, name in gateway.items.items() if name == tag][-1]


async def test_a_write_is_confirmed_on_the_subscriptions_own_stream(gateway: FakeGateway, session: Session) -> None:
    """One stream, no further item: the completion of the item's write is the outcome, with the value before."""
    async with session.subscribe(["A.B"]) as subscription, asyncio.TaskGroup() as group:
        writing = group.create_task(subscription.write("A.B", 42, user_id=7))
        await under_way(gateway, 1)
        gateway.put(write_complete(1, handle_of(gateway, "A.B")))
        outcome = await writing
    assert (outcome.tag, from_mx_value(outcome.value), from_mx_value(outcome.before.value)) == ("A.B", 42, 0)
    assert (gateway.commands_of("write")[0].user_id, len(gateway.stream_requests)) == (7, 1)


async def test_two_writes_of_a_tag_complete_in_their_order(gateway: FakeGateway, session: Session) -> None:
    """MXAccess names only the item: the first completion is the first write's, also when that one fails."""
    async with session.subscribe(["A.B"]) as subscription:
        first = asyncio.ensure_future(subscription.write("A.B", 1))
        await under_way(gateway, 1)
        second = asyncio.ensure_future(subscription.write("A.B", 2))
        await under_way(gateway, 2)
        gateway.put(write_complete(1, 1, success=0, detail=1008), write_complete(2, 1))
        with pytest.raises(MxAccessError, match="1008"):
            await first
        assert from_mx_value((await second).value) == 2


async def test_a_value_may_depend_on_the_present_one(gateway: FakeGateway, session: Session) -> None:
    """A function gets the present value as an OnDataChange."""
    async with session.subscribe(["A.B"]) as subscription, asyncio.TaskGroup() as group:
        group.create_task(subscription.write("A.B", lambda event: from_mx_value(event.value) + 5))
        await under_way(gateway, 1)
        assert from_mx_value(gateway.commands_of("write")[0].value) == 5
        gateway.put(write_complete(1, 1))


async def test_a_secured_write_names_operator_and_verifier(gateway: FakeGateway, session: Session) -> None:
    """verifier_id makes it WriteSecured."""
    async with session.subscribe(["A.B"]) as subscription, asyncio.TaskGroup() as group:
        group.create_task(subscription.write("A.B", 1, user_id=3, verifier_id=4))
        await eventually(lambda: bool(gateway.commands_of("write_secured")))
        gateway.put(write_complete(1, 1))
    (sent,) = gateway.commands_of("write_secured")
    assert (sent.current_user_id, sent.verifier_user_id) == (3, 4)


async def test_a_refused_write_leaves_no_place_behind(gateway: FakeGateway, session: Session) -> None:
    """No completion follows a refusal, so the next one is that of the next write."""
    async with session.subscribe(["A.B"]) as subscription, asyncio.TaskGroup() as group:
        refusal = pb.MxCommandReply(
            protocol_status=failed(pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE), hresult=-2147024809
        )
        gateway.answer("write", lambda _: refusal if len(gateway.commands_of("write")) == 1 else None)
        with pytest.raises(MxAccessError):
            await subscription.write("A.B", 1)
        writing = group.create_task(subscription.write("A.B", 2))
        await under_way(gateway, 2)
        gateway.put(write_complete(1, 1))
        assert from_mx_value((await writing).value) == 2


async def test_a_completion_is_replayed_after_an_interruption(gateway: FakeGateway, session: Session) -> None:
    """The write is not sent again; the stream goes on where it broke and brings the completion."""
    gateway.events = [data_change(1, 1)]
    async with session.subscribe(["A.B"]) as subscription, asyncio.TaskGroup() as group:
        await anext(subscription)
        writing = group.create_task(subscription.write("A.B", 1))
        await under_way(gateway, 1)
        gateway.events = [data_change(1, 1), write_complete(2, 1)]
        gateway.put(BREAK)
        assert from_mx_value((await writing).value) == 1
    assert len(gateway.commands_of("write")) == 1


async def test_while_interrupted_nothing_is_sent(gateway: FakeGateway, session: Session) -> None:
    """A write while the stream is down says so at once, and that nothing was sent."""
    paused = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        await paused.wait()

    subscription = session.subscribe(["A.B"])
    subscription._feed.sleep = sleep
    async with subscription:
        gateway.put(BREAK)
        await eventually(lambda: subscription.interruptions == 1 and not subscription._feed.is_serving)
        with pytest.raises(MxGatewayConnectionError, match="nothing was sent"):
            await subscription.write("A.B", 1)
        paused.set()
    assert gateway.commands_of("write") == []


async def test_lost_events_end_the_wait_and_renew_the_item(gateway: FakeGateway, session: Session) -> None:
    """A completion may be among them; the late one of the old item must not pass for that of the next write."""
    async with session.subscribe(["A.B"]) as subscription, asyncio.TaskGroup() as group:
        writing = asyncio.ensure_future(subscription.write("A.B", 1))
        await under_way(gateway, 1)
        old = handle_of(gateway, "A.B")
        gateway.put(pb.MxEventBatch(events=[data_change(9, old)], dropped_events=7))
        with pytest.raises(MxGatewayTransportError, match="outcome is unknown"):
            await writing
        await eventually(lambda: handle_of(gateway, "A.B") != old and subscription._items.item_of("A.B") is not None)
        again = group.create_task(subscription.write("A.B", 2))
        await under_way(gateway, 2)
        gateway.put(write_complete(10, old, success=0, detail=1008))
        gateway.put(write_complete(11, handle_of(gateway, "A.B")))
        assert from_mx_value((await again).value) == 2


async def test_a_completion_that_does_not_come(
    gateway: FakeGateway, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says that the outcome is unknown; before the write was sent it says that nothing was written."""
    limits = TimeLimits(monkeypatch)
    async with session.subscribe(["A.B"]) as subscription:
        writing = asyncio.ensure_future(subscription.write("A.B", 1, timeout=LONG))
        await under_way(gateway, 1)
        limits.run_out()
        with pytest.raises(MxGatewayTimeoutError, match="outcome is unknown"):
            await writing
        gateway.answer("read_bulk", lambda _: asyncio.sleep(30))
        await eventually(lambda: subscription._items.item_of("A.B") is not None)
        with pytest.raises(MxGatewayTimeoutError, match="nothing was written"):
            await subscription.write("A.B", 1, timeout=0.05)


async def test_the_end_of_the_subscription_ends_the_wait(gateway: FakeGateway, client: GatewayClient) -> None:
    """A write under way when everything ends does not hang."""
    subscription: Subscription = client.subscribe(["A.B"])
    async with subscription:
        writing = asyncio.ensure_future(subscription.write("A.B", 1))
        await under_way(gateway, 1)
    with pytest.raises(MxGatewayTransportError, match="outcome is unknown"):
        await writing


async def test_what_is_not_subscribed_cannot_be_written(gateway: FakeGateway, session: Session) -> None:
    """A tag of another spelling, and one that was refused, are refused with the reason."""
    reply = gateway.reply(
        pb.MxCommandRequest(command=pb.MxCommand(subscribe_bulk=pb.SubscribeBulkCommand(tag_addresses=["A.B"])))
    )
    reply.subscribe_bulk.results.add(tag_address="C.D", was_successful=False, error_message="denied")
    gateway.answer("subscribe_bulk", reply)
    async with session.subscribe(["A.B", "C.D"]) as subscription:
        with pytest.raises(ValueError, match="not subscribed"):
            await subscription.write("E.F", 1)
        with pytest.raises(ValueError, match="denied"):
            await subscription.write("C.D", 1)
    assert gateway.commands_of("write") == []
