"""Headers that are on their way are sent before their handler ends."""

from __future__ import annotations

import asyncio

import pytest

from mxgateway_server import headers
from mxgateway_server.headers import send_headers


class SlowCall:
    """A call whose headers are sent when a test says so."""

    def __init__(self) -> None:
        self.begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.error: Exception | None = None
        self.end = ""

    async def send_initial_metadata(self, _: object) -> None:
        self.begun.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.end = "cancelled"
            raise
        if self.error is not None:
            raise self.error
        self.end = "sent"


async def cancelled(call: SlowCall) -> asyncio.Task[None]:
    """A handler that is cancelled while its headers are on their way."""
    task = asyncio.create_task(send_headers(call))
    await call.begun.wait()
    task.cancel()
    # Two turns: the cancelling, and what it wakes.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_who_is_cancelled_meanwhile_waits_until_they_are_sent() -> None:
    call = SlowCall()
    task = await cancelled(call)
    assert not task.done()
    call.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert call.end == "sent"


async def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "LONGEST", 0.0)
    call = SlowCall()
    task = await cancelled(call)
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert call.end == "cancelled"


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_call_that_is_over_tells_only_who_still_waits(is_cancelled: bool) -> None:
    call = SlowCall()
    call.error = ValueError("the call is over")
    call.may_end.set()
    task = asyncio.create_task(send_headers(call))
    if is_cancelled:
        await call.begun.wait()
        task.cancel()
    with pytest.raises(asyncio.CancelledError if is_cancelled else ValueError):
        await task
