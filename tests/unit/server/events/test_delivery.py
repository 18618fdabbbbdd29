"""What lets a stream's task wait loses no call and wakes once for many."""

from __future__ import annotations

import asyncio

from mxgateway_server.events.delivery import Waker


async def test_a_call_before_the_wait_is_not_lost_and_many_count_once() -> None:
    waker = Waker()
    waker()
    waker()
    await asyncio.wait_for(waker.wait(), 20)
    waiting = asyncio.ensure_future(waker.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    waker()
    waker()
    await asyncio.wait_for(waiting, 20)
    again = asyncio.ensure_future(waker.wait())
    await asyncio.sleep(0)
    assert not again.done()
    waker()
    await asyncio.wait_for(again, 20)


async def test_a_wait_that_was_cancelled_takes_no_later_call_away() -> None:
    waker = Waker()
    waiting = asyncio.ensure_future(waker.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait((waiting,))
    waker()
    await asyncio.wait_for(waker.wait(), 20)
