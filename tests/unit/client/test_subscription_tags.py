"""Tags that come and go while a subscription runs: values, refusals, interruptions, and half-done commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, data_change, failed, ok, running_fake
from tests.support.waiting import eventually

from mxgateway import (
    GatewayClient,
    MxGatewayAuthenticationError,
    MxGatewaySessionError,
    Session,
    Subscription,
    SubscriptionState,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.subscribed_items import SubscribedItems
from mxgateway_contract.constants import CAPABILITY_CLIENT_HANDLES

CAPABILITIES = FakeGateway.capabilities


@pytest.fixture(params=["by client handles", "by item handles"])
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[FakeGateway]:
    """One that knows client handles, and one of another make that does not: everything is the same with both."""
    known = (CAPABILITY_CLIENT_HANDLES,) if request.param == "by client handles" else ()
    async with running_fake(FakeGateway(capabilities=CAPABILITIES + known)) as fake:
        yield fake


BREAK = Abort(grpc.StatusCode.UNAVAILABLE, "connection lost")
LOST = pb.MxCommandReply(protocol_status=failed(pb.PROTOCOL_STATUS_CODE_SESSION_NOT_FOUND))


def handles_of(gateway: FakeGateway, tag: str) -> list[int]:
    return [handle for handle, name in gateway.items.items() if name == tag]


def refusing(arm: str, refused: str) -> pb.MxCommandReply:
    reply = pb.MxCommandReply(protocol_status=ok(), hresult=0)
    getattr(reply, arm).results.add(tag_address=refused, item_handle=0, error_message="denied")
    return reply


async def next_values(subscription: Subscription, count: int) -> list[tuple[str, int]]:
    changes = [await subscription.next_change(10) for _ in range(count)]
    return [(change.tag, change.value) for change in changes]


async def test_an_added_tag_is_subscribed_once_and_its_changes_come(gateway: FakeGateway, session: Session) -> None:
    """add() returns when the item is advised; a tag that is there already is left alone."""
    async with session.subscribe(["A.B"]) as subscription:
        await subscription.add(["C.D", "A.B", "C.D"])
        assert subscription.tags == ("A.B", "C.D")
        assert [list(each.tag_addresses) for each in gateway.commands_of("add_item_bulk")] == [["C.D"]]
        (handle,) = handles_of(gateway, "C.D")
        assert [list(each.item_handles) for each in gateway.commands_of("advise_item_bulk")] == [[handle]]
        gateway.put(data_change(1, 1), data_change(2, handle))
        assert await next_values(subscription, 2) == [("A.B", 1), ("C.D", 2)]
    assert list(gateway.commands_of("unsubscribe_bulk")[-1].item_handles) == [1, handle]


async def test_a_first_value_that_overtakes_the_advise_is_not_lost(gateway: FakeGateway, session: Session) -> None:
    """A constant tag sends one event in its life, and it may come before Advise is answered."""
    released = asyncio.Event()

    async def slowly(request: pb.MxCommandRequest) -> pb.MxCommandReply:
        gateway.put(data_change(1, request.command.advise_item_bulk.item_handles[0]))
        await released.wait()
        return gateway.reply(request)

    gateway.answer("advise_item_bulk", slowly)
    async with session.subscribe(["A.B"]) as subscription, asyncio.TaskGroup() as group:
        adding = group.create_task(subscription.add(["C.D"]))
        assert await next_values(subscription, 1) == [("C.D", 1)]
        assert not adding.done()
        released.set()


def numbers_of(gateway: FakeGateway) -> list[int]:
    """The numbers that were sent, in the order in which they were."""
    found: list[int] = []
    for request in gateway.commands:
        arm = request.command.WhichOneof("payload")
        if arm in ("add_item_bulk", "subscribe_bulk"):
            found += getattr(request.command, arm).client_handles
    return found


async def test_a_value_that_overtakes_the_reply_of_a_subscription_is_known_at_once_by_its_number(
    gateway: FakeGateway, session: Session
) -> None:
    """Without numbers it waits for the reply that names its item; either way it is the first change."""
    released = asyncio.Event()
    is_numbered = CAPABILITY_CLIENT_HANDLES in gateway.capabilities

    async def slowly(request: pb.MxCommandRequest) -> pb.MxCommandReply:
        gateway.put(data_change(7, 1))
        await released.wait()
        return gateway.reply(request)

    gateway.answer("subscribe_bulk", slowly)
    subscription = session.subscribe(["A.B"])
    async with asyncio.TaskGroup() as group:
        starting = group.create_task(subscription.__aenter__())
        if is_numbered:
            await eventually(lambda: subscription.waiting == 1)
            assert not starting.done()
        released.set()
    assert await next_values(subscription, 1) == [("A.B", 7)]
    await subscription.aclose()
    assert bool(numbers_of(gateway)) == is_numbered


async def test_a_late_event_of_a_removed_tag_is_not_taken_for_one_of_the_tag_that_has_its_handle_now(
    gateway: FakeGateway, session: Session
) -> None:
    """MXAccess uses handles again, and events travel while commands do."""
    if CAPABILITY_CLIENT_HANDLES not in gateway.capabilities:
        return  # nobody can tell these two
    async with session.subscribe(["A.B"]) as subscription:
        (former,) = numbers_of(gateway)
        await subscription.remove(["A.B"])
        await eventually(lambda: bool(gateway.commands_of("unsubscribe_bulk")))
        gateway._next_item = 1
        await subscription.add(["A.B", "C.D"])
        assert len(set(numbers_of(gateway))) == 3, "no number is used twice"
        late = data_change(1, 1)
        late.client_handle = former
        gateway.put(late, data_change(2, 1), data_change(3, 2))
        assert await next_values(subscription, 2) == [("A.B", 2), ("C.D", 3)]


async def test_tags_can_be_added_before_the_start_and_to_nothing(gateway: FakeGateway, session: Session) -> None:
    """A subscription may begin without tags; what is added before it starts is subscribed with the others."""
    subscription = session.subscribe([])
    await subscription.add(["A.B"])
    assert gateway.commands == []
    async with subscription:
        assert [list(each.tag_addresses) for each in gateway.commands_of("subscribe_bulk")] == [["A.B"]]
    async with session.subscribe([]) as empty:
        await empty.add(["C.D"])
        gateway.put(data_change(1, handles_of(gateway, "C.D")[0]))
        assert await next_values(empty, 1) == [("C.D", 1)]


@pytest.mark.parametrize("supervisory", [False, True])
async def test_refused_tags_stand_in_failures_and_can_be_tried_again(
    gateway: FakeGateway, session: Session, supervisory: bool
) -> None:
    """A tag that is refused by AddItem or by Advise has its reason, no item is left of it, and add() tries it anew."""
    async with session.subscribe(["A.B"], supervisory=supervisory) as subscription:
        gateway.answer("add_item_bulk", refusing("add_item_bulk", "C.D"))
        await subscription.add(["C.D"])
        assert subscription.failures == {"C.D": "denied"}
        del gateway.answers["add_item_bulk"]
        advise = "advise_supervisory" if supervisory else "advise_item_bulk"
        denied = (
            pb.MxCommandReply(
                protocol_status=failed(pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE, "denied"), hresult=-2147024809
            )
            if supervisory
            else refusing("advise_item_bulk", "C.D")
        )
        gateway.answer(advise, denied)
        await subscription.add(["C.D"])
        assert "denied" in subscription.failures["C.D"]
        refused = handles_of(gateway, "C.D")
        await eventually(lambda: [list(r.item_handles) for r in gateway.commands_of("unsubscribe_bulk")] == [refused])
        del gateway.answers[advise]
        await subscription.add(["C.D"])
        assert subscription.failures == {}
        gateway.put(data_change(1, handles_of(gateway, "C.D")[-1]))
        assert await next_values(subscription, 1) == [("C.D", 1)]


async def test_one_impossible_tag_does_not_spoil_the_others(gateway: FakeGateway, session: Session) -> None:
    """When the gateway refuses a call as a whole, only the tag that is to blame is refused."""

    def answer(request: pb.MxCommandRequest) -> pb.MxCommandReply | None:
        too_long = any(len(tag) > 10 for tag in request.command.add_item_bulk.tag_addresses)
        invalid = failed(pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST, "the reference is too long")
        return pb.MxCommandReply(protocol_status=invalid) if too_long else None

    gateway.answer("add_item_bulk", answer)
    async with session.subscribe(["A.B"]) as subscription:
        await subscription.add(["C.D", "X" * 11, "E.F"])
        assert list(subscription.failures) == ["X" * 11]
        assert "too long" in subscription.failures["X" * 11]
        gateway.put(data_change(1, handles_of(gateway, "E.F")[0]))
        assert await next_values(subscription, 1) == [("E.F", 1)]
        assert subscription.state is SubscriptionState.CONNECTED


async def test_a_removed_tag_yields_nothing_more(gateway: FakeGateway, session: Session) -> None:
    """Its item goes, its late events count for nothing, and what waits of it is dropped."""
    async with session.subscribe(["A.B", "C.D"]) as subscription:
        gateway.put(data_change(1, 1), data_change(2, 2), data_change(3, 1))
        await eventually(lambda: subscription.waiting == 3)
        await subscription.remove(["A.B", "Un.Known"])
        assert subscription.tags == ("C.D",)
        assert [list(each.item_handles) for each in gateway.commands_of("unsubscribe_bulk")] == [[1]]
        gateway.put(data_change(4, 1), data_change(5, 2))
        assert await next_values(subscription, 2) == [("C.D", 2), ("C.D", 5)]
        await subscription.add(["A.B"])
        handle = handles_of(gateway, "A.B")[-1]
        assert handle != 1
        gateway.put(data_change(6, 1), data_change(7, handle))
        assert await next_values(subscription, 1) == [("A.B", 7)]


async def test_what_was_lost_before_a_removed_tag_is_still_told(gateway: FakeGateway, session: Session) -> None:
    """lost_before counts events of the session, so it passes to the next change."""
    async with session.subscribe(["A.B", "C.D"]) as subscription:
        gateway.put(pb.MxEventBatch(events=[data_change(9, 2)], dropped_events=7))
        await eventually(lambda: subscription.waiting == 3)
        await subscription.remove(["A.B"])
        change = await subscription.next_change(10)
        assert (change.tag, change.recovered, change.lost_before) == ("C.D", True, 7)
        assert subscription.lost == 7


async def test_the_changed_set_survives_a_resumed_stream(gateway: FakeGateway, session: Session) -> None:
    """What is added and removed during an interruption is done afterwards; nothing is subscribed twice."""
    paused = asyncio.Event()
    subscription = session.subscribe(["A.B", "C.D"])

    async def sleep(_seconds: float) -> None:
        await paused.wait()

    subscription._feed.sleep = sleep
    async with subscription:
        await subscription.add(["E.F"])
        gateway.put(data_change(1, 1))
        assert await next_values(subscription, 1) == [("A.B", 1)]
        gateway.put(BREAK)
        await eventually(lambda: subscription.state is SubscriptionState.RECONNECTING)
        await subscription.add(["G.H"])
        await subscription.remove(["C.D"])
        assert gateway.commands_of("unsubscribe_bulk") == []
        paused.set()
        await eventually(lambda: len(gateway.commands_of("advise_item_bulk")) == 2)
        assert [list(each.item_handles) for each in gateway.commands_of("unsubscribe_bulk")] == [[2]]
        assert [list(each.tag_addresses) for each in gateway.commands_of("add_item_bulk")] == [["E.F"], ["G.H"]]
        gateway.put(data_change(2, 2), data_change(3, handles_of(gateway, "G.H")[0]))
        assert await next_values(subscription, 1) == [("G.H", 3)]


async def test_the_changed_set_survives_a_new_session(gateway: FakeGateway, client: GatewayClient) -> None:
    """A new session gets the tags that are wanted now."""
    gateway.events = [data_change(1, 1)]
    async with client.subscribe(["A.B", "C.D"]) as subscription:
        assert await next_values(subscription, 1) == [("A.B", 1)]
        await subscription.add(["E.F"])
        await subscription.remove(["A.B"])
        gateway.answer("get_session_state", LOST)
        gateway.events = []
        gateway.put(BREAK)
        await eventually(lambda: subscription.new_sessions == 1)
        assert list(gateway.commands_of("subscribe_bulk")[-1].tag_addresses) == ["C.D", "E.F"]
        gateway.put(data_change(1, handles_of(gateway, "E.F")[-1]))
        change = await subscription.next_change(10)
        assert (change.tag, change.recovered) == ("E.F", True)


async def test_an_add_that_breaks_off_is_finished_after_the_reconnect(gateway: FakeGateway, session: Session) -> None:
    """An item of which nobody knows whether it is advised goes; another comes in its place, and none comes twice."""

    def answer(request: pb.MxCommandRequest) -> pb.MxCommandReply | Abort:
        return BREAK if len(gateway.commands_of("advise_item_bulk")) == 1 else gateway.reply(request)

    gateway.answer("advise_item_bulk", answer)
    gateway.events = [data_change(1, 1)]
    async with session.subscribe(["A.B"]) as subscription:
        assert await next_values(subscription, 1) == [("A.B", 1)]
        await subscription.add(["C.D"])
        await eventually(lambda: len(gateway.commands_of("advise_item_bulk")) == 2)
        first, second = handles_of(gateway, "C.D")
        assert [list(each.item_handles) for each in gateway.commands_of("unsubscribe_bulk")] == [[first]]
        gateway.put(data_change(2, first), data_change(3, second))
        assert await next_values(subscription, 1) == [("C.D", 3)]
        assert subscription.interruptions == 1


async def test_an_add_whose_first_call_breaks_off_is_done_after_the_reconnect(
    gateway: FakeGateway, session: Session
) -> None:
    """Nothing was added as far as anybody knows: the tag is still wanted, and is added then."""
    gateway.answer("add_item_bulk", lambda _: BREAK if len(gateway.commands_of("add_item_bulk")) == 1 else None)
    async with session.subscribe(["A.B"]) as subscription:
        await subscription.add(["C.D"])
        await eventually(lambda: len(gateway.commands_of("advise_item_bulk")) == 1)
        gateway.put(data_change(1, handles_of(gateway, "C.D")[0]))
        assert await next_values(subscription, 1) == [("C.D", 1)]
        assert (subscription.interruptions, subscription.failures) == (1, {})


async def test_an_item_that_is_not_advised_is_removed_all_the_same(gateway: FakeGateway, session: Session) -> None:
    """UnsubscribeBulk stops where UnAdvise fails; the item would stay in the session."""
    reply = pb.MxCommandReply(protocol_status=ok(), hresult=0)
    reply.unsubscribe_bulk.results.add(item_handle=1, was_successful=False, error_message="not advised")
    gateway.answer("unsubscribe_bulk", reply)
    async with session.subscribe(["A.B"]) as subscription:
        await subscription.remove(["A.B"])
        assert [list(each.item_handles) for each in gateway.commands_of("remove_item_bulk")] == [[1]]


async def test_a_tag_removed_while_it_is_added_goes(gateway: FakeGateway, session: Session) -> None:
    """The item that AddItem has made meanwhile is removed again."""
    released = asyncio.Event()

    async def slowly(request: pb.MxCommandRequest) -> pb.MxCommandReply:
        await released.wait()
        return gateway.reply(request)

    gateway.answer("add_item_bulk", slowly)
    async with session.subscribe(["A.B"]) as subscription, asyncio.TaskGroup() as group:
        group.create_task(subscription.add(["C.D"]))
        await eventually(lambda: bool(gateway.commands_of("add_item_bulk")))
        group.create_task(subscription.remove(["C.D"]))
        await eventually(lambda: subscription.tags == ("A.B",))
        released.set()
        await eventually(lambda: bool(gateway.commands_of("unsubscribe_bulk")))
        assert list(gateway.commands_of("unsubscribe_bulk")[0].item_handles) == handles_of(gateway, "C.D")
        assert gateway.commands_of("advise_item_bulk") == []


async def test_a_reconnect_that_breaks_off_while_subscribing_begins_anew(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    """A new session whose tags could not be subscribed is not resumed as if they were there."""
    gateway.events = [data_change(1, 1)]
    async with client.subscribe(["A.B"]) as subscription:
        assert await next_values(subscription, 1) == [("A.B", 1)]
        gateway.answer(
            "get_session_state", lambda _: LOST if len(gateway.commands_of("get_session_state")) == 1 else None
        )
        gateway.answer("subscribe_bulk", lambda _: BREAK if len(gateway.commands_of("subscribe_bulk")) == 2 else None)
        gateway.events = []
        gateway.put(BREAK)
        await eventually(lambda: len(gateway.commands_of("subscribe_bulk")) == 3)
        gateway.put(data_change(1, handles_of(gateway, "A.B")[-1]))
        change = await subscription.next_change(10)
        assert (change.tag, change.value, change.recovered) == ("A.B", 1, True)
        assert (subscription.new_sessions, subscription.gaps) == (1, 1)
    assert gateway.calls["OpenSession"] == gateway.calls["CloseSession"] == 3


async def test_wrong_arguments_and_an_ended_subscription(gateway: FakeGateway, session: Session) -> None:
    """What is no list of strings is refused at once; after the end the error that ended it is told."""
    subscription = session.subscribe(["A.B"])
    async with subscription:
        for call in (subscription.add, subscription.remove):
            with pytest.raises(TypeError, match="list"):
                await call("A.B")
            with pytest.raises(TypeError, match="tag_addresses"):
                await call(["A.B", 7])  # type: ignore[list-item]
        assert subscription.tags == ("A.B",)
        gateway.script("Invoke", Abort(grpc.StatusCode.UNAUTHENTICATED, "revoked"))
        with pytest.raises(MxGatewayAuthenticationError):
            await subscription.add(["C.D"])
        with pytest.raises(MxGatewayAuthenticationError):
            await subscription.remove(["A.B"])
    other = session.subscribe(["A.B"])
    await other.aclose()
    with pytest.raises(MxGatewaySessionError, match="closed"):
        await other.add(["C.D"])


async def test_no_change_of_a_removed_tag_comes_however_well_it_was_known(
    gateway: FakeGateway, session: Session
) -> None:
    """What is remembered of an item, to know its events at once, ends with it."""
    async with session.subscribe(["A.B", "C.D"]) as subscription:
        first, second = (handles_of(gateway, tag)[0] for tag in ("A.B", "C.D"))
        gateway.put(*(data_change(n, first if n % 2 else second) for n in range(1, 7)))
        assert [tag for tag, _ in await next_values(subscription, 6)] == ["A.B", "C.D"] * 3
        await subscription.remove(["A.B"])
        gateway.put(data_change(7, first), data_change(8, second))
        assert await next_values(subscription, 1) == [("C.D", 8)]
        await subscription.add(["A.B"])
        again = handles_of(gateway, "A.B")[-1]
        gateway.put(*(data_change(n, again) for n in range(9, 12)))
        assert await next_values(subscription, 3) == [("A.B", n) for n in range(9, 12)]


async def test_items_say_that_they_tell_other_tags_than_before(gateway: FakeGateway, session: Session) -> None:
    """With each way in which an item's events come to be of no tag, or of another one: else the old one is taken."""
    items = SubscribedItems(["A.B", "C.D"], supervisory=False)
    versions = [items.version]
    await items.begin(session)
    keeping = asyncio.create_task(items.keep(session, lambda: None))
    await eventually(lambda: items.is_complete)
    versions.append(items.version)
    first, second = (handles_of(gateway, tag)[0] for tag in ("A.B", "C.D"))
    assert [items.tag_of(data_change(1, each)) for each in (first, second)] == ["A.B", "C.D"]
    items.renew([first])
    versions.append(items.version)
    items.unwant(["C.D"])
    versions.append(items.version)
    assert [items.tag_of(data_change(1, each)) for each in (first, second)] == [None, None]
    keeping.cancel()
    assert len(set(versions)) == len(versions)
