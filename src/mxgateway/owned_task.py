"""A background task that belongs to an object."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from mxgateway.errors import MxGatewayTransportError


class OwnedTask:
    """One background task: it starts with its owner's first use and is stopped and awaited when the owner closes.

    A TaskGroup cannot serve here: it binds its tasks to one block of the caller's code, while sessions and
    subscriptions live between calls. So this is the one place of the library that makes a task, and it keeps the rest
    of a group's promises: nobody forgets the task, and its exception is always looked at.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Starts the task; the work handles its own errors."""
        self._task = asyncio.get_running_loop().create_task(work, name=name)
        self._task.add_done_callback(_observe)

    def check_loop(self) -> None:
        """Raises MxGatewayTransportError in another event loop than the task's: waiting for it would never end."""
        if self._task is not None and self._task.get_loop() is not asyncio.get_running_loop():
            raise MxGatewayTransportError(
                f"the {self._task.get_name()} belongs to another event loop; use it where it was started"
            )

    async def stop(self) -> None:
        """Cancels the task and waits for its end. Idempotent; does nothing from within the task itself."""
        if self._task is not None and not self._task.get_loop().is_closed():
            self.check_loop()
        task, self._task = self._task, None
        if task is None or task is asyncio.current_task() or task.get_loop().is_closed():
            return
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await asyncio.wait([task])


def _observe(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        task.get_loop().call_exception_handler(
            {"message": f"{task.get_name()} ended with an error", "exception": error, "task": task}
        )
