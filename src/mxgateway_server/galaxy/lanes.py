"""Blocking calls on daemon threads: a call that hangs can be given up, and never keeps the process from ending."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

_T = TypeVar("_T")


class LaneBusyError(TimeoutError):
    """The lane's previous call was given up and still hangs."""


class Lane:
    """One call at a time on a thread of its own; threads do not pile up behind a call that hangs."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._idle: asyncio.Event | None = None

    async def call(self, function: Callable[[], _T], timeout: float) -> _T:
        """The function's result; waits for a previous call that still runs.

        Raises:
            LaneBusyError: the previous call did not end within `timeout` seconds; the function was not called.
            TimeoutError: the function took longer than `timeout` seconds; it goes on in its thread, its result is lost.
        """
        if self._idle is not None:
            try:
                async with asyncio.timeout(timeout):
                    await self._idle.wait()
            except TimeoutError:
                raise LaneBusyError(f"{self._name}: the previous call still hangs") from None
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.create_future()
        idle = self._idle = asyncio.Event()

        def settle(result: _T | None, error: BaseException | None) -> None:
            idle.set()
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]

        def run() -> None:
            result: _T | None = None
            failure: BaseException | None = None
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001 - handed to the caller
                failure = error
            with suppress(RuntimeError):  # The loop has ended; nobody listens.
                loop.call_soon_threadsafe(settle, result, failure)

        threading.Thread(target=run, name=self._name, daemon=True).start()
        async with asyncio.timeout(timeout):
            return await future
