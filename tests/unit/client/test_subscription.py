"""Subscriptions: values, resumption, gaps, lost sessions, handlers, overflow, and clean ends."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, data_change, failed, ok
from tests.support.waiting import eventually

from mxgateway import (
    DataChange,
    GatewayClient,
    MxGatewayAuthorizationError,
    MxGatewayConnectionError,
    MxGatewayOverflowError,
    MxGatewaySessionError,
    MxGatewayTimeoutError,
    OverflowPolicy,
    Session,
    SubscriptionState,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb

BREAK = Abort(grpc.StatusCode.UNAVAILABLE, "connection lost")


def gap(requested: int, oldest: int) -> pb.MxEvent:
    return pb.MxEvent(replay_gap=pb.ReplayGap(requested_after_sequence=requested, oldest_available_sequence=oldest))


async def test_values_come_by_name(gateway: FakeGateway, session: Session) -> None:
    """Each change names its tag and has value, quality, time and sequence; other items' events are left out."""
    gateway.events = [data_change(1, 1), data_change(2, 77), data_change(3, 2, quality=0)]
    async with session.subscribe(["A.B", "A.C", "A.B"]) as subscription:
        assert subscription.tags == ("A.B", "A.C")
        first, second = await anext(subscription), await anext(subscription)
        assert (first.tag, first.value, first.quality, first.is_good) == ("A.B", 1, 192, True)
        assert (second.tag, second.worker_sequence, second.is_good) == ("A.C", 3, False)
        assert first.source_timestamp is not None
        assert first.source_timestamp.tzinfo is not None
        assert (first.replayed, first.recovered, first.lost_before) == (False, False, 0)
        assert subscription.state is SubscriptionState.CONNECTED
    assert subscription.state is SubscriptionState.CLOSED
    arms = [request.command.WhichOneof("payload") for request in gateway.commands]
    assert arms == ["register", "subscribe_bulk", "unsubscribe_bulk", "unregister"]


async def test_refused_tags_are_named(gateway: FakeGateway, session: Session) -> None:
    """A tag that is refused stands in `failures`; the others work."""
    reply = pb.MxCommandReply(protocol_status=ok(), hresult=0)
    reply.subscribe_bulk.results.add(tag_address="A.B", item_handle=1, was_successful=True)
    reply.subscribe_bulk.results.add(tag_address="A.C", was_successful=False, error_message="denied")
    gateway.answer("subscribe_bulk", reply)
    gateway.events = [data_change(1, 1)]
    async with session.subscribe(["A.B", "A.C"]) as subscription:
        assert subscription.failures == {"A.C": "denied"}
        assert (await anext(subscription)).tag == "A.B"


async def test_interrupted_stream_is_resumed(gateway: FakeGateway, session: Session) -> None:
    """After a break the stream goes on after the last event; what was missed is marked as replayed."""
    gateway.events = [data_change(1, 1), data_change(2, 1)]
    async with session.subscribe(["A.B"]) as subscription:
        states = subscription.states()
        assert await anext(states) is SubscriptionState.CONNECTED
        assert [(await anext(subscription)).value for _ in range(2)] == [1, 2]
        gateway.events = [
            pb.MxEventBatch(events=[data_change(3, 1), data_change(4, 1)], replayed_events=2),
            pb.MxEventBatch(events=[data_change(5, 1)]),
        ]
        gateway.put(BREAK)
        changes = [await anext(subscription) for _ in range(3)]
        assert [(c.value, c.replayed, c.recovered) for c in changes] == [
            (3, True, False),
            (4, True, False),
            (5, False, False),
        ]
        assert subscription.state is SubscriptionState.RECOVERED
        assert subscription.gaps == 0
        await states.aclose()  # type: ignore[attr-defined]
    assert [request.after_worker_sequence for request in gateway.stream_requests] == [0, 2]
    assert len(gateway.commands_of("subscribe_bulk")) == 1


async def test_stream_that_broke_before_its_first_event_begins_anew(gateway: FakeGateway, session: Session) -> None:
    """Without a position to go on from, the whole beginning is asked for: a fresh stream might lack what was sent."""
    async with session.subscribe(["A.B"]) as subscription:
        gateway.events = [data_change(1, 1)]
        gateway.put(BREAK)
        assert (await anext(subscription)).value == 1
    assert [request.from_beginning for request in gateway.stream_requests] == [False, True]


