"""How sessions end: once each, whoever asks, and what those who wait are told."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.session_rig import OTHER, OWNER, WANTED, Rig, early_exit, gone, running, settle

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors import (
    GatewayStoppingError,
    SessionClosedError,
    SessionNotFoundError,
    WorkerExitedError,
    WorkerShutdownTimeoutError,
)
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import CLOSED, FAULT_MEMORY, FAULTED, CloseReason


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


async def test_sessions_end_only_while_somebody_owns_the_tasks_that_end_them() -> None:
    rig = Rig()
    session: Session = await rig.manager.open(OWNER, WANTED)
    with pytest.raises(RuntimeError, match="run"):
        await rig.manager.close(session, CloseReason.CLIENT)
