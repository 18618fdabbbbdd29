"""Ending a stream by Ctrl-C, SIGTERM or time as an ordinary end."""

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
# SIGTERM from service managers, container runtimes and timeout(1); SIGHUP and SIGBREAK when a terminal is closed.
_ENDS = ("SIGTERM", "SIGHUP", "SIGBREAK")
_came: list[int] = []


def terminations() -> int:
    """How many signals that end a program have come, Ctrl-C not among them: that ends one command of several."""
    return len(_came)


@contextmanager
def graceful_end() -> Iterator[None]:
    """Within it, SIGINT and SIGTERM (which `run` makes a cancellation) and a time that is over just end the block.

    A call to the gateway that timed out is a failure all the same. What follows still runs, so sessions close and
    results are printed. A second signal interrupts that too.
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


class Terminated(KeyboardInterrupt):
    """SIGTERM, SIGHUP or SIGBREAK ended what was not to end by itself, as SIGINT does.

    Attributes:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def handled(handle: Callable[[int, FrameType | None], None], *, with_sigint: bool) -> Iterator[None]:
    """Within it, the signals that end a program go to the handler.

    A signal for which a host has a handler of its own, or which is ignored (nohup, background jobs), keeps its way.
    """
    former: dict[int, object] = {}
    if threading.current_thread() is threading.main_thread():
        for name in (*(["SIGINT"] if with_sigint else []), *_ENDS):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler, raising):
                former[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)  # type: ignore[arg-type]


def raising(number: int, _frame: FrameType | None) -> None:
    """The handler for what runs outside an event loop.

    Raises:
        Terminated: always.
    """
    _came.append(number)
    raise Terminated(number)


def run(work: Coroutine[Any, Any, T], clock: Callable[[], float] = time.monotonic) -> T:
    """`asyncio.run` in which SIGTERM, and the end of the terminal, are what SIGINT is: the work is cancelled.

    Signals that follow the first within half a second are that one. Shells, `timeout` and process managers signal a
    process and then its group, so one Ctrl-C may come twice; the second would break the orderly end that the first
    began.

    Raises:
        KeyboardInterrupt: SIGINT ended the work.
        Terminated: another signal did.
    """
    came: list[tuple[float, int]] = []
    cancel: list[Callable[[], object]] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGINT:
            _came.append(number)
        now = clock()
        if came and now - came[0][0] < _SAME_INTERRUPT:
            return
        came.append((now, number))
        if len(came) > 1 or not cancel:
            raise _interrupt(number)
        cancel[0]()

    async def cancellable() -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if task is not None:
            cancel.append(lambda: loop.call_soon_threadsafe(task.cancel))
        return await work

    with handled(handle, with_sigint=True):
        try:
            return asyncio.run(cancellable())
        except asyncio.CancelledError:
            if came:
                raise _interrupt(came[0][1]) from None
            raise


def _interrupt(number: int) -> KeyboardInterrupt:
    return KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)
