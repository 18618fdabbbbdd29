"""How a worker is started: its command line, its environment, and how many at a time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog
from tests.support.clock import ManualClock
from tests.support.waiting import eventually

from mxgateway_contract.constants import WORKER_PROTOCOL_VERSION
from mxgateway_protocol.contract import NONCE_VARIABLE
from mxgateway_server.errors import SessionStartBusyError, WorkerLaunchError, WorkerNeverReadyError
from mxgateway_server.workers import launcher as module
from mxgateway_server.workers.containment import create_containment
from mxgateway_server.workers.launcher import Launcher, WorkerPlan
from mxgateway_server.workers.terms import WorkerIdentity, WorkerLimits

SESSION = "session-" + "0" * 32


class Starts:
    """Stands in for processes and clients: records what was started, and answers when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commands: list[Sequence[str]] = []
        self.environments: list[Mapping[str, str]] = []
        self.nonces: list[str] = []
        self.killed: list[int] = []
        self.answers = asyncio.Event()
        self.error: BaseException | None = None
        self.cannot_start = False
        monkeypatch.setattr(module, "start_process", self.start)
        monkeypatch.setattr(module, "WorkerClient", self.client)

    async def start(self, command: Sequence[str], environment: Mapping[str, str], *_: Any, **__: Any) -> Any:
        if self.cannot_start:
            raise WorkerLaunchError("the worker cannot be started")
        self.commands.append(command)
        self.environments.append(environment)
        return SimpleNamespace(ended=asyncio.get_running_loop().create_future(), pid=len(self.commands))

    def client(self, process: Any, nonce: str, **_: Any) -> Any:
        self.nonces.append(nonce)
        return StandIn(self, process)


class StandIn:
    """A client as the launcher uses it."""

    def __init__(self, starts: Starts, process: Any) -> None:
        self._starts = starts
        self.process = process
        self.pid = process.pid
        self.cpu_seconds = 0.5

    async def handshake(self, _: str, on_hello: Callable[[], None]) -> WorkerIdentity:
        await self._starts.answers.wait()
        if self._starts.error is not None:
            raise self._starts.error
        on_hello()
        return WorkerIdentity(pid=self.pid, version="1", backend_name="fake", prog_id="Fake", class_id="{0}")

    async def kill(self) -> None:
        self.kill_process()
        self.process.ended.set_result(None)

    def kill_process(self) -> None:
        self._starts.killed.append(self.pid)


@pytest.fixture
async def starts(monkeypatch: pytest.MonkeyPatch) -> Starts:
    made = Starts(monkeypatch)
    made.answers.set()
    return made


def launcher(simultaneous: int = 4) -> Launcher:
    return Launcher(
        limits=WorkerLimits(),
        clock=ManualClock(),
        containment=create_containment(),
        gateway_version="test",
        simultaneous_starts=simultaneous,
    )


def test_the_command_line_names_everything_in_a_fixed_order() -> None:
    plan = WorkerPlan(
        backend="simulator",
        command=("/opt/python", "-m", "worker"),
        options={"b": "2", "a": "1"},
        arguments=("--log-level", "debug"),
    )
    assert plan.command_line(SESSION) == [
        *("/opt/python", "-m", "worker", "--session-id", SESSION),
        *("--protocol-version", str(WORKER_PROTOCOL_VERSION), "--backend", "simulator"),
        *("--option", "a=1", "--option", "b=2", "--log-level", "debug"),
    ]
    assert WorkerPlan(backend="x").command_line(SESSION)[:4] == [sys.executable, "-P", "-m", "mxgateway_worker"]


