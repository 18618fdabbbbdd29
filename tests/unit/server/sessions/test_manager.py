"""Sessions from their opening to their end, over workers that have no processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.support.clock import ManualClock
from tests.support.tame_workers import TameLauncher, TameWorker

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.authenticator import Caller
from mxgateway_server.access.scopes import Scope
from mxgateway_server.errors import (
    GatewayStoppingError,
    InvalidRequestError,
    OwnerMismatchError,
    SessionClosedError,
    SessionLimitError,
    SessionNotFoundError,
    WorkerEarlyExitError,
    WorkerExitedError,
    WorkerOptionError,
    WorkerShutdownTimeoutError,
)
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.sessions.options import OpenOptions, SessionOptions
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import CLOSED, FAULT_MEMORY, FAULTED, READY, CloseReason, SessionLimits
from mxgateway_server.workers.launcher import WorkerPlan
from mxgateway_server.workers.pool import WorkerPool

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


async def test_an_open_session_is_ready_and_found_by_its_owner_and_admins_only() -> None:
    async with running() as rig:
        session = await rig.manager.open(OWNER, WANTED)
        assert session.record.state == READY
        assert rig.manager.find(session.session_id, OWNER) is session
        assert rig.manager.find(session.session_id, ADMIN) is session
        with pytest.raises(OwnerMismatchError):
            rig.manager.find(session.session_id, OTHER)
        with pytest.raises(OwnerMismatchError):
            await rig.manager.close_for(session.session_id, OTHER)
        assert session.record.state == READY, "a stranger's close changes nothing"
        assert rig.manager.sessions == (session,)


async def test_ids_are_new_each_time_and_hard_to_guess() -> None:
    async with running() as rig:
        ids = {(await rig.manager.open(OWNER, WANTED)).session_id for _ in range(8)}
        assert len(ids) == 8
        assert all(len(each.removeprefix("session-")) == 32 for each in ids)


async def test_the_callers_options_beat_those_of_the_plan() -> None:
    async with running() as rig:
        await rig.manager.open(OWNER, replace(WANTED, options={"galaxy": "mine", "speed": "2"}))
        assert dict(rig.launcher.plans[0][1].options) == {"galaxy": "mine", "speed": "2"}
        assert WANTED.plan.options == {"galaxy": "plant"}, "the gateway's plan is not changed by a caller"


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (pb.BACKPRESSURE_POLICY_DROP_OLDEST, "drop_oldest"),
        (pb.BACKPRESSURE_POLICY_CONFLATE, "conflate"),
        (pb.BACKPRESSURE_POLICY_FAIL_FAST, "fail_fast"),
        # Which of several readers is slow is known in the gateway alone.
        (pb.BACKPRESSURE_POLICY_DISCONNECT_SUBSCRIBER, "fail_fast"),
        (pb.BACKPRESSURE_POLICY_UNSPECIFIED, "conflate"),
    ],
)
async def test_the_worker_is_told_the_policy_for_its_queue(policy: Any, told: str) -> None:
    async with running(policy=pb.BACKPRESSURE_POLICY_CONFLATE) as rig:
        await rig.manager.open(OWNER, replace(WANTED, policy=policy))
        assert rig.launcher.plans[0][1].arguments == ("--backpressure-policy", told)


async def test_a_start_that_fails_leaves_no_session_and_gives_its_place_back() -> None:
    async with running(max_sessions=1) as rig:
        rig.launcher.failures = [early_exit()]
        with pytest.raises(WorkerEarlyExitError):
            await rig.manager.open(OWNER, WANTED)
        assert (len(rig.manager), rig.manager.counters.opened) == (0, 0)
        await rig.manager.open(OWNER, WANTED)
        with pytest.raises(SessionLimitError, match=r"sessions\.max_sessions"):
            await rig.manager.open(OWNER, WANTED)
        assert rig.manager.counters.opened == 1


async def test_a_caller_who_gives_up_while_the_worker_starts_leaves_nothing() -> None:
    async with running(max_sessions=1) as rig:
        rig.launcher.may_start.clear()
        opening = asyncio.ensure_future(rig.manager.open(OWNER, WANTED))
        await settle()
        assert len(rig.manager) == 1
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert len(rig.manager) == 0
        rig.launcher.may_start.set()
        await rig.manager.open(OWNER, WANTED)


async def test_a_worker_that_died_before_it_was_handed_over_is_no_session() -> None:
    async with running() as rig:
        launch = rig.launcher.launch

        async def dead(*arguments: Any, **named: Any) -> TameWorker:
            worker = await launch(*arguments, **named)
            worker.fault = gone()
            return worker

        rig.launcher.launch = dead  # type: ignore[method-assign]
        with pytest.raises(WorkerExitedError, match="signal 9"):
            await rig.manager.open(OWNER, WANTED)
        assert set(rig.worker.calls) == {"kill"}
        assert (len(rig.manager), rig.manager.counters.opened) == (0, 0)


async def test_an_option_that_the_backend_does_not_take_is_the_callers_mistake_only_when_it_was_the_callers() -> None:
    async with running() as rig:
        rig.launcher.failures = [WorkerOptionError("no such option 'x'"), WorkerOptionError("no such option 'y'")]
        with pytest.raises(InvalidRequestError, match=r"backend_options: .*'x'"):
            await rig.manager.open(OWNER, replace(WANTED, options={"x": "1"}))
        with pytest.raises(WorkerOptionError):
            await rig.manager.open(OWNER, WANTED)


async def test_a_pooled_worker_is_assigned_and_no_other_is_started() -> None:
    pooled = TameWorker(1)
    async with running(NoPool(pooled)) as rig:
        session = await rig.manager.open(OWNER, replace(WANTED, uses_default_plan=True, options={"a": "b"}))
        assert pooled.calls == [("assign", session.session_id, {"a": "b"}, pb.BACKPRESSURE_POLICY_FAIL_FAST)]
        assert rig.launcher.plans == []
        assert session.worker_pid() == 1


async def test_a_plan_of_ones_own_takes_no_pooled_worker() -> None:
    pooled = TameWorker(1)
    async with running(NoPool(pooled)) as rig:
        await rig.manager.open(OWNER, WANTED)
        assert pooled.calls == []
        assert len(rig.launcher.plans) == 1


async def test_after_a_pooled_worker_that_refuses_the_next_one_is_tried_and_then_a_new_one() -> None:
    pooled = [TameWorker(n, refuses=gone()) for n in (1, 2)]
    async with running(NoPool(*pooled)) as rig:
        session = await rig.manager.open(OWNER, replace(WANTED, uses_default_plan=True))
        assert session.worker_pid() == rig.worker.pid
        assert [worker.calls[-1] for worker in pooled] == ["kill", "kill"]


async def test_options_of_the_caller_that_one_pooled_worker_refuses_are_not_tried_on_others() -> None:
    pooled = [TameWorker(n, refuses=gone()) for n in (1, 2)]
    async with running(NoPool(*pooled)) as rig:
        with pytest.raises(WorkerExitedError):
            await rig.manager.open(OWNER, replace(WANTED, uses_default_plan=True, options={"a": "b"}))
        assert pooled[0].calls[-1] == "kill"
        assert (pooled[1].calls, rig.launcher.plans) == ([], [])


async def test_closing_ends_the_worker_in_order_and_closing_again_gives_the_same_state() -> None:
    async with running() as rig:
        session = await rig.manager.open(OWNER, WANTED)
        assert await rig.manager.close_for(session.session_id, OWNER) == CLOSED
        assert rig.worker.calls == [("shut_down", CloseReason.CLIENT)]
        assert session.ended.is_set()
        assert await rig.manager.close_for(session.session_id, OWNER) == CLOSED
        assert rig.worker.calls == [("shut_down", CloseReason.CLIENT)], "one ending only"
        with pytest.raises(SessionNotFoundError):
            await rig.manager.close_for(session.session_id, OTHER)
        assert (rig.manager.counters.closed, rig.manager.counters.killed) == (1, 0)


async def test_a_worker_that_does_not_end_in_order_is_told_and_the_session_is_closed_all_the_same() -> None:
    async with running() as rig:
        session = await rig.manager.open(OWNER, WANTED)
        rig.worker.ends_in_order = False
        with pytest.raises(WorkerShutdownTimeoutError):
            await rig.manager.close_for(session.session_id, OWNER)
        assert session.record.state == CLOSED
        assert rig.manager.counters.killed == 1
        assert await rig.manager.close_for(session.session_id, OWNER) == CLOSED


async def test_an_ending_goes_on_when_the_caller_gives_up_and_all_who_ask_share_it() -> None:
    async with running() as rig:
        session = await rig.manager.open(OWNER, WANTED)
        rig.worker.may_end.clear()
        first = asyncio.ensure_future(rig.manager.close(session, CloseReason.CLIENT))
        second = asyncio.ensure_future(rig.manager.close(session, CloseReason.CLIENT))
        await settle()
        first.cancel()
        await settle()
        assert not second.done()
        rig.worker.may_end.set()
        await second
        assert rig.worker.calls == [("shut_down", CloseReason.CLIENT)]
        assert (session.record.state, rig.manager.counters.closed) == (CLOSED, 1)


async def test_a_kill_does_not_wait_for_the_orderly_end_under_way() -> None:
    async with running() as rig:
        session = await rig.manager.open(OWNER, WANTED)
        rig.worker.may_end.clear()
        closing = asyncio.ensure_future(rig.manager.close(session, CloseReason.CLIENT))
        await settle()
        await rig.manager.kill(session)
        await closing
        assert rig.worker.calls == [("shut_down", CloseReason.CLIENT), "kill_process"]
        assert session.record.close_reason is CloseReason.CLIENT, "the first reason is the one that is told"


async def test_a_fault_ends_the_worker_at_once_and_stays_known_to_the_owner_for_a_minute() -> None:
    async with running() as rig:
        session = await rig.manager.open(OWNER, WANTED)
        rig.worker.fail(gone())
        rig.worker.fail(early_exit())
        await settle()
        assert rig.worker.calls == ["kill"]
        assert rig.manager.find(session.session_id, OWNER).record.state == FAULTED
        assert isinstance(session.record.fault, WorkerExitedError), "the first fault is the cause"
        assert rig.manager.counters.faulted == 1
        rig.clock.advance(FAULT_MEMORY - 1)
        rig.manager.sweep()
        await settle()
        assert len(rig.manager) == 1
        rig.clock.advance(1)
        rig.manager.sweep()
        await settle()
        assert len(rig.manager) == 0


async def test_the_sweep_closes_what_nobody_uses_and_nothing_else() -> None:
    async with running(limits=SessionLimits(lease=60.0, detach_grace=0.0)) as rig:
        idle = await rig.manager.open(OWNER, WANTED)
        used = await rig.manager.open(OWNER, WANTED)
        rig.clock.advance(59.9)
        used.touch()
        rig.manager.sweep()
        await settle()
        assert len(rig.manager) == 2
        rig.clock.advance(0.1)
        rig.manager.sweep()
        await settle()
        assert rig.manager.sessions == (used,)
        assert idle.record.close_reason is CloseReason.LEASE_EXPIRED
        with pytest.raises(SessionNotFoundError, match="lease-expired"):
            rig.manager.find(idle.session_id, OWNER)


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (CloseReason.CLIENT, type(None)),
        (CloseReason.LEASE_EXPIRED, SessionClosedError),
        (CloseReason.GATEWAY_SHUTDOWN, GatewayStoppingError),
    ],
)
async def test_streams_are_told_why_a_session_ended(reason: CloseReason, error: type) -> None:
    async with running() as rig:
        session = await rig.manager.open(OWNER, WANTED)
        stream = session.hub.join(0, pb.BACKPRESSURE_POLICY_UNSPECIFIED, lambda: None)
        await rig.manager.close(session, reason)
        assert stream.is_ended
        assert type(stream.error) is error


async def test_a_stopping_gateway_opens_nothing_and_closes_everything_at_once() -> None:
    async with running() as rig:
        sessions = [await rig.manager.open(OWNER, WANTED) for _ in range(3)]
        for worker in rig.launcher.workers:
            worker.may_end.clear()
        stopping = asyncio.ensure_future(rig.manager.stop())
        await settle()
        assert all(worker.calls for worker in rig.launcher.workers), "none waits for another"
        with pytest.raises(GatewayStoppingError) as caught:
            await rig.manager.open(OWNER, WANTED)
        assert caught.value.retry_after is not None
        for worker in rig.launcher.workers:
            worker.may_end.set()
        await stopping
        assert all(session.record.close_reason is CloseReason.GATEWAY_SHUTDOWN for session in sessions)


async def test_a_session_that_opens_while_the_gateway_stops_is_not_handed_out() -> None:
    async with running() as rig:
        rig.launcher.may_start.clear()
        opening = asyncio.ensure_future(rig.manager.open(OWNER, WANTED))
        await settle()
        rig.manager.refuse_new()
        rig.launcher.may_start.set()
        with pytest.raises(GatewayStoppingError):
            await opening
        assert rig.worker.calls == ["kill"]
        assert len(rig.manager) == 0


async def test_every_worker_is_asked_whether_it_hangs() -> None:
    async with running() as rig:
        for _ in range(2):
            await rig.manager.open(OWNER, WANTED)
        rig.manager.check_workers()
        assert [worker.calls for worker in rig.launcher.workers] == [["check"], ["check"]]


async def test_sessions_end_only_while_somebody_owns_the_tasks_that_end_them() -> None:
    rig = Rig()
    session: Session = await rig.manager.open(OWNER, WANTED)
    with pytest.raises(RuntimeError, match="run"):
        await rig.manager.close(session, CloseReason.CLIENT)
