"""Subscriptions: iteration, both kinds of handler, states, tables."""

from __future__ import annotations

from datetime import datetime

from mxgateway import (
    DataChange,
    DataChanges,
    GatewayClient,
    MxGatewayOverflowError,
    OverflowPolicy,
    ReadResults,
    Session,
    Subscription,
    SubscriptionState,
    to_dataframe,
)


def show(change: DataChange) -> None:
    time: datetime | None = change.source_timestamp
    print(change.tag, change.value, change.quality, time, change.is_good, change.lost_before)


async def store(change: DataChange) -> None:
    print(change.raw.source_timestamp.ToNanoseconds())


async def collect(session: Session, tags: list[str], count: int) -> DataChanges:
    taken = DataChanges()
    async with session.subscribe(tags, queue_size=100, overflow=OverflowPolicy.WARN) as changes:
        failures: dict[str, str] = changes.failures
        print(failures)
        async for change in changes:
            taken.append(change)
            if len(taken) == count:
                break
    head: DataChanges = taken[:10]
    return head


async def handlers(client: GatewayClient, tags: tuple[str, ...]) -> list[SubscriptionState]:
    seen: list[SubscriptionState] = []
    subscription: Subscription
    async with (
        client.subscribe(tags, handler=show) as subscription,
        client.subscribe(tags, handler=store),
    ):
        async for state in subscription.states():
            seen.append(state)
            if state is SubscriptionState.CONNECTED:
                break
    return seen


async def one(subscription: Subscription) -> DataChange | None:
    try:
        return await subscription.next_change(timeout=1.0)
    except MxGatewayOverflowError:
        return None


async def frame(session: Session, tags: list[str]) -> int:
    results = ReadResults(await session.read_bulk(1, tags))
    return len(to_dataframe(results)) + len(await session.read_dataframe(tags))