@pytest.mark.parametrize("planted", ["mxgateway_worker", "logging", "google"])
def test_nothing_that_lies_in_the_working_directory_runs_in_a_worker(tmp_path: Path, planted: str) -> None:
    """Whoever may write there would write to the plant otherwise."""
    marker = tmp_path / "ran"
    package = tmp_path / planted
    package.mkdir()
    for name in ("__init__.py", "__main__.py"):
        (package / name).write_text(f"open({str(marker)!r}, 'w').close()\n")
    begin = WorkerPlan(backend="x").command_line(SESSION)[:4]
    done = subprocess.run([*begin, "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, marker.exists()) == (0, False), done.stderr
    assert "--session-id" in done.stdout


@pytest.mark.parametrize("value", ["with blank", "a=b", "", "--option", "x\ny"])
def test_an_option_stays_one_argument_whatever_it_holds(value: str) -> None:
    line = WorkerPlan(backend="x", options={"key": value}).command_line(SESSION)
    assert line[-2:] == ["--option", f"key={value}"]


async def test_each_worker_has_a_nonce_of_its_own_that_is_on_no_command_line(starts: Starts) -> None:
    launching = launcher()
    for _ in range(3):
        await launching.launch(WorkerPlan(backend="x"), SESSION)
    assert len(set(starts.nonces)) == 3
    for nonce, environment, command in zip(starts.nonces, starts.environments, starts.commands, strict=True):
        assert environment[NONCE_VARIABLE] == nonce
        assert len(nonce) >= 24
        assert not any(nonce in word for word in command)


async def test_a_worker_gets_what_it_needs_of_the_environment_and_nothing_else(
    starts: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MXGATEWAY__GALAXY__CONNECTION_STRING", "postgresql://u:secret@db/ZB")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PATHOLOGY", "no prefix of PATH")
    monkeypatch.setenv("PYTHONPATH", "/here")
    monkeypatch.setenv(NONCE_VARIABLE, "of another worker")
    await launcher().launch(WorkerPlan(backend="x"), SESSION)
    (environment,) = starts.environments
    assert "PATH" in environment
    assert not {"PYTHONPATH", "MXGATEWAY__GALAXY__CONNECTION_STRING", "AWS_SECRET_ACCESS_KEY", "PATHOLOGY"} & set(
        environment
    )
    assert environment[NONCE_VARIABLE] == starts.nonces[0]


async def test_no_more_workers_start_at_once_than_allowed(starts: Starts) -> None:
    starts.answers.clear()
    launching = launcher(simultaneous=2)
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(launching.launch(WorkerPlan(backend="x"), SESSION))
        await eventually(lambda: len(starts.commands) == 2)
        await asyncio.sleep(0)
        assert len(starts.commands) == 2
        starts.answers.set()
    assert (len(starts.commands), launching.started, launching.failed) == (5, 5, 0)


async def test_a_failed_start_gives_its_turn_to_the_next_and_leaves_nothing(starts: Starts) -> None:
    launching = launcher(simultaneous=1)
    starts.error = WorkerNeverReadyError("not ready")
    with pytest.raises(WorkerNeverReadyError):
        await launching.launch(WorkerPlan(backend="x"), SESSION)
    starts.error = None
    starts.cannot_start = True
    with pytest.raises(WorkerLaunchError):
        await launching.launch(WorkerPlan(backend="x"), SESSION)
    starts.cannot_start = False
    await launching.launch(WorkerPlan(backend="x"), SESSION)
    assert starts.killed == [1]
    assert (launching.started, launching.failed) == (1, 2)
    await eventually(lambda: len(launching) == 1)


async def test_the_first_worker_is_told_and_the_first_after_a_failure(starts: Starts) -> None:
    launching = launcher()
    with structlog.testing.capture_logs() as lines:
        for error in (None, None, WorkerNeverReadyError("not ready"), None, None):
            starts.error = error
            with suppress(WorkerNeverReadyError):
                await launching.launch(WorkerPlan(backend="x"), SESSION)
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("worker_ready", "info"),
        ("worker_ready", "debug"),
        ("worker_start_failed", "warning"),
        ("worker_ready", "info"),
        ("worker_ready", "debug"),
    ]


async def test_a_caller_who_gives_up_gets_the_worker_killed(starts: Starts) -> None:
    starts.answers.clear()
    launching = launcher()
    start = asyncio.ensure_future(launching.launch(WorkerPlan(backend="x"), SESSION))
    await eventually(lambda: len(starts.nonces) == 1)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert starts.killed == [1]
    await eventually(lambda: len(launching) == 0)


async def test_the_steps_of_the_start_are_told_in_order(starts: Starts) -> None:
    told: list[str] = []
    await launcher().launch(
        WorkerPlan(backend="x"),
        SESSION,
        on_started=lambda: told.append("started"),
        on_hello=lambda: told.append("hello"),
    )
    assert told == ["started", "hello"]


async def test_all_that_live_are_killed_at_once_and_those_that_ended_are_not(starts: Starts) -> None:
    launching = launcher()
    workers = [cast(Any, await launching.launch(WorkerPlan(backend="x"), SESSION)) for _ in range(3)]
    workers[1].process.ended.set_result(0)
    await eventually(lambda: len(launching) == 2)
    launching.kill_all()
    assert sorted(starts.killed) == [1, 3]


async def test_a_caller_whose_turn_would_come_too_late_is_told_at_once_when_to_come_back(starts: Starts) -> None:
    starts.answers.clear()
    launching = launcher(simultaneous=1)
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(launching.launch(WorkerPlan(backend="x"), SESSION))
        await eventually(lambda: launching.starting == 8)
        with pytest.raises(SessionStartBusyError) as caught:
            await launching.launch(WorkerPlan(backend="x"), SESSION, deadline=ManualClock().monotonic() + 3.0)
        assert caught.value.retry_after is not None
        assert len(starts.commands) == 1
        starts.answers.set()
    assert (launching.starting, launching.started) == (0, 8)


async def test_a_start_that_takes_longer_than_its_caller_waits_is_answered_before_he_gives_up(starts: Starts) -> None:
    starts.answers.clear()
    launching = launcher()
    with pytest.raises(SessionStartBusyError):
        await launching.launch(WorkerPlan(backend="x"), SESSION, deadline=ManualClock().monotonic() + 0.7)
    assert starts.killed == [1]
    assert (len(launching), launching.starting) == (0, 0)


async def test_a_caller_who_stands_in_line_until_his_last_moment_is_answered_then(starts: Starts) -> None:
    starts.answers.clear()
    launching = launcher(simultaneous=1)
    async with asyncio.TaskGroup() as group:
        group.create_task(launching.launch(WorkerPlan(backend="x"), SESSION))
        await eventually(lambda: len(starts.commands) == 1)
        with pytest.raises(SessionStartBusyError):
            await launching.launch(WorkerPlan(backend="x"), SESSION, deadline=ManualClock().monotonic() + 1.3)
        assert len(starts.commands) == 1, "nothing was started for him"
        starts.answers.set()
