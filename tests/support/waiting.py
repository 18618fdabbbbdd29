"""Waiting for a state with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

_PAUSE = threading.Event()


def wait_until(
    condition: Callable[[], bool], deadline: float = 20.0, failure: Callable[[], str] = lambda: "the state did not come"
) -> None:
    """Returns as soon as the condition holds.

    Raises:
        AssertionError: it did not hold within `deadline` seconds; the text is what `failure` says then.
    """
    end = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{failure()} (waited {deadline} s)")
        _PAUSE.wait(0.005)


async def eventually(
    condition: Callable[[], bool], deadline: float = 20.0, failure: Callable[[], str] = lambda: "the state did not come"
) -> None:
    """`wait_until` for async tests."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline
    while not condition():
        if loop.time() > end:
            raise AssertionError(f"{failure()} (waited {deadline} s)")
        turn: asyncio.Future[None] = loop.create_future()
        loop.call_later(0.005, turn.set_result, None)
        await turn