async def test_gap_is_recovered_and_counted(gateway: FakeGateway, session: Session) -> None:
    """When the gateway has lost the position, current values are read, marked, and the loss is counted."""
    gateway.events = [data_change(1, 1)]
    async with session.subscribe(["A.B", "A.C"]) as subscription:
        await anext(subscription)
        older, newer = data_change(50, 1), data_change(51, 1)
        older.source_timestamp.FromSeconds(1_600_000_000)
        newer.source_timestamp.FromSeconds(1_800_000_000)
        gateway.events = [gap(1, 50), older, newer]
        gateway.put(BREAK)
        changes = [await anext(subscription) for _ in range(4)]
        assert [(c.tag, c.recovered, c.replayed, c.lost_before) for c in changes] == [
            ("A.B", True, False, 48),
            ("A.C", True, False, 0),
            ("A.B", False, True, 0),
            ("A.B", False, False, 0),
        ]
        assert subscription.gaps == 1
    assert len(gateway.commands_of("read_bulk")) == 1


async def test_a_gap_whose_recovery_breaks_off_counts_once(gateway: FakeGateway, session: Session) -> None:
    """The stream is resumed before the gap, which is told again: the loss is not counted twice."""
    gateway.events = [data_change(1, 1)]
    async with session.subscribe(["A.B"]) as subscription:
        await anext(subscription)
        gateway.events = [gap(1, 50), data_change(50, 1)]
        gateway.answer(
            "read_bulk",
            lambda request: gateway.reply(request) if len(gateway.commands_of("read_bulk")) > 1 else BREAK,
        )
        gateway.put(BREAK)
        changes = [await anext(subscription) for _ in range(2)]
        assert [(c.recovered, c.lost_before) for c in changes] == [(True, 48), (False, 0)]
        assert (subscription.gaps, subscription.interruptions) == (1, 2)


async def test_events_dropped_by_the_gateway_are_a_gap(gateway: FakeGateway, session: Session) -> None:
    """A marker of dropped events within a running stream leads to fresh values and a count."""
    gateway.events = [
        pb.MxEventBatch(events=[data_change(1, 1)]),
        pb.MxEventBatch(events=[data_change(9, 1)], dropped_events=7),
    ]
    async with session.subscribe(["A.B"]) as subscription:
        changes = [await anext(subscription) for _ in range(3)]
    assert [(c.recovered, c.lost_before) for c in changes] == [(False, 0), (True, 7), (False, 0)]


async def test_lost_session_ends_a_subscription_of_it(gateway: FakeGateway, session: Session) -> None:
    """A session that is gone cannot be resumed: queued changes come first, then the typed error, again and again."""
    gateway.events = [data_change(1, 1)]
    async with session.subscribe(["A.B"]) as subscription:
        gateway.answer(
            "get_session_state", pb.MxCommandReply(protocol_status=failed(pb.PROTOCOL_STATUS_CODE_SESSION_NOT_FOUND))
        )
        gateway.put(BREAK)
        await eventually(lambda: subscription.state is SubscriptionState.CLOSED)
        assert (await anext(subscription)).value == 1
        for _ in range(2):
            with pytest.raises(MxGatewaySessionError):
                await anext(subscription)


async def test_own_session_is_opened_anew(gateway: FakeGateway, client: GatewayClient) -> None:
    """client.subscribe opens a new session when its own is lost; the first value of each tag is marked recovered."""
    gateway.events = [data_change(1, 1)]
    async with client.subscribe(["A.B"], client_session_name="mine") as subscription:
        assert not (await anext(subscription)).recovered
        gateway.answer(
            "get_session_state", pb.MxCommandReply(protocol_status=failed(pb.PROTOCOL_STATUS_CODE_SESSION_NOT_FOUND))
        )
        gateway.events = [data_change(1, 2), data_change(2, 2)]
        gateway.put(BREAK)
        changes = [await anext(subscription) for _ in range(2)]
        assert [c.recovered for c in changes] == [True, False]
        assert subscription.state is SubscriptionState.RECOVERED
    assert gateway.calls["OpenSession"] == 2
    assert gateway.calls["CloseSession"] == 2
    assert gateway.requests[0].client_session_name == "mine"


async def test_attempts_go_on_until_the_gateway_is_back(gateway: FakeGateway, session: Session) -> None:
    """Failures while reconnecting are tried again with growing delays; a refusal for good ends it."""
    gateway.events = [data_change(1, 1)]
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    subscription = session.subscribe(["A.B"])
    subscription._feed.sleep = sleep
    async with subscription:
        await anext(subscription)
        gateway.script("Invoke", BREAK, BREAK, BREAK)
        gateway.events = [data_change(1, 1), data_change(2, 1)]
        gateway.put(BREAK)
        assert (await anext(subscription)).value == 2
        assert delays[0] == 0
        assert 0 < delays[1] < delays[2] * 2
        gateway.script("Invoke", Abort(grpc.StatusCode.PERMISSION_DENIED, "revoked"))
        gateway.put(BREAK)
        with pytest.raises(MxGatewayAuthorizationError, match="revoked"):
            await anext(subscription)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_handler_gets_each_change(gateway: FakeGateway, session: Session, asynchronous: bool) -> None:
    """A handler, plain or async, is called in order; one that fails does not stop the others."""
    seen: list[int] = []

    def plain(change: DataChange) -> None:
        seen.append(change.value)
        if change.value == 2:
            raise RuntimeError("cannot digest")

    async def coroutine(change: DataChange) -> None:
        plain(change)

    gateway.events = [data_change(n, 1) for n in (1, 2, 3)]
    async with session.subscribe(["A.B"], handler=coroutine if asynchronous else plain):
        await eventually(lambda: len(seen) == 3)
    assert seen == [1, 2, 3]


