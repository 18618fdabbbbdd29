"""The life of an alarm feed: cancelled, in another event loop, on a closed client, begun twice; nothing is left."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway
from tests.support.waiting import eventually
from tests.unit.client.test_alarm_feed import batch
from tests.unit.client.test_alarm_reader import marker, snapshot, transition

from mxgateway import (
    AlarmChangeKind,
    AlarmFeedState,
    AlarmsSynced,
    AlarmState,
    GatewayClient,
    MxGatewayError,
    MxGatewayTransportError,
)

K, S = AlarmChangeKind, AlarmState
BROKEN = Abort(grpc.StatusCode.UNAVAILABLE, "gone")


async def test_whoever_is_cancelled_while_the_list_comes_leaves_nothing_behind(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    gateway.alarm_streams = [[batch(snapshot("A"))]]

    async def enter() -> None:
        async with client.alarms.watch():
            raise AssertionError("there is no list")

    task = asyncio.create_task(enter())
    await eventually(lambda: gateway.calls.get("StreamAlarmBatches") == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [each for each in asyncio.all_tasks() if each.get_name() == "alarm feed"] == []


async def test_a_wait_that_is_cancelled_takes_nothing_away(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.alarm_streams = [[batch(marker(1))]]
    async with client.alarms.watch() as feed:
        assert await anext(feed) == AlarmsSynced(0)
        for number in range(2, 5):
            waiting = asyncio.create_task(feed.next_event())
            looking = asyncio.create_task(feed.wait_for("Galaxy!Area.Z", S.ACK_ALM))
            await asyncio.sleep(0)
            waiting.cancel()
            looking.cancel()
            await asyncio.gather(waiting, looking, return_exceptions=True)
            gateway.alarms_live.put_nowait(batch(transition("A", K.UPDATE, S.UNACK_ALM, number)))
            change: Any = await feed.next_event(10)
            assert change.sequence == number
        assert feed._news._waiters == []


async def test_a_closed_client_ends_its_feeds_and_begins_none(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.alarm_streams = [[batch(snapshot("A"), marker(1))]]
    async with client.alarms.watch() as feed:
        assert await anext(feed) == AlarmsSynced(1)
        waiting = asyncio.create_task(feed.next_event(10))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(MxGatewayError):
            await waiting
        assert feed.state is AlarmFeedState.CLOSED
        assert list(feed.active) == ["Galaxy!Area.A"], "what was known last can still be looked at"
    with pytest.raises(MxGatewayError, match="closed"):
        async with client.alarms.watch():
            pass


async def test_a_client_that_is_closed_while_a_feed_waits_for_its_gateway_ends_it(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    gateway.alarm_streams = [[batch(marker(1)), BROKEN]]
    for _ in range(50):
        gateway.script("StreamAlarmBatches", None)
    async with client.alarms.watch() as feed:
        assert await anext(feed) == AlarmsSynced(0)
        await eventually(lambda: feed.last_interruption is not None)
        await client.close()
        with pytest.raises(MxGatewayError):
            await feed.next_event(10)


async def test_a_feed_is_begun_once_and_not_again(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.alarm_streams = [[batch(marker(1))]]
    feed = client.alarms.watch()
    with pytest.raises(MxGatewayTransportError, match="async with"):
        await anext(feed)
    with pytest.raises(MxGatewayTransportError, match="async with"):
        await feed.wait_for("x", None)
    async with feed, feed:
        assert await anext(feed) == AlarmsSynced(0)
    assert gateway.calls["StreamAlarmBatches"] == 1
    await feed.aclose()
    with pytest.raises(MxGatewayTransportError, match="closed"):
        async with feed:
            pass
    with pytest.raises(StopAsyncIteration):
        await anext(feed)
    assert [state async for state in feed.state_changes()] == [AlarmFeedState.CLOSED]


async def test_another_event_loop_is_told_so_and_disturbs_nobody(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.alarm_streams = [[batch(marker(1))]]
    errors: list[BaseException] = []
    async with client.alarms.watch() as feed:

        async def misuse() -> None:
            for work in (feed.next_event(), feed.wait_for("x", None), anext(feed.state_changes()), feed.aclose()):
                try:
                    await work  # type: ignore[misc]
                except MxGatewayError as error:
                    errors.append(error)

        thread = threading.Thread(target=lambda: asyncio.run(misuse()))
        thread.start()
        await asyncio.to_thread(thread.join)
        assert [type(error) for error in errors] == [MxGatewayTransportError] * 4
        assert await feed.next_event(10) == AlarmsSynced(0)
        assert feed.state is AlarmFeedState.SYNCED


async def test_many_feeds_come_and_go_in_a_storm(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.alarm_streams = [
        [batch(snapshot("A"), marker(1)), *([BROKEN] if number % 3 == 0 else [])] for number in range(40)
    ]

    async def one(number: int) -> None:
        async with client.alarms.watch() as feed:
            if number % 2:
                await anext(feed)

    await asyncio.gather(*(one(number) for number in range(20)))
    assert [each for each in asyncio.all_tasks() if each.get_name() == "alarm feed"] == []
