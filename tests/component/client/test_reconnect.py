"""A subscription over a real gateway whose connection is cut: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio

import pytest
from chaos.proxy import TcpProxy
from tests.support.waiting import eventually

from mxgateway import DataChange, GatewayClient, MxGatewaySessionError, Subscription, SubscriptionState
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.testing import LocalGateway

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.shares_processes, pytest.mark.timeout(120)]

TAGS = [f"TestMachine_{number:03}.TestChangingInt" for number in range(1, 21)]


async def collect(subscription: Subscription) -> list[DataChange]:
    """All changes up to the end."""
    return [change async for change in subscription]


async def test_cut_connection_loses_nothing(local_gateway: LocalGateway) -> None:
    """After a cut the stream is resumed: sequences stay unbroken and the session is the same."""
    host, _, port = local_gateway.endpoint.rpartition(":")
    async with TcpProxy((host, int(port))) as proxy:
        endpoint = f"localhost:{proxy.address.rpartition(':')[2]}"
        options = local_gateway.options(endpoint=endpoint)
        async with (
            await GatewayClient.connect(options) as client,
            await client.open_session() as session,
            session.subscribe(TAGS) as subscription,
        ):
            sequences = [(await subscription.next_change(20)).worker_sequence for _ in range(30)]
            for cut in (1, 2):
                proxy.cut()
                await eventually(lambda expected=cut: subscription.interruptions == expected, 20)  # type: ignore[misc]
                await eventually(lambda: subscription.state is SubscriptionState.RECOVERED, 30)
                sequences += [(await subscription.next_change(20)).worker_sequence for _ in range(30)]
            assert sequences == list(range(1, 91))
            assert (subscription.gaps, subscription.dropped) == (0, 0)


async def test_lost_session_is_replaced_or_reported(local_gateway: LocalGateway) -> None:
    """When the session ends, its own subscription ends with the typed error; one of the client opens a new session."""
    async with await local_gateway.connect() as client:
        async with await client.open_session() as session:
            subscription = session.subscribe(TAGS[:1])
            await subscription.next_change(20)
            await client.attach_session(session.session_id).close()
            await eventually(lambda: subscription.state is SubscriptionState.CLOSED, 20)
            with pytest.raises(MxGatewaySessionError):
                await collect(subscription)
        async with client.subscribe(TAGS[:1]) as surviving:
            await surviving.next_change(20)
            own = surviving._feed.session
            assert own is not None
            await client.attach_session(own.session_id).close()
            await eventually(lambda: surviving.state is SubscriptionState.RECOVERED, 20)
            recovered = False
            while not recovered:
                recovered = (await surviving.next_change(20)).recovered
            assert surviving.gaps == 1


async def test_a_line_that_goes_silent_is_noticed_within_the_keepalive(local_gateway: LocalGateway) -> None:
    """A peer that vanished without a word counts as gone after `keepalive_timeout`, not after gRPC's own minute."""
    host, _, port = local_gateway.endpoint.rpartition(":")
    async with TcpProxy((host, int(port))) as proxy:
        endpoint = f"localhost:{proxy.address.rpartition(':')[2]}"
        options = local_gateway.options(endpoint=endpoint, keepalive_time=10.0, keepalive_timeout=2.0)
        async with await GatewayClient.connect(options) as client, client.subscribe(TAGS) as subscription:
            sequences = [(await subscription.next_change(20)).worker_sequence for _ in range(30)]
            proxy.half_open()
            await eventually(lambda: subscription.interruptions == 1, 30)
            sequences += [(await subscription.next_change(20)).worker_sequence for _ in range(30)]
            assert sequences == list(range(1, 61))


async def until(subscription: Subscription, tag: str) -> list[DataChange]:
    """All changes up to one of the tag."""
    found = [await subscription.next_change(20)]
    while found[-1].tag != tag:
        found.append(await subscription.next_change(20))
    return found


async def test_tags_come_and_go_over_a_cut_and_a_new_session(local_gateway: LocalGateway) -> None:
    """What is added and removed holds after a resumed stream and in a new session; a refused tag spoils nothing."""
    host, _, port = local_gateway.endpoint.rpartition(":")
    async with TcpProxy((host, int(port))) as proxy:
        options = local_gateway.options(endpoint=f"localhost:{proxy.address.rpartition(':')[2]}")
        async with await GatewayClient.connect(options) as client, client.subscribe(TAGS[:2]) as subscription:
            await until(subscription, TAGS[1])
            too_long = "X" * 5000
            await subscription.add([TAGS[2], too_long])
            assert list(subscription.failures) == [too_long]
            await until(subscription, TAGS[2])
            await subscription.remove([TAGS[0], too_long])
            assert (subscription.tags, subscription.failures) == ((TAGS[1], TAGS[2]), {})

            await proxy.refuse()
            await eventually(lambda: subscription.state is SubscriptionState.RECONNECTING, 20)
            await subscription.add([TAGS[3]])
            await subscription.remove([TAGS[1]])
            await proxy.heal()
            changes = await until(subscription, TAGS[3])
            changes += await until(subscription, TAGS[2])
            assert {change.tag for change in changes} == {TAGS[2], TAGS[3]}
            assert (subscription.interruptions, subscription.new_sessions, subscription.lost) == (1, 0, 0)

            own = subscription._feed.session
            assert own is not None
            async with await local_gateway.connect() as straight:
                await straight.attach_session(own.session_id).close()
            await eventually(lambda: subscription.new_sessions == 1, 30)
            while not (changes := [await subscription.next_change(20)])[0].recovered:
                pass
            changes += await until(subscription, TAGS[3])
            changes += await until(subscription, TAGS[2])
            assert {change.tag for change in changes} == {TAGS[2], TAGS[3]}


async def test_a_burst_in_a_conflated_session_is_not_read_again() -> None:
    """Thousands of changes are replaced and counted; the newest value comes as an event, and nothing is read."""
    tag = "TestChildObject.TestInt"
    async with (
        LocalGateway.run("reference", arguments=["--allow-fault-injection"]) as gateway,
        await gateway.connect() as client,
        await client.open_session(backpressure_policy=pb.BACKPRESSURE_POLICY_CONFLATE) as session,
        session.subscribe([tag]) as subscription,
    ):
        assert (await subscription.next_change(20)).value == 99
        server = await session.register("writer")
        (written,) = await session.subscribe_bulk(server, [tag])
        async with asyncio.timeout(20):
            # A write needs the type, which comes with the first value.
            while not (await session.read_bulk(server, [tag]))[0].was_cached:
                pass
        await session.inject_fault("flood_events", {"count": "40000"})
        await session.write(server, written.item_handle, 4711)
        changes = [await subscription.next_change(20)]
        while not subscription.lost or changes[-1].value != 4711:
            changes.append(await subscription.next_change(20))
        while subscription.waiting:
            changes.append(await subscription.next_change(20))
        assert subscription.gaps >= 1
        assert all(change.worker_sequence and not change.recovered for change in changes)
        assert changes[-1].value == 4711
