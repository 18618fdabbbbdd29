"""Workers that are ready before anyone asks, so that a session opens in milliseconds."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque

from mxgateway_server.errors import SessionClosedError, WorkerError
from mxgateway_server.logs import get_logger
from mxgateway_server.workers.client import WorkerClient
from mxgateway_server.workers.launcher import Launcher, WorkerPlan

# Starting a process holds the event loop up for milliseconds: not while the session opens that has just been served.
_REFILL_DELAY = 0.1
_FIRST_RETRY = 1.0
_LAST_RETRY = 60.0
_FAILED_STARTS = 3

logger = get_logger(__name__)


class WorkerPool:
    """Keeps a number of workers of one plan ready. `run` fills it and belongs to the gateway's task group."""

    def __init__(self, launcher: Launcher, plan: WorkerPlan, size: int) -> None:
        self._launcher = launcher
        self._plan = plan
        self._size = size
        self._ready: deque[WorkerClient] = deque()
        self._dead: list[WorkerClient] = []
        self._wanted = asyncio.Event()
        self._is_stopping = False
        self._retry = _FIRST_RETRY
        self._failures = 0
        self.last_failure = ""
        """Why the last start failed; empty when it did not."""

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def size(self) -> int:
        """How many workers are kept ready."""
        return self._size

    @property
    def can_serve(self) -> bool:
        """False while none is ready and the last three did not start: then no session can be opened either."""
        return bool(self._ready) or self._failures < _FAILED_STARTS

    def take(self) -> WorkerClient | None:
        """A ready worker, which now belongs to the caller; None when there is none."""
        while self._ready:
            worker = self._ready.popleft()
            asyncio.get_running_loop().call_later(_REFILL_DELAY, self._wanted.set)
            worker.on_fault = lambda _: None
            if worker.is_usable:
                return worker
            self._dead.append(worker)
        return None

    async def run(self) -> None:
        """Fills the pool and replaces what is taken or dies, until `stop`."""
        self._wanted.set()
        while not self._is_stopping and self._size:
            await self._wanted.wait()
            self._wanted.clear()
            await self._end_dead()
            while len(self._ready) < self._size and not self._is_stopping:
                if not await self._add():
                    break

    async def _add(self) -> bool:
        try:
            worker = await self._launcher.launch(self._plan, f"pool-{secrets.token_hex(16)}")
        except (WorkerError, SessionClosedError) as error:
            self._failures += 1
            self._launcher.counters.retries["worker_startup"] += 1
            self.last_failure = str(error)
            logger.warning("pool_worker_failed", error=error, retry_in_seconds=self._retry)
            asyncio.get_running_loop().call_later(self._retry, self._wanted.set)
            self._retry = min(self._retry * 2, _LAST_RETRY)
            return False
        self._retry = _FIRST_RETRY
        self._failures, self.last_failure = 0, ""
        if self._is_stopping:
            await worker.kill()
            return False
        worker.on_fault = lambda error: self._lost(worker, error)
        self._ready.append(worker)
        return True

    def _lost(self, worker: WorkerClient, error: WorkerError) -> None:
        logger.warning("pool_worker_lost", worker_pid=worker.pid, error=error)
        if worker in self._ready:
            self._ready.remove(worker)
            self._dead.append(worker)
        self._wanted.set()

    async def _end_dead(self) -> None:
        dead, self._dead = self._dead, []
        for worker in dead:
            await worker.kill()

    def check(self) -> None:
        """Looks whether a waiting worker hangs."""
        for worker in list(self._ready):
            worker.check()

    async def stop(self) -> None:
        """Ends all that is left."""
        self._is_stopping = True
        self._wanted.set()
        workers = [*self._ready]
        self._ready.clear()
        await self._end_dead()
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(worker.shut_down("gateway shutdown"))
