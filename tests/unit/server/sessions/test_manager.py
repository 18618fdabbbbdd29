"""Sessions from their opening to their end, over workers that have no processes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.session_rig import ADMIN, OTHER, OWNER, WANTED, early_exit, gone, running, settle
from tests.support.tame_workers import TameWorker

from mxgateway_server.errors import (
    GatewayStoppingError,
    OwnerMismatchError,
    SessionLimitError,
    SessionNotFoundError,
    WorkerEarlyExitError,
    WorkerExitedError,
)
from mxgateway_server.sessions.state import READY, CloseReason, SessionLimits


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
        # A client that waits longer misses a gateway that is back after a second.
        assert caught.value.retry_after == 1.0
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
