"""The one background thread whose event loop runs everything that `mxgateway.sync` does.

The thread starts with the first lease and ends with the last: an open client is a lease, and so is a running call.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future, wait
from typing import Any, Generic, TypeVar

from mxgateway import forks

T = TypeVar("T")

THREAD_NAME = "mxgateway.sync"

# A wait for a lock without a limit cannot be interrupted by Ctrl+C on Windows.
_LONGEST_WAIT = 0.2 if sys.platform == "win32" else None
_CANCEL_LIMIT = 10.0
_EXIT_LIMIT = 5.0


class _Call(Generic[T]):
    """One call on the loop, and its outcome for the thread that waits."""

    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self.outcome: Future[T] = Future()
        self._work = work
        self._task: asyncio.Task[None] | None = None

    def start(self, group: asyncio.TaskGroup, context: contextvars.Context) -> None:
        carry = self._carry()
        try:
            self._task = group.create_task(carry, context=context)
        except RuntimeError as error:  # the loop is ending
            carry.close()
            self.outcome.set_exception(error)

    async def _carry(self) -> None:
        try:
            result = await self._work()
        except asyncio.CancelledError:
            self.outcome.set_exception(CancelledError())
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the thread that waits
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(result)

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


class LoopRun:
    """One life of the background thread, with its event loop."""

    def __init__(self) -> None:
        self.leases = 0
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name=THREAD_NAME, daemon=True)
        self._thread.start()
        started.result()

    def _run(self, started: Future[None]) -> None:
        asyncio.run(self._serve(started))

    async def _serve(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with asyncio.TaskGroup() as self._group:
            started.set_result(None)
            await self._stop.wait()

    @property
    def is_this_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Runs the work on the loop and waits for it.

        An exception of the waiting thread, above all KeyboardInterrupt, cancels the work, waits until it has ended
        and is raised then.
        """
        call = _Call(work)
        context = contextvars.copy_context()
        self._loop.call_soon_threadsafe(call.start, self._group, context)
        try:
            while not call.outcome.done():
                wait((call.outcome,), _LONGEST_WAIT)
        except BaseException:
            self._loop.call_soon_threadsafe(call.cancel)
            wait((call.outcome,), _CANCEL_LIMIT)
            self._discard(call.outcome)
            raise
        return call.outcome.result()

    def _discard(self, outcome: Future[Any]) -> None:
        """Closes what a call made although its caller was interrupted: nobody else has it."""
        if outcome.done() and outcome.exception() is None and hasattr(outcome.result(), "close"):
            closing: _Call[Any] = _Call(outcome.result().close)
            self._loop.call_soon_threadsafe(closing.start, self._group, contextvars.copy_context())
            wait((closing.outcome,), _CANCEL_LIMIT)

    def soon(self, work: Callable[[], Any]) -> None:
        """Runs a plain function on the loop some time; for finalizers, which may not wait."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work)

    def start_soon(self, work: Callable[[], Awaitable[Any]]) -> None:
        """Runs an async function on the loop without waiting for it; for finalizers."""
        self.soon(lambda: _Call(work).start(self._group, contextvars.Context()))

    def end(self) -> None:
        """Lets the loop end when its calls have ended."""
        self.soon(self._stop.set)

    def join(self) -> None:
        """Waits until the thread has ended."""
        self._thread.join()


class LoopThread:
    """Hands out leases on the background thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: LoopRun | None = None
        self._ending: LoopRun | None = None
        # Asynchronous clients that are open, to be closed when the process ends.
        self._clients: dict[int, Any] = {}

    def acquire(self) -> LoopRun:
        """A lease; give it back with `release`.

        Raises:
            MxGatewayTransportError: this process was forked from one with an open client.
        """
        forks.check()
        with self._lock:
            if self._current is None:
                # Two loops never live at once: gRPC has one poller for all.
                self._join()
                self._current = LoopRun()
            self._current.leases += 1
            return self._current

    def release(self, run: LoopRun) -> None:
        with self._lock:
            run.leases -= 1
            if run.leases:
                return
            self._current, self._ending = None, run
            run.end()
            if not run.is_this_thread:
                self._join()

    def _join(self) -> None:
        if self._ending is not None:
            self._ending.join()
            self._ending = None

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Runs the work on the loop and waits for it.

        Raises:
            RuntimeError: called on the background thread itself, which would wait for ever.
        """
        current = self._current
        if current is not None and current.is_this_thread:
            raise RuntimeError(
                "mxgateway.sync was called on its own background thread, for example by a handler; "
                "hand the work to another thread"
            )
        run = self.acquire()
        try:
            return run.run(work)
        finally:
            self.release(run)

    def call(self, work: Callable[[], T]) -> T:
        """`run` for a plain function that has to run where the loop is."""

        async def on_loop() -> T:
            return work()

        return self.run(on_loop)

    def opened(self, client: Any) -> LoopRun:
        """Notes an open client and returns its lease."""
        run = self.acquire()
        self._clients[id(client)] = client
        return run

    def closed(self, client: Any, run: LoopRun) -> None:
        """Gives back the lease of a client; once for each."""
        if self._clients.pop(id(client), None) is not None:
            self.release(run)

    def is_open(self, client: Any) -> bool:
        """Whether a client holds its lease."""
        return id(client) in self._clients

    def soon(self, work: Callable[[], Any]) -> None:
        """Runs a plain function on the loop some time, if there still is one; for finalizers, so it takes no lock."""
        if (current := self._current) is not None:
            current.soon(work)

    def close_at_exit(self) -> None:
        """Closes the clients that are still open, and joins the thread."""
        while self._clients:
            client = next(iter(self._clients.values()))
            current = self._current
            try:
                self.run(lambda client=client: asyncio.wait_for(client.close(), _EXIT_LIMIT))  # type: ignore[misc]
            except TimeoutError:
                return  # a daemon thread does not keep the process from ending
            if current is not None:
                self.closed(client, current)

    def forget(self) -> None:
        """In a forked child: the thread stayed with the parent, and so did whatever ran on it."""
        self._lock = threading.Lock()
        self._current = self._ending = None
        self._clients.clear()


LOOP = LoopThread()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=LOOP.forget)
atexit.register(LOOP.close_at_exit)
