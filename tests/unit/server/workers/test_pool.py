"""Workers that are ready before anyone asks: handed out, replaced, and gone at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from tests.support.tame_workers import TameLauncher
from tests.support.waiting import eventually

from mxgateway_server.errors import WorkerEarlyExitError, WorkerExitedError
from mxgateway_server.workers import pool as pool_module
from mxgateway_server.workers.launcher import WorkerPlan
from mxgateway_server.workers.pool import WorkerPool

PLAN = WorkerPlan(backend="fake")


@pytest.fixture(autouse=True)
def refill_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_REFILL_DELAY", 0.0)
    monkeypatch.setattr(pool_module, "_FIRST_RETRY", 0.0)


@asynccontextmanager
async def running(size: int, launcher: TameLauncher | None = None) -> AsyncIterator[tuple[WorkerPool, TameLauncher]]:
    launcher = launcher or TameLauncher()
    pool = WorkerPool(cast(Any, launcher), PLAN, size)
    async with asyncio.TaskGroup() as group:
        group.create_task(pool.run())
        yield pool, launcher
        await pool.stop()


def gone() -> WorkerExitedError:
    return WorkerExitedError("the worker process ended", exit_code=1, worker_pid=1)


async def test_it_fills_to_its_size_and_no_further() -> None:
    async with running(3) as (pool, launcher):
        await eventually(lambda: len(pool) == 3)
        await asyncio.sleep(0)
        assert len(launcher.workers) == 3
        assert len({session_id for session_id, _ in launcher.plans}) == 3, "each has a session of its own to wait in"


async def test_the_oldest_is_handed_out_first_and_replaced() -> None:
    async with running(2) as (pool, launcher):
        await eventually(lambda: len(pool) == 2)
        taken = pool.take()
        assert taken is cast(Any, launcher.workers[0])
        await eventually(lambda: len(pool) == 2)
        assert len(launcher.workers) == 3


async def test_an_empty_pool_says_so_at_once() -> None:
    async with running(0) as (pool, _):
        assert pool.take() is None
        assert pool.size == 0


async def test_a_worker_that_cannot_be_used_is_not_handed_out_and_is_ended() -> None:
    async with running(2) as (pool, launcher):
        await eventually(lambda: len(pool) == 2)
        bad, good = launcher.workers
        bad.is_usable = False
        assert pool.take() is cast(Any, good)
        await eventually(lambda: bad.calls == ["kill"])
        assert good.calls == []


async def test_one_that_dies_while_it_waits_is_taken_out_and_replaced() -> None:
    async with running(1) as (pool, launcher):
        await eventually(lambda: len(pool) == 1)
        launcher.workers[0].fail(gone())
        assert len(pool) == 0, "it is not handed out meanwhile"
        await eventually(lambda: len(pool) == 1)
        assert launcher.workers[0].calls == ["kill"]
        assert pool.take() is cast(Any, launcher.workers[1])


async def test_what_was_handed_out_is_no_longer_the_pools_concern() -> None:
    async with running(1) as (pool, launcher):
        await eventually(lambda: len(pool) == 1)
        pool.take()
        launcher.workers[0].fail(gone())
        await eventually(lambda: len(pool) == 1)
        assert launcher.workers[0].calls == []
    assert launcher.workers[0].calls == []


async def test_a_start_that_fails_is_tried_again() -> None:
    launcher = TameLauncher()
    launcher.failures = [WorkerEarlyExitError("ended while starting", exit_code=3, worker_pid=7)] * 3
    async with running(1, launcher) as (pool, _):
        await eventually(lambda: len(pool) == 1)
        assert len(launcher.plans) == 4


async def test_it_can_serve_until_three_starts_fail_and_again_after_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_module, "_FIRST_RETRY", 3600.0)
    launcher = TameLauncher()
    launcher.failures = [WorkerEarlyExitError("ended while starting", exit_code=3, worker_pid=7)] * 3
    async with running(1, launcher) as (pool, _):
        assert pool.can_serve, "nothing is known yet"
        for left in (2, 1):
            await eventually(lambda left=left: len(launcher.failures) == left)  # type: ignore[misc]
            assert pool.can_serve, "one that fails says little"
            pool._wanted.set()
        await eventually(lambda: not pool.can_serve)
        assert "ended while starting" in pool.last_failure
        pool._wanted.set()
        await eventually(lambda: pool.can_serve)
        assert (len(pool), pool.last_failure) == (1, "")


async def test_one_that_is_ready_serves_although_the_next_does_not_start() -> None:
    launcher = TameLauncher()
    async with running(1, launcher) as (pool, _):
        await eventually(lambda: len(pool) == 1)
        pool._failures = 3
        assert pool.can_serve


async def test_a_hang_is_looked_for_in_those_that_wait() -> None:
    async with running(2) as (pool, launcher):
        await eventually(lambda: len(pool) == 2)
        pool.take()
        pool.check()
        assert [worker.calls for worker in launcher.workers[:2]] == [[], ["check"]]


async def test_the_end_asks_all_that_wait_to_end_at_once() -> None:
    async with running(3) as (pool, launcher):
        await eventually(lambda: len(pool) == 3)
        for worker in launcher.workers:
            worker.may_end.clear()
        stopping = asyncio.ensure_future(pool.stop())
        await eventually(lambda: all(worker.calls for worker in launcher.workers))
        assert pool.take() is None
        for worker in launcher.workers:
            worker.may_end.set()
        await stopping
    assert all(worker.calls == [("shut_down", "gateway shutdown")] for worker in launcher.workers)
    assert len(launcher.workers) == 3, "nothing is started while it stops"


async def test_one_that_gets_ready_after_the_end_is_killed() -> None:
    launcher = TameLauncher()
    launcher.may_start.clear()
    async with running(1, launcher) as (pool, _):
        await eventually(lambda: len(launcher.plans) == 1)
        await pool.stop()
        launcher.may_start.set()
    assert [worker.calls for worker in launcher.workers] == [["kill"]]
    assert len(pool) == 0
