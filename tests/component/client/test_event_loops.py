"""One client, one event loop: in another one each call says so at once, and nothing hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from tests.support.shared_gateway import shared_gateway
from tests.support.waiting import eventually

from mxgateway import ClientOptions, GalaxyRepositoryClient, GatewayClient, MxGatewayError, MxGatewayTransportError

TAG = "TestMachine_001.TestChangingInt"

pytestmark = pytest.mark.shares_processes


@pytest.fixture(scope="module")
def options() -> Iterator[ClientOptions]:
    with shared_gateway() as gateway:
        yield gateway.options(call_timeout=5.0)


async def _begin(options: ClientOptions) -> dict[str, Any]:
    client = await GatewayClient.connect(options)
    session = await client.open_session()
    subscription = session.subscribe([TAG])
    await anext(subscription)
    events = session.stream_events()
    await anext(events)
    return {"client": client, "session": session, "subscription": subscription, "events": events}


CALLS: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
    "command": lambda made: made["session"].ping(),
    "session": lambda made: made["client"].open_session(),
    "close": lambda made: made["session"].close(),
    "write": lambda made: made["session"].write_and_confirm(TAG, 1),
    "change": lambda made: made["subscription"].next_change(5),
    "stream": lambda made: made["events"].__anext__(),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("is_over", [True, False])
def test_another_loop_is_refused_at_once(options: ClientOptions, name: str, is_over: bool) -> None:
    """After asyncio.run has ended, and in a loop beside the client's own."""
    first = asyncio.Runner()
    made = first.run(_begin(options))
    if is_over:
        first.close()
    with pytest.raises(MxGatewayError, match="event loop") as caught, asyncio.Runner() as second:
        second.run(_within(CALLS[name](made)))
    assert isinstance(caught.value, MxGatewayTransportError)
    if is_over:
        asyncio.run(made["client"].close())
    else:
        first.run(made["session"].close())
        first.run(made["client"].close())
        first.close()


async def _within(call: Awaitable[Any]) -> Any:
    async with asyncio.timeout(10):
        return await call


def test_a_client_may_be_made_where_no_loop_runs(options: ClientOptions) -> None:
    """As a global of a module: it belongs to the loop of its first call."""
    client, galaxy = GatewayClient(options), GalaxyRepositoryClient(options)
    assert client.connection_state.value == "idle"

    async def use() -> str:
        assert await galaxy.test_connection()
        async with client, galaxy, await client.open_session() as session:
            return await session.ping("here")

    assert asyncio.run(use()) == "here"
    assert client.connection_state.value == "closed"


async def test_the_end_of_a_loop_ends_its_subscriptions(options: ClientOptions) -> None:
    """Whoever waits for a change whose task was canceled learns of it."""
    async with await GatewayClient.connect(options) as client, await client.open_session() as session:
        subscription = session.subscribe(["TestChildObject.TestInt"])
        await anext(subscription)
        waiting = asyncio.ensure_future(anext(subscription))
        await eventually(lambda: not waiting.done())
        assert subscription._pump._task is not None
        subscription._pump._task.cancel()
        with pytest.raises(MxGatewayError, match="event loop"):
            await waiting
