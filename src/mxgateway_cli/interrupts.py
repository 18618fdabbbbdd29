"""Ending a stream by Ctrl-C or by time as an ordinary end."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from mxgateway import MxGatewayError

T = TypeVar("T")

_SAME_INTERRUPT = 0.5


@contextmanager
def graceful_end() -> Iterator[None]:
    """Within it, SIGINT (which asyncio delivers as cancellation) and a time that is over just end the block.

    A call to the gateway that timed out is a failure all the same. What follows still runs, so sessions close and
    results are printed. A second SIGINT interrupts that too.
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.uncancel() > 0:
            raise
    except TimeoutError as error:
        if isinstance(error, MxGatewayError):
            raise


def run(work: Coroutine[Any, Any, T], clock: Callable[[], float] = time.monotonic) -> T:
    """`asyncio.run` that takes SIGINTs which follow the first within half a second for that one.

    Shells, `timeout` and process managers signal a process and then its group, so one Ctrl-C may come twice; the second
    would break the orderly end that the first began.

    Raises:
        KeyboardInterrupt: SIGINT ended the work.
    """
    # A host with a handler of its own, or a background job that ignores SIGINT, keeps its way.
    theirs = signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    if theirs or threading.current_thread() is not threading.main_thread():
        return asyncio.run(work)
    interrupts: list[float] = []
    cancel: list[Callable[[], object]] = []

    def handle(_number: int, _frame: FrameType | None) -> None:
        now = clock()
        if interrupts and now - interrupts[0] < _SAME_INTERRUPT:
            return
        interrupts.append(now)
        if len(interrupts) > 1 or not cancel:
            raise KeyboardInterrupt
        cancel[0]()

    async def cancellable() -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if task is not None:
            cancel.append(lambda: loop.call_soon_threadsafe(task.cancel))
        return await work

    former = signal.signal(signal.SIGINT, handle)
    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        if interrupts:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, former)
