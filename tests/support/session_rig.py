"""A session manager over workers that have no processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from mxgateway_server.access.authenticator import Caller
from mxgateway_server.access.scopes import Scope
from mxgateway_server.errors import (
    WorkerEarlyExitError,
    WorkerExitedError,
)
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.sessions.options import OpenOptions, SessionOptions
from mxgateway_server.workers.launcher import WorkerPlan
from mxgateway_server.workers.pool import WorkerPool
from tests.support.clock import ManualClock
from tests.support.tame_workers import TameLauncher, TameWorker

OWNER = Caller(key_id="owner", scopes=frozenset({Scope.SESSION_OPEN}))
OTHER = Caller(key_id="other", scopes=frozenset({Scope.SESSION_OPEN}))
ADMIN = Caller(key_id="admin", scopes=frozenset({Scope.ADMIN}))
WANTED = OpenOptions(
    plan=WorkerPlan(backend="fake", options={"galaxy": "plant"}), uses_default_plan=False, command_timeout=30.0
)


class NoPool:
    """A pool that hands out what it was given."""

    def __init__(self, *workers: TameWorker) -> None:
        self.workers = list(workers)

    def take(self) -> TameWorker | None:
        return self.workers.pop(0) if self.workers else None


class Rig:
    def __init__(self, pool: NoPool | None = None, **options: Any) -> None:
        self.clock = ManualClock()
        self.launcher = TameLauncher()
        self.pool = pool or NoPool()
        self.manager = SessionManager(
            cast(Any, self.launcher), cast(WorkerPool, self.pool), self.clock, SessionOptions(**options)
        )

    @property
    def worker(self) -> TameWorker:
        """The worker that was started last."""
        return self.launcher.workers[-1]


@asynccontextmanager
async def running(pool: NoPool | None = None, **options: Any) -> AsyncIterator[Rig]:
    rig = Rig(pool, **options)
    async with asyncio.TaskGroup() as group:
        group.create_task(rig.manager.run())
        await asyncio.sleep(0)
        yield rig
        await rig.manager.stop()


def early_exit() -> WorkerEarlyExitError:
    return WorkerEarlyExitError("the worker ended while starting", exit_code=3, worker_pid=7)


def gone() -> WorkerExitedError:
    return WorkerExitedError("the worker process ended (signal 9)", exit_code=-9, worker_pid=7)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)
