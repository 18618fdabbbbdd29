"""The executor thread: the only one that touches the backend, as an STA is for a COM object.

It runs queued commands in order and pumps the backend between them. Other threads only put work in and wake it.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.backend import Backend, SelfWaking
from mxgateway_protocol.clock import Clock
from mxgateway_protocol.errors import BackendLostError
from mxgateway_protocol.wakeup import Wakeup
from mxgateway_worker import memory
from mxgateway_worker.inbox import Doorbell

logger = logging.getLogger(__name__)

COMMAND_QUEUE_CAPACITY = 1024
"""Most commands that wait for the executor; above what a gateway keeps pending for one session (128)."""

IDLE_TICK = 1.0
"""Seconds after which an idle executor shows that it lives, at least."""

_PUMP_EVERY = 0.005
_MOST_PUMP_FAILURES = 3
# Of the grace for stopping: what is left of it is for unregistering and releasing the object itself.
_SHARE_FOR_ITEMS = 0.7


@dataclass(slots=True, eq=False)
class Job:
    """One command on its way through the worker.

    Attributes:
        expires: monotonic time at which the caller stops waiting; None for never.
        came: monotonic time at which it came, where its reply is to tell how long it took; else None.
    """

    correlation_id: str
    command: pb.MxCommand
    expires: float | None = None
    came: float | None = None
    is_canceled: bool = False


class Running(NamedTuple):
    """The command that the executor works on."""

    correlation_id: str
    kind: int
    started: float


class Outlet(Protocol):
    """Where the events of a pump leave."""

    def gather(self) -> None:
        """A pump begins."""

    def send_gathered(self) -> None:
        """It is over; never raises."""


class ThreadAffinityError(RuntimeError):
    """Something touched the backend off the executor thread."""


class Executor:
    """Runs commands and pumps the backend on one thread.

    Args:
        run: executes one command and answers it; must not raise but for BackendLostError.
        settle: answers a command that will not run, with the reason.
        on_lost: told when the backend can not be used any more; the thread ends after it.
        linger: what the thread does then before it ends; it may never come back.
        doorbell: how to wait without a backend, or with one whose waiting only `wake` and time end.
        idle_tick: longest wait in seconds, so that whoever watches sees it alive.
        outlet: told of the beginning and the end of each pump.
    """

    def __init__(
        self,
        clock: Clock,
        run: Callable[[Job], None],
        settle: Callable[[Job, int, str], None],
        on_lost: Callable[[Exception], None],
        capacity: int = COMMAND_QUEUE_CAPACITY,
        doorbell: Doorbell | None = None,
        idle_tick: float = IDLE_TICK,
        outlet: Outlet | None = None,
        linger: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._run_job = run
        self._settle = settle
        self._on_lost = on_lost
        self._capacity = capacity
        self._lock = threading.Lock()
        self._calls: deque[Callable[[], None]] = deque()
        self._jobs: deque[Job] = deque()
        self._queued: dict[str, Job] = {}
        self._is_stopping = False
        self._doorbell: Doorbell = doorbell or Wakeup()
        self._idle_tick = idle_tick
        self._outlet = outlet
        self._linger = linger
        self._is_lost = False
        # Nothing is left to do for the thread.
        self._is_over = threading.Event()
        self._turn: Callable[[], float] | None = None
        self._before_close: Callable[[], None] | None = None
        self._backend: Backend | None = None
        self._pump_failures = 0
        self._thread = threading.Thread(target=self._main, name="worker-executor", daemon=True)
        self._thread_id = 0
        self.running: Running | None = None
        self._close_by: float | None = None
        self.last_activity = clock.monotonic()
        self.last_activity_ns = clock.unix_ns()

    # ------------------------------------------------------------------------------------------- from other threads

    def start(self) -> None:
        self._thread.start()

    def call(self, function: Callable[[], None]) -> None:
        """Runs the function on the executor thread, before queued commands."""
        with self._lock:
            self._calls.append(function)
        self._wake()

    def submit(self, job: Job) -> None:
        """Queues a command, or settles it at once when that is not possible."""
        with self._lock:
            if self._is_stopping:
                refusal = (pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE, "the worker is shutting down")
            elif job.correlation_id in self._queued:
                refusal = (pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST, "another queued command has this correlation id")
            elif len(self._queued) >= self._capacity:
                refusal = (
                    pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED,
                    f"the worker's command queue is full: {self._capacity} commands wait",
                )
            else:
                refusal = None
                self._queued[job.correlation_id] = job
                self._jobs.append(job)
        if refusal is not None:
            self._settle(job, *refusal)
        elif len(self._queued) == 1 and threading.get_ident() != self._thread_id:
            self._wake()

    def cancel(self, correlation_id: str, reason: str) -> bool:
        """Removes a queued command and settles it; False when it runs already or is not known."""
        with self._lock:
            job = self._queued.pop(correlation_id, None)
            if job is None:
                return False
            job.is_canceled = True
        self._settle(job, pb.PROTOCOL_STATUS_CODE_CANCELED, reason or "canceled before it ran")
        return True

    @property
    def pending(self) -> int:
        """How many commands wait."""
        return len(self._queued)

    @property
    def stopping(self) -> bool:
        return self._is_stopping

    def stop(self, timeout: float) -> bool:
        """Takes no more commands, settles the queued ones, lets the running one end, closes the backend.

        Returns:
            Whether the thread came to its end within `timeout` seconds.
        """
        with self._lock:
            self._is_stopping = True
            self._close_by = self._clock.monotonic() + timeout * _SHARE_FOR_ITEMS
            left = list(self._queued.values())
            self._queued.clear()
            self._jobs.clear()
        for job in left:
            self._settle(job, pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE, "the worker shut down before it ran")
        self._wake()
        if self._thread.ident is None:
            return True
        is_over = self._is_over.wait(timeout)
        if is_over and not self._is_lost:
            self._thread.join()
        return is_over

    @property
    def is_lost(self) -> bool:
        """Whether the backend broke down; then its thread may linger, and must not be waited for."""
        return self._is_lost

    def _wake(self) -> None:
        backend = self._backend
        if backend is None or backend.is_passive:
            self._doorbell.set()
        else:
            backend.wake()

    # --------------------------------------------------------------------------------------- on the executor thread

    def check_thread(self) -> None:
        """Refuses to go on when the caller is not the executor thread.

        Raises:
            ThreadAffinityError: it is not.
        """
        if threading.get_ident() != self._thread_id:
            raise ThreadAffinityError(
                f"the backend belongs to the executor thread, not to {threading.current_thread().name}"
            )

    def adopt_thread(self) -> None:
        """Makes the calling thread the executor thread, for an executor that is not started."""
        self._thread_id = threading.get_ident()

    def attach(self, backend: Backend) -> None:
        """From now on pumps this backend, and closes it in the end."""
        self.check_thread()
        self._backend = backend
        if backend.is_passive and isinstance(backend, SelfWaking):
            backend.ring_through(self._doorbell)

    def take_turns(self, turn: Callable[[], float], before_close: Callable[[], None]) -> None:
        """What else has its turn in each pump, and what is to be done before the backend is closed.

        Args:
            turn: returns the seconds until its next turn is wanted.
        """
        self.check_thread()
        self._turn, self._before_close = turn, before_close

    def detach(self) -> Backend | None:
        """Gives the backend up again, not closed."""
        self.check_thread()
        backend, self._backend = self._backend, None
        return backend

    def pump_until(self, is_done: Callable[[], bool], deadline: float) -> None:
        """Pumps inside a running command until `is_done`, the monotonic `deadline`, or shutdown.

        Raises:
            BackendLostError: the backend is gone.
        """
        self.check_thread()
        while not is_done() and not self._is_stopping:
            now = self._clock.monotonic()
            if now >= deadline:
                return
            delay = self._pump()
            if is_done():
                return
            # Commands that arrive meanwhile wake the backend, too, and simply wait.
            self._wait(min(delay, deadline - self._clock.monotonic()))

    def _main(self) -> None:
        self.adopt_thread()
        try:
            try:
                self._loop()
            except BackendLostError as error:
                self._lose(error)
            except MemoryError:
                memory.end_out_of_memory()
            except Exception as error:
                logger.exception("the executor failed")
                self._on_lost(error)
            backend = self._backend
            if backend is not None:
                self._close(backend)
        finally:
            self._is_over.set()
        if self._is_lost:
            self._linger()

    def _lose(self, error: BackendLostError) -> None:
        logger.exception("the backend is lost")
        self._is_lost = True
        self._backend = None
        self._on_lost(error)

    def _close(self, backend: Backend) -> None:
        try:
            if self._before_close is not None:
                self._before_close()
            backend.close(self._close_by)
        except BackendLostError as error:
            self._lose(error)
        except Exception:
            logger.exception("closing the backend failed")

    def _loop(self) -> None:
        clock = self._clock
        pump_at = clock.monotonic()
        while True:
            work = self._next()
            if work is None:
                if self._is_stopping:
                    return
                delay = self._pump()
                self._touch()
                pump_at = self.last_activity + _PUMP_EVERY
                if not self._calls and not self._queued:
                    self._wait(delay)
                continue
            if isinstance(work, Job):
                self._execute(work)
            else:
                work()
            self._touch()
            if self.last_activity >= pump_at:
                self._pump()
                pump_at = clock.monotonic() + _PUMP_EVERY

    def _next(self) -> Job | Callable[[], None] | None:
        with self._lock:
            if self._calls:
                return self._calls.popleft()
            while self._jobs:
                job = self._jobs.popleft()
                if not job.is_canceled:
                    del self._queued[job.correlation_id]
                    # Set under the lock: a heartbeat must see a command as queued or as running.
                    self.running = Running(job.correlation_id, job.command.kind, self._clock.monotonic())
                    return job
        return None

    def _execute(self, job: Job) -> None:
        try:
            if job.expires is not None and self._clock.monotonic() >= job.expires:
                self._settle(job, pb.PROTOCOL_STATUS_CODE_TIMEOUT, "the time limit was over before the command ran")
            else:
                self._run_job(job)
        finally:
            self.running = None

    def _touch(self) -> None:
        self.last_activity = self._clock.monotonic()
        self.last_activity_ns = self._clock.unix_ns()

    def _pump(self) -> float:
        backend = self._backend
        if backend is None:
            return self._idle_tick
        try:
            if self._outlet is None:
                delay = self._pump_backend(backend)
            else:
                self._outlet.gather()
                try:
                    delay = self._pump_backend(backend)
                finally:
                    self._outlet.send_gathered()
        except (BackendLostError, MemoryError):
            raise
        except Exception as error:
            self._pump_failures += 1
            logger.exception("pumping the backend failed attempt=%d", self._pump_failures)
            if self._pump_failures >= _MOST_PUMP_FAILURES:
                raise BackendLostError(f"pumping failed {self._pump_failures} times in a row") from error
            return 0.1
        self._pump_failures = 0
        self._touch()
        return delay

    def _pump_backend(self, backend: Backend) -> float:
        delay = backend.pump()
        return delay if self._turn is None else min(delay, self._turn())

    def _wait(self, timeout: float) -> None:
        timeout = max(0.0, min(timeout, self._idle_tick))
        backend = self._backend
        if backend is None or backend.is_passive:
            self._doorbell.wait(timeout)
        else:
            backend.wait(timeout)