async def test_overflow_policy_disconnect(gateway: FakeGateway, session: Session) -> None:
    """A queue that overflows with DISCONNECT ends the subscription with its error after what is queued."""
    gateway.events = [data_change(n, 1) for n in range(1, 5)]
    async with session.subscribe(["A.B"], queue_size=2, overflow=OverflowPolicy.DISCONNECT) as subscription:
        await eventually(lambda: subscription.state is SubscriptionState.CLOSED)
        assert [(await anext(subscription)).value for _ in range(2)] == [1, 2]
        with pytest.raises(MxGatewayOverflowError):
            await anext(subscription)


async def test_overflow_error_survives_closing(gateway: FakeGateway, session: Session) -> None:
    """The first terminal state wins: closing after an overflow does not turn it into a clean end."""
    gateway.events = [data_change(n, 1) for n in range(1, 5)]
    subscription = session.subscribe(["A.B"], queue_size=1, overflow=OverflowPolicy.DISCONNECT)
    await subscription.start()
    await eventually(lambda: subscription.state is SubscriptionState.CLOSED)
    await subscription.aclose()
    await anext(subscription)
    with pytest.raises(MxGatewayOverflowError):
        await anext(subscription)


async def test_next_change_with_a_limit(gateway: FakeGateway, session: Session) -> None:
    """next_change raises a timeout error when nothing comes, and the subscription goes on."""
    async with session.subscribe(["A.B"]) as subscription:
        with pytest.raises(MxGatewayTimeoutError, match=r"within 0\.05 s"):
            await subscription.next_change(0.05)
        gateway.put(data_change(1, 1))
        assert (await subscription.next_change(5)).value == 1


async def test_closing_ends_a_waiting_consumer(gateway: FakeGateway, session: Session) -> None:
    """aclose() by another task ends the waiting loop cleanly, and again does nothing."""
    subscription = session.subscribe(["A.B"])
    await subscription.start()
    waiter = asyncio.ensure_future(anext(subscription, None))
    await asyncio.sleep(0)
    await subscription.aclose()
    await subscription.aclose()
    assert await waiter is None


async def test_plain_loop_needs_no_with(gateway: FakeGateway, client: GatewayClient) -> None:
    """Iterating starts by itself, and closing the session ends what the loop has left behind."""
    gateway.events = [data_change(1, 1)]
    session = await client.open_session()
    async for change in session.subscribe(["A.B"]):
        assert change.value == 1
        break
    await session.close()
    await eventually(lambda: gateway.streams_open == 0)


async def test_failed_start_leaves_nothing(gateway: FakeGateway, session: Session) -> None:
    """When the tags cannot be subscribed the error is raised and the stream is closed."""
    gateway.answer("subscribe_bulk", pb.MxCommandReply(protocol_status=failed(pb.PROTOCOL_STATUS_CODE_TIMEOUT)))
    with pytest.raises(MxGatewayTimeoutError):
        await session.subscribe(["A.B"]).start()
    await eventually(lambda: gateway.streams_open == 0)


async def test_wrong_arguments(session: Session) -> None:
    """One string in place of a list, and a queue without room, are refused at once."""
    with pytest.raises(TypeError, match="list"):
        session.subscribe("A.B")
    with pytest.raises(ValueError, match="queue_size"):
        session.subscribe(["A.B"], queue_size=0)


async def test_supervisory_subscription(gateway: FakeGateway, session: Session) -> None:
    """supervisory=True advises with AdviseSupervisory."""
    async with session.subscribe(["A.B"], supervisory=True):
        assert [each.item_handle for each in gateway.commands_of("advise_supervisory")] == [1]


