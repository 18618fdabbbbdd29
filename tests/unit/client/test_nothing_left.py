"""Very often what may leave something: no task, stream or wait of it is left.

`MXGATEWAY_LEAK_TIMES=1000` is what `.ci/run` does; here it is fewer, for the time.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest
from tests.support.fake_gateway import FakeGateway
from tests.support.waiting import eventually

from mxgateway import GatewayClient, Session

TIMES = int(os.environ.get("MXGATEWAY_LEAK_TIMES", "100"))
AT_ONCE = 25


async def _often(work: Callable[[], Awaitable[None]]) -> None:
    left = iter(range(TIMES))

    async def one() -> None:
        for _ in left:
            await work()

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one())


@pytest.mark.slow
async def test_sessions_leave_nothing(gateway: FakeGateway, client: GatewayClient) -> None:
    before = len(asyncio.all_tasks())

    async def one() -> None:
        async with client.open_session():
            pass

    await _often(one)
    assert gateway.calls["CloseSession"] == TIMES
    assert gateway.streams_open == 0
    await eventually(lambda: len(asyncio.all_tasks()) <= before)


@pytest.mark.slow
async def test_cancelled_calls_leave_nothing(gateway: FakeGateway, session: Session) -> None:
    gateway.script("Invoke", *["hold"] * TIMES)
    before = len(asyncio.all_tasks())

    async def one() -> None:
        call = asyncio.ensure_future(session.ping())
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    await _often(one)
    gateway.hold.set()
    await eventually(lambda: len(asyncio.all_tasks()) <= before)
    assert await session.ping("still here") == "still here"
