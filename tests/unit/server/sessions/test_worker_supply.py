"""Which worker a session gets, and what becomes of one that refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.support.session_rig import OWNER, WANTED, NoPool, gone, running
from tests.support.tame_workers import TameWorker

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors import (
    InvalidRequestError,
    WorkerExitedError,
    WorkerOptionError,
)


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


@pytest.mark.parametrize(
    ("options", "taken"),
    [({}, True), ({"galaxy": "plant"}, True), ({"galaxy": "other"}, False), ({"time": "local"}, False)],
)
async def test_a_pooled_worker_of_com_serves_sessions_with_its_own_options_only(
    options: dict[str, str], taken: bool
) -> None:
    """LMXProxy is made once in a process, so a session that asks for other options gets a fresh one."""
    pooled = TameWorker(1)
    async with running(NoPool(pooled)) as rig:
        plan = replace(WANTED.plan, backend="com")
        await rig.manager.open(OWNER, replace(WANTED, uses_default_plan=True, plan=plan, options=options))
        assert bool(pooled.calls) is taken
        assert [dict(launched.options) for _, launched in rig.launcher.plans] == (
            [] if taken else [{"galaxy": "plant", **options}]
        )


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