async def test_a_new_session_does_not_wait_once_the_gateway_answers(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    """After a long absence the waits are long; the gateway's word that the session is gone ends them."""
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    lost = pb.MxCommandReply(protocol_status=failed(pb.PROTOCOL_STATUS_CODE_SESSION_NOT_FOUND))
    gateway.answer("get_session_state", lambda _: BREAK if len(gateway.commands_of("get_session_state")) < 6 else lost)
    subscription = client.subscribe(["A.B"])
    subscription._feed.sleep = sleep
    async with subscription:
        gateway.put(BREAK)
        await eventually(lambda: subscription.new_sessions == 1)
    assert delays[-2] > 1
    assert delays[-1] == 0


async def test_quiet_tags_do_not_hide_that_the_stream_stands_again(gateway: FakeGateway, session: Session) -> None:
    """RECOVERED comes when the gateway has accepted the stream, not only with the next event."""
    gateway.announces_streams = True
    async with session.subscribe(["A.B"]) as subscription:
        assert subscription.last_interruption is None
        gateway.put(BREAK)
        await eventually(lambda: subscription.state is SubscriptionState.RECOVERED)
        assert "connection lost" in str(subscription.last_interruption)
        assert (subscription.interruptions, subscription.lost, subscription.new_sessions) == (1, 0, 0)


async def test_a_stream_that_fails_again_and_again_is_opened_ever_more_seldom(
    gateway: FakeGateway, session: Session
) -> None:
    """A session that answers but whose stream never brings anything does not make a busy loop."""
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(seconds)

    subscription = session.subscribe(["A.B"])
    subscription._feed.sleep = sleep
    async with subscription:
        gateway.put(*[BREAK] * 5, data_change(1, 1))
        assert (await subscription.next_change(10)).value == 1
    assert delays[0] == 0
    assert all(later >= 0.1 * 2**n for n, later in enumerate(delays[1:5]))


async def test_an_event_that_comes_again_is_no_change(gateway: FakeGateway, session: Session) -> None:
    """A gateway that replays more than it was asked for does not double a value: the sequence decides."""
    gateway.events = [pb.MxEventBatch(events=[data_change(1, 1), data_change(2, 1)])]
    async with session.subscribe(["A.B"]) as subscription:
        assert [(await subscription.next_change(10)).value for _ in range(2)] == [1, 2]
        gateway.events = [pb.MxEventBatch(events=[data_change(n, 1) for n in (1, 2, 3)], replayed_events=3)]
        gateway.put(BREAK)
        assert (await subscription.next_change(10)).value == 3


async def test_without_reconnect_the_first_break_is_the_end(gateway: FakeGateway, client: GatewayClient) -> None:
    """reconnect=False: what is queued comes, then the error that broke the stream."""
    gateway.events = [data_change(1, 1), BREAK]
    async with client.subscribe(["A.B"], reconnect=False) as subscription:
        assert (await anext(subscription)).value == 1
        with pytest.raises(MxGatewayConnectionError, match="connection lost"):
            await anext(subscription)
        assert subscription.state is SubscriptionState.CLOSED
    assert gateway.calls["OpenSession"] == 1


@pytest.mark.parametrize("conflated", [True, False])
async def test_what_conflation_replaced_is_not_read_again(
    gateway: FakeGateway, client: GatewayClient, conflated: bool
) -> None:
    """Each dropped event was replaced by a younger one of its item, which comes; so reading brings nothing new.

    A gap at the beginning of a new stream, and one of a resumed stream, are read all the same.
    """
    policy = pb.BACKPRESSURE_POLICY_CONFLATE if conflated else pb.BACKPRESSURE_POLICY_DROP_OLDEST
    async with await client.open_session(backpressure_policy=policy) as session:
        assert session.backpressure_policy == policy
        async with session.subscribe(["A.B"]) as subscription:
            gateway.put(pb.MxEventBatch(events=[data_change(1, 1)], dropped_events=1))
            first = [await subscription.next_change(10) for _ in range(2)]
            assert [(c.recovered, c.lost_before) for c in first] == [(True, 1), (False, 0)]
            gateway.put(pb.MxEventBatch(events=[data_change(2, 1)], dropped_events=7))
            second = [await subscription.next_change(10) for _ in range(1 if conflated else 2)]
            assert [(c.recovered, c.lost_before) for c in second] == [(not conflated, 7), (False, 0)][: len(second)]
            assert (subscription.gaps, subscription.lost) == (2, 8)
            reads = len(gateway.commands_of("read_bulk"))
            assert reads == (1 if conflated else 2)
            gateway.events = [gap(2, 50), data_change(50, 1)]
            gateway.put(BREAK)
            assert (await subscription.next_change(10)).recovered
            assert len(gateway.commands_of("read_bulk")) == reads + 1


async def test_a_session_of_the_default_policy_is_read_again(gateway: FakeGateway, session: Session) -> None:
    """What the gateway's default is, is not known here: a gap is read as ever."""
    assert session.backpressure_policy == pb.BACKPRESSURE_POLICY_UNSPECIFIED
    gateway.events = [
        pb.MxEventBatch(events=[data_change(1, 1)]),
        pb.MxEventBatch(events=[data_change(9, 1)], dropped_events=7),
    ]
    async with session.subscribe(["A.B"]) as subscription:
        changes = [await subscription.next_change(10) for _ in range(3)]
        assert [c.recovered for c in changes] == [False, True, False]
