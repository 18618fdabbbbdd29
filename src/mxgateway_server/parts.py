"""The shape of the gateway's parts: each works while `run` runs, and `stop` ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol


class Part(Protocol):
    """Something that works from the gateway's beginning to its end."""

    async def run(self) -> None:
        """Works until `stop` was called, be it before."""

    async def stop(self) -> None:
        """Ends the work in order; `run` returns soon."""


async def work_until(stop: asyncio.Event, *works: Coroutine[Any, Any, None]) -> None:
    """Does endless works side by side until `stop` is set, and then cancels them."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in works]
        await stop.wait()
        for task in tasks:
            task.cancel()
