"""An upgrade up to the moment of truth: what is asked, frozen and written down; and that all goes on when it fails."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import structlog
from tests.support.gateway import LiveGateway, fake_settings, live_gateway, ok
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.app import Gateway
from mxgateway_server.config.settings import Settings
from mxgateway_server.control.client import ask
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.upgrade import inheritance, standstill, upgrading
from mxgateway_server.upgrade.checking import UpgradeRefusedError
from mxgateway_server.upgrade.encoding import decode
from mxgateway_server.upgrade.handover import Handover
from mxgateway_server.upgrade.inheritance import Inheritance
from mxgateway_server.upgrade.judging import Answer, own_terms
from mxgateway_server.upgrade.legacy import NONE, Legacy
from mxgateway_server.upgrade.state import GatewayState

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a gateway replaces itself on Linux only")


@dataclass
class Attempt:
    """The process around a gateway; becoming another program fails, after what it would get was looked at."""

    answers: list[Answer | Exception] = field(default_factory=list)
    states: list[GatewayState] = field(default_factory=list)
    pipes: list[list[int]] = field(default_factory=list)
    workers: list[list[int]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    failure: Exception = field(default_factory=lambda: OSError(7, "Argument list too long"))
    holds: Callable[[], None] = lambda: None
    """What happens at the moment from which on signals are held."""

    @contextmanager
    def holds_signals(self) -> Iterator[int]:
        self.holds()
        yield NONE

    async def check(self, _: Sequence[str]) -> Answer:
        answer = self.answers.pop(0) if self.answers else Answer(version="9.9", terms=own_terms())
        if isinstance(answer, Exception):
            raise answer
        return answer

    def replace(self, _: Sequence[str], left: Legacy) -> None:
        self.states.append(decode(os.pread(left.memory, 1 << 24, 0), GatewayState))
        self.pipes.append(list(left.pipes))
        self.workers.append(list(left.workers))
        raise self.failure

    def handover(self, inherited: Inheritance | None = None) -> Handover:
        return Handover(
            command=("the-program", "serve"),
            inherited=inherited,
            check=self.check,
            replace=self.replace,
            before=lambda: self.told.append("before"),
            failed=lambda: self.told.append("failed"),
            holds_signals=self.holds_signals,
        )


def having(handover: Handover) -> Callable[[Settings, Any], Gateway]:
    return lambda settings, clock: Gateway(settings, clock, handover=handover)


@asynccontextmanager
async def gateway_of(tmp_path: Path, attempt: Attempt, **flags: Any) -> AsyncIterator[LiveGateway]:
    async with live_gateway(fake_settings(tmp_path, **flags), make=having(attempt.handover())) as gateway:
        yield gateway


def worker_pid(gateway: LiveGateway, session_id: str) -> int:
    worker = gateway.session(session_id).worker
    return 0 if worker is None else worker.pid


def in_flight(gateway: LiveGateway, session_id: str) -> int:
    worker = gateway.session(session_id).worker
    return -1 if worker is None else worker.in_flight


async def upgrade(gateway: LiveGateway) -> str:
    """Why it was refused."""
    with pytest.raises(ConfigurationError) as refused:
        await asyncio.to_thread(ask, gateway.settings.state_path, "upgrade")
    return str(refused.value)


async def test_a_program_that_cannot_be_begun_leaves_everything_as_it_was(tmp_path: Path) -> None:
    attempt = Attempt()
    async with gateway_of(tmp_path, attempt) as gateway:
        session = await gateway.open(client_session_name="night shift")
        pid = worker_pid(gateway, session)
        stream = gateway.stub.StreamEvents(pb.StreamEventsRequest(session_id=session), metadata=gateway.auth)
        await stream.initial_metadata()
        assert "Argument list too long" in await upgrade(gateway)
        assert attempt.told == ["before", "failed"]
        # The stream has ended as it would have, and the caller may come back at once.
        with pytest.raises(grpc.aio.AioRpcError, match="being upgraded") as ended:
            await stream.read()
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        await gateway.ping(session)
        assert worker_pid(gateway, session) == pid
        assert not any(map(os.get_inheritable, attempt.pipes[0]))
        again = gateway.stub.StreamEvents(pb.StreamEventsRequest(session_id=session), metadata=gateway.auth)
        await again.initial_metadata()
        again.cancel()
        assert (await gateway.open()) != session
        program = gateway.status().program
        assert program is not None
        assert (program.upgrades, program.refused_upgrades) == (0, 1)


async def test_the_state_names_sessions_workers_and_where_it_listens_and_holds_no_secret(tmp_path: Path) -> None:
    attempt = Attempt()
    async with gateway_of(tmp_path, attempt, worker__pool_size=1) as gateway:
        session = await gateway.open(client_session_name="night shift")
        closed = await gateway.open()
        await gateway.close(closed)
        await eventually(lambda: len(gateway.gateway.parts.pool) == 1)
        await upgrade(gateway)
        (state,) = attempt.states
        (kept,) = state.sessions
        assert (kept.session_id, kept.name, kept.owner_key_id) == (session, "night shift", "tester")
        assert kept.worker.pid == worker_pid(gateway, session)
        assert attempt.pipes == [[kept.worker.stdin, kept.worker.stdout, kept.worker.stderr]]
        assert kept.worker.pid in attempt.workers[0]
        assert len(attempt.workers[0]) == 2, "workers that are ready for sessions to come are named, too"
        assert [(each.session_id, each.cause) for each in state.ended] == [(closed, "client-close")]
        assert [each.setting for each in state.addresses] == ["listen_plaintext"]
        assert (state.upgrades, state.actor.partition(":")[0]) == (1, "cli")
        assert gateway.key.split("_", 2)[2] not in repr(state)


async def test_who_had_only_a_stream_of_commands_is_not_missed_when_it_ends(tmp_path: Path) -> None:
    attempt = Attempt()
    async with gateway_of(tmp_path, attempt) as gateway:
        commanding, reading, neither = [await gateway.open() for _ in range(3)]
        calls = gateway.stub.InvokeStream(metadata=gateway.auth)
        await calls.write(streamed(commanding, "1", "hello"))
        assert (await calls.read()).replies
        events = gateway.stub.StreamEvents(pb.StreamEventsRequest(session_id=reading), metadata=gateway.auth)
        await events.initial_metadata()
        await upgrade(gateway)
        detached = {each.session_id: each.detached for each in attempt.states[0].sessions}
        assert (detached[commanding], detached[neither]) == (-1, -1)
        assert detached[reading] >= 0, "who reads events comes back soon, or not at all"
        for call in (calls, events):
            call.cancel()


async def test_a_command_that_does_not_end_in_time_stops_the_upgrade_and_not_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standstill, "FREEZE_SECONDS", 0.2)
    attempt = Attempt()
    async with gateway_of(tmp_path, attempt) as gateway:
        session = await gateway.open()
        waiting = asyncio.ensure_future(gateway.ping(session, "silent"))
        await eventually(lambda: in_flight(gateway, session) == 1)
        assert "1 commands are under way" in await upgrade(gateway)
        assert attempt.states == []
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait((waiting,))
        assert len(gateway.status().sessions) == 1


async def test_while_it_waits_for_a_command_nothing_else_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standstill, "FREEZE_SECONDS", 20.0)
    attempt = Attempt()
    async with gateway_of(tmp_path, attempt) as gateway:
        session = await gateway.open()
        calls = gateway.stub.InvokeStream(metadata=gateway.auth)
        await calls.write(streamed(session, "1", "silent"))
        await eventually(lambda: in_flight(gateway, session) == 1)
        refused = asyncio.ensure_future(upgrade(gateway))
        await eventually(lambda: gateway.gateway.parts.sessions.is_frozen)
        for call in (gateway.ping(session), gateway.open(), gateway.close(session)):
            with pytest.raises(grpc.aio.AioRpcError, match="being upgraded") as error:
                await call
            assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        # A command on a stream that is open already is refused as a reply, and the stream goes on.
        await calls.write(streamed(session, "2", "hello"))
        (reply,) = (await calls.read()).replies
        assert (reply.correlation_id, reply.protocol_status.reason) == ("2", "GATEWAY_STOPPING")
        assert reply.protocol_status.retry_after.seconds == 1
        # Its command ends, so the upgrade goes on (and fails, as it has to here).
        await calls.write(pb.MxCommandBatch(session_id=session, cancel_correlation_ids=["1"]))
        gateway.gateway.parts.sessions.sessions[0].worker.kill_process()  # type: ignore[union-attr]
        assert "begun" in await refused or "ending" in await refused
        calls.cancel()


def streamed(session: str, correlation_id: str, text: str) -> pb.MxCommandBatch:
    from tests.support.gateway import command

    return pb.MxCommandBatch(
        session_id=session,
        commands=[pb.MxStreamCommand(correlation_id=correlation_id, command=command("PING", message=text))],
    )


@pytest.mark.parametrize("kind", ["refused", "other terms", "draining", "embedded", "no pidfd"])
async def test_any_doubt_is_a_refusal_that_says_why(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = Attempt()
    handover = attempt.handover()
    told = "drain and restart"
    if kind == "refused":
        told = "listen: no such address"
        attempt.answers = [UpgradeRefusedError(told)]
    elif kind == "embedded":
        handover = replace(handover, command=())
    elif kind == "no pidfd":
        monkeypatch.setattr(upgrading, "has_pidfd", lambda: False)
    elif kind == "draining":
        told = "drained"
    else:
        told = "no state of mine"
        attempt.answers = [UpgradeRefusedError(told)]
    async with live_gateway(fake_settings(tmp_path), make=having(handover)) as gateway:
        session = await gateway.open()
        if kind == "draining":
            gateway.gateway.drain(600)
        assert told in await upgrade(gateway)
        assert attempt.states == []
        await gateway.ping(session)
        await gateway.close(session)


@pytest.mark.parametrize("problem", [OSError(errno.ENOMEM, "Cannot allocate memory"), MemoryError()], ids=repr)
async def test_memory_that_cannot_be_had_is_a_refusal_and_all_goes_on(
    tmp_path: Path, problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seal(_: object) -> int:
        raise problem

    monkeypatch.setattr(inheritance, "seal", seal)
    attempt = Attempt()
    async with gateway_of(tmp_path, attempt) as gateway:
        session = await gateway.open()
        told = await upgrade(gateway)
        assert "no memory could be had for the state of 1 sessions: " in told
        assert told.endswith("drain and restart instead")
        assert (attempt.states, attempt.told) == ([], []), "nobody was told of what was not tried"
        await gateway.ping(session)


async def test_whatever_fails_at_the_last_step_is_told_to_who_was_told_of_it(tmp_path: Path) -> None:
    attempt = Attempt(failure=ValueError("embedded null byte"))
    async with gateway_of(tmp_path, attempt) as gateway:
        session = await gateway.open()
        assert "the gateway goes on" in await upgrade(gateway)
        assert attempt.told == ["before", "failed"]
        await gateway.ping(session)


async def test_a_stop_that_is_asked_for_at_the_last_moment_comes_before_the_upgrade(tmp_path: Path) -> None:
    attempt = Attempt()
    async with gateway_of(tmp_path, attempt) as gateway:
        await gateway.open()
        attempt.holds = gateway.gateway.request_stop
        assert "the gateway is stopping" in await upgrade(gateway)
        assert (attempt.states, attempt.told) == ([], [])


async def test_what_is_to_be_audited_at_the_last_moment_is_stored_before(tmp_path: Path) -> None:
    waiting: list[int] = []

    class Looking(Attempt):
        def replace(self, command: Sequence[str], left: Legacy) -> None:
            waiting.append(audit.waiting)
            super().replace(command, left)

    attempt = Looking()
    async with gateway_of(tmp_path, attempt) as gateway:
        (audit,) = [part for part in gateway.gateway.parts.background if isinstance(part, AuditLog)]
        attempt.holds = lambda: audit.add(AuditRecord(event="write-completed", outcome="ok"))
        await upgrade(gateway)
    assert waiting == [0]


async def test_a_worker_that_is_being_made_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standstill, "LAST_SECONDS", 0.1)
    attempt = Attempt()
    async with gateway_of(tmp_path, attempt) as gateway:
        launcher = gateway.gateway.parts.launcher
        launcher.being_made += 1
        assert "a worker is being started" in await upgrade(gateway)
        assert attempt.states == []
        monkeypatch.setattr(standstill, "LAST_SECONDS", 20.0)
        loop = asyncio.get_running_loop()
        attempt.holds = lambda: loop.call_later(0.05, setattr, launcher, "being_made", 0) and None
        await upgrade(gateway)
        assert len(attempt.states) == 1


async def test_a_dry_run_only_asks(tmp_path: Path) -> None:
    attempt = Attempt()
    async with gateway_of(tmp_path, attempt) as gateway:
        session = await gateway.open()
        found = await asyncio.to_thread(ask, tmp_path, "upgrade", dry_run=True)
        assert (found["to"], found["sessions"]) == ("9.9", 1)
        assert (attempt.states, attempt.told) == ([], [])
        await gateway.ping(session)


async def test_a_signal_upgrades_as_well(tmp_path: Path) -> None:
    attempt = Attempt()
    async with gateway_of(tmp_path, attempt) as gateway:
        await gateway.open()
        gateway.gateway.upgrade()
        await eventually(lambda: bool(attempt.states))
        assert attempt.states[0].actor == "signal"
        await eventually(lambda: not gateway.gateway.parts.sessions.is_frozen)


async def test_a_second_signal_while_one_is_under_way_is_told_and_does_nothing(tmp_path: Path) -> None:
    attempt = Attempt()
    async with gateway_of(tmp_path, attempt) as gateway:
        await gateway.open()
        with structlog.testing.capture_logs() as lines:
            attempt.holds = gateway.gateway.upgrade
            gateway.gateway.upgrade()
            await eventually(lambda: "upgrade_refused" in [line["event"] for line in lines])
            await eventually(lambda: not gateway.gateway.parts.sessions.is_frozen)
            await gateway.open()
        ignored = [line for line in lines if line["event"] == "upgrade_ignored"]
        assert [line["reason"] for line in ignored] == ["an upgrade is under way already"]
        assert len(attempt.states) == 1


def test_a_signal_to_a_gateway_that_only_begins_is_told_and_does_nothing(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as lines:
        Gateway(fake_settings(tmp_path)).upgrade()
    assert [line["event"] for line in lines] == ["upgrade_ignored"]


@pytest.mark.parametrize("problem", ["the state was changed on its way", ""])
async def test_what_cannot_be_taken_over_is_told_and_the_gateway_begins(tmp_path: Path, problem: str) -> None:
    lost = Attempt()
    (first := tmp_path / "first").mkdir()
    (second := tmp_path / "second").mkdir()
    async with gateway_of(first, lost) as gateway:
        session = await gateway.open()
        await upgrade(gateway)
    (kept,) = lost.states[0].sessions
    # Its worker has ended with that gateway, and these pipes are nobody's.
    gone = replace(kept, worker=replace(kept.worker, stdin=10**6, stdout=10**6 + 1, stderr=10**6 + 2))
    state = None if problem else replace(lost.states[0], sessions=(gone,))
    inherited = Inheritance(state, problem, (kept.worker.pid,))
    async with live_gateway(fake_settings(second), make=having(Attempt().handover(inherited))) as gateway:
        program = gateway.status().program
        assert program is not None
        assert program.kept_sessions == 0
        if problem:
            assert program.upgrades == 1
        else:
            assert program.lost_sessions == 1
            with pytest.raises(grpc.aio.AioRpcError, match="could not be taken over"):
                await gateway.ping(session)
            await gateway.close(session)
        other = await gateway.open()
        assert (await gateway.ping(other)).kind == ok("PING").kind
