"""Workers that do not get ready: each cause has its own error, at once, and nothing is left behind (the leak check)."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.clock import SystemClock
from mxgateway_server.errors import (
    WorkerBackendError,
    WorkerEarlyExitError,
    WorkerGarbageError,
    WorkerLaunchError,
    WorkerNeverReadyError,
    WorkerNonceError,
    WorkerStartError,
    WorkerVersionError,
)
from mxgateway_server.rpc.errors import to_status
from mxgateway_server.workers.client import WorkerClient
from mxgateway_server.workers.containment import create_containment
from mxgateway_server.workers.launcher import Launcher, WorkerPlan
from mxgateway_server.workers.pool import WorkerPool
from mxgateway_server.workers.terms import WorkerLimits
from mxgateway_server.workers.watchdog import WatchdogLimits

ROOT = str(Path(__file__).resolve().parents[2])
FAKE = (sys.executable, "-m", "tests.support.fake_worker")
SESSION = "session-" + "0" * 32


def launcher(**limits: Any) -> Launcher:
    limits.setdefault("startup", 20.0)
    return Launcher(WorkerLimits(**limits), SystemClock(), create_containment(), "test")


def plan(start: str = "normal", command: tuple[str, ...] = FAKE) -> WorkerPlan:
    return WorkerPlan(backend="fake", command=command, options={"start": start}, working_directory=ROOT)


@pytest.mark.parametrize(
    ("start", "error", "text"),
    [
        ("wrong_nonce", WorkerNonceError, "nonce"),
        ("wrong_version", WorkerVersionError, "99"),
        ("garbage", WorkerGarbageError, "no protocol"),
        ("backend_fault", WorkerBackendError, "class not registered"),
        ("exit:7", WorkerEarlyExitError, "backend failed"),
        ("exit:3", WorkerVersionError, "refused the protocol version"),
        ("exit:5", WorkerNonceError, "nonce refused"),
        ("exit:0", WorkerEarlyExitError, "exit code 0"),
    ],
)
async def test_each_failure_to_start_has_its_own_error(start: str, error: type[WorkerStartError], text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        await launcher().launch(plan(start), SESSION)
    assert type(caught.value) is error
    assert caught.value.worker_pid > 0


@pytest.mark.parametrize(
    ("start", "text", "deadline"),
    # The second deadline leaves a busy machine the time to say hello.
    [("never_hello", "did not answer", 0.5), ("never_ready", "did not get ready", 5.0)],
)
async def test_a_worker_that_is_never_ready_is_given_up_at_the_deadline(start: str, text: str, deadline: float) -> None:
    with pytest.raises(WorkerNeverReadyError, match=text):
        await launcher(startup=deadline).launch(plan(start), SESSION)


async def test_an_early_exit_tells_code_and_operators_the_last_words_without_secrets() -> None:
    """Callers learn the code; what the worker wrote, tracebacks with paths perhaps, is for log and check-config."""
    with pytest.raises(WorkerEarlyExitError) as caught:
        await launcher().launch(plan("exit:42"), SESSION)
    assert caught.value.exit_code == 42
    assert "told-to" in caught.value.last_words
    assert "hunter2" not in caught.value.last_words
    assert "told-to" not in f"{caught.value}{to_status(caught.value)}"


async def test_the_hresult_of_a_failed_backend_is_kept() -> None:
    with pytest.raises(WorkerBackendError) as caught:
        await launcher().launch(plan("backend_fault"), SESSION)
    assert caught.value.hresult == -2147221164


@pytest.mark.parametrize("command", [("/nonexistent/worker",), ("",)])
async def test_a_program_that_cannot_be_started_names_the_setting(command: tuple[str, ...]) -> None:
    with pytest.raises(WorkerLaunchError, match=r"worker\.command"):
        await launcher().launch(plan(command=command), SESSION)


async def test_a_caller_who_gives_up_during_the_start_leaves_no_worker() -> None:
    launching = launcher()
    task = asyncio.ensure_future(launching.launch(plan("never_ready"), SESSION))
    await eventually(lambda: len(launching) == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(launching) == 0


async def test_the_nonce_is_in_the_environment_and_nothing_else_of_ours_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MXGATEWAY__AUTHENTICATION__PEPPER_FILE", "x")
    monkeypatch.setenv("SOME_DATABASE_PASSWORD", "x")
    worker = await launcher().launch(plan(), SESSION)
    try:
        command = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand(message="env"))
        names = (await worker.submit(command, 10.0)).message.diagnostic_message.split(",")
        assert "MXGATEWAY_WORKER_NONCE" in names
        assert not [name for name in names if "PASSWORD" in name or "PEPPER" in name]
    finally:
        assert await worker.shut_down("test")


@pytest.mark.parametrize("start", ["ignore_shutdown", "ignore_end"])
async def test_a_worker_that_ignores_being_asked_is_ended_by_force(start: str) -> None:
    worker = await launcher(shutdown=0.2, terminate=0.2).launch(plan(start), SESSION)
    assert not await worker.shut_down("test")


async def test_a_worker_that_breaks_down_at_the_end_did_not_end_in_order() -> None:
    """Its process is gone in time, but it acknowledged nothing."""
    worker = await launcher(shutdown=20.0).launch(plan("crash_at_end"), SESSION)
    assert not await worker.shut_down("test")


async def test_a_frozen_worker_is_killed() -> None:
    worker = await launcher(shutdown=0.2, terminate=0.2).launch(plan(), SESSION)
    command = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand(message="stop"))
    reply = worker.submit(command, 30.0)
    assert not await worker.shut_down("test")
    with pytest.raises(Exception, match="closed"):
        await reply


async def ready_pool(launching: Launcher, size: int, group: asyncio.TaskGroup, start: str = "normal") -> WorkerPool:
    pool = WorkerPool(launching, plan(start), size)
    group.create_task(pool.run())
    await eventually(lambda: len(pool) == size)
    return pool


async def test_the_pool_hands_out_ready_workers_and_fills_up_again() -> None:
    launching = launcher()
    async with asyncio.TaskGroup() as group:
        pool = await ready_pool(launching, 2, group)
        worker = pool.take()
        assert worker is not None
        await worker.assign(SESSION, {}, pb.BACKPRESSURE_POLICY_FAIL_FAST)
        ping = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING, ping=pb.PingCommand(message="hello"))
        reply = (await worker.submit(ping, 10.0)).message
        assert (reply.session_id, reply.diagnostic_message) == (SESSION, "hello")
        await eventually(lambda: len(pool) == 2)
        assert await worker.shut_down("test")
        await pool.stop()
    assert len(launching) == 0


async def test_a_pooled_worker_that_dies_is_replaced() -> None:
    async with asyncio.TaskGroup() as group:
        pool = await ready_pool(launcher(), 1, group)
        first: WorkerClient = pool._ready[0]
        first.kill_process()
        await eventually(lambda: len(pool) == 1 and pool._ready[0] is not first)
        await pool.stop()


async def test_a_pooled_worker_that_refuses_its_session_gives_a_typed_error() -> None:
    async with asyncio.TaskGroup() as group:
        pool = await ready_pool(launcher(), 1, group, "refuse_assign")
        worker = pool.take()
        assert worker is not None
        with pytest.raises(WorkerBackendError, match="refused"):
            await worker.assign(SESSION, {}, pb.BACKPRESSURE_POLICY_FAIL_FAST)
        await worker.kill()
        await pool.stop()


async def test_a_pool_whose_workers_do_not_start_waits_longer_each_time_and_still_stops() -> None:
    launching = launcher()
    async with asyncio.TaskGroup() as group:
        pool = WorkerPool(launching, plan("exit:7"), 1)
        group.create_task(pool.run())
        await eventually(lambda: launching.failed == 1)
        assert pool.take() is None
        await pool.stop()


async def test_the_pool_waits_twice_as_long_each_time_up_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mxgateway_server.workers.pool._FIRST_RETRY", 0.001)
    monkeypatch.setattr("mxgateway_server.workers.pool._LAST_RETRY", 0.004)
    launching = launcher()
    with structlog.testing.capture_logs() as lines:
        async with asyncio.TaskGroup() as group:
            pool = WorkerPool(launching, plan("exit:7"), 1)
            group.create_task(pool.run())
            await eventually(lambda: launching.failed >= 4)
            await pool.stop()
    waits = [line["retry_in_seconds"] for line in lines if line["event"] == "pool_worker_failed"]
    assert waits[:4] == [0.001, 0.002, 0.004, 0.004]


async def test_a_hang_is_seen_by_silence() -> None:
    worker = await launcher(watchdog=WatchdogLimits(0.0, 0.0)).launch(plan(), SESSION)
    faults = []
    worker.on_fault = faults.append
    await eventually(lambda: worker.check() or bool(faults))
    assert faults[0].reason == "WORKER_HUNG"
    await worker.kill()


@pytest.mark.parametrize("name", ["mxgateway_worker", "mxgateway_protocol", "logging", "google"])
async def test_a_module_in_the_gateways_folder_does_not_stand_in_for_the_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whoever may write where a gateway happens to be started must not run code as its user."""
    planted = tmp_path / name
    planted.mkdir()
    trace = tmp_path / "planted-code-ran"
    for file in ("__init__.py", "__main__.py"):
        (planted / file).write_text(f"open({str(trace)!r}, 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    line = WorkerPlan(backend="simulator").command_line("session-x")
    process = await asyncio.create_subprocess_exec(
        *line, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    await process.wait()
    assert not trace.exists()
