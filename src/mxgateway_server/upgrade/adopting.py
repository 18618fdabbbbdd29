"""Taking over what another program of this process has left: sessions with their workers, and other children."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterable

from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.commands.command_audit import CommandAudit
from mxgateway_server.errors import WorkerError
from mxgateway_server.logs import get_logger
from mxgateway_server.program import Program
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.sessions.session import Session
from mxgateway_server.upgrade.inheritance import Inheritance
from mxgateway_server.workers.containment import Containment
from mxgateway_server.workers.launcher import Launcher

if sys.platform == "linux":
    from mxgateway_server.workers.own_pipes import reaped, require_child

logger = get_logger(__name__)

LEFT_SECONDS = 10.0
"""How long a worker that nobody wants any more may take to its end: its input has ended."""


async def adopt(
    inherited: Inheritance,
    program: Program,
    *,
    sessions: SessionManager,
    launcher: Launcher,
    records: CommandAudit,
    audit: AuditLog,
) -> tuple[int, ...]:
    """Takes the sessions over, before the first caller is let in; a session whose worker cannot be is faulted.

    Returns:
        Process ids of the children that belong to no session.
    """
    state = inherited.state
    if state is None:
        logger.error("upgrade_state_lost", reason=inherited.problem, workers=len(inherited.workers))
        audit.add(AuditRecord(event="upgraded", outcome="failed", details={"reason": inherited.problem}))
        program.upgrades = 1
        return inherited.workers
    program.came_from, program.upgrades, program.begun_ns = state.version, state.upgrades, state.begun_ns
    program.addresses = {each.setting: each.address for each in state.addresses}
    sessions.remember(state.ended)
    taken: set[int] = set()
    early = {} if inherited.early is None else inherited.early.stop()
    for kept in state.sessions:
        session = sessions.resume(kept, launcher)
        records.resume(session, kept.writes)
        if await _take_over(session, program, early.get(kept.worker.stdout, b""), early.get(kept.worker.stderr, b"")):
            taken.add(kept.worker.pid)
    logger.info("upgrade_adopted", sessions=program.kept, lost=program.lost, came_from=state.version)
    audit.add(
        AuditRecord(
            event="upgraded",
            outcome="ok" if not program.lost else "failed",
            details={
                "from": state.version,
                "to": program.version,
                "asked_by": state.actor,
                "sessions": program.kept,
                "lost": program.lost,
            },
        )
    )
    return tuple(pid for pid in inherited.workers if pid not in taken)


async def _take_over(session: Session, program: Program, out: bytes, log: bytes) -> bool:
    assert session.worker is not None
    try:
        await session.worker.handing_on.take_over(out, log)
    except WorkerError as error:
        program.lost += 1
        logger.error("upgrade_session_lost", session_id=session.session_id, error=error)  # noqa: TRY400 - told in full
        session.fail(error)
        session.worker.handing_on.forget(error)
        return False
    program.kept += 1
    return True


class Leftovers:
    """Children that belong to no session: they see the end of their input and end; a part of the gateway."""

    def __init__(self, pids: Iterable[int], containment: Containment) -> None:
        self._pids = tuple(pids)
        self._containment = containment
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Waits for their end, ends those that take too long, and then for `stop`."""
        async with asyncio.TaskGroup() as group:
            for pid in self._pids:
                group.create_task(self._end(pid))
            await self._stop.wait()

    async def stop(self) -> None:
        self._stop.set()

    async def _end(self, pid: int) -> None:
        if sys.platform != "linux":
            return
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            return  # gone, and seen to be
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(pidfd, ended.set)
        try:
            # Who is no child of this process is nobody's to end.
            require_child(pidfd)
            try:
                async with asyncio.timeout(LEFT_SECONDS):
                    await ended.wait()
            except TimeoutError:
                logger.warning("worker_left_over_killed", worker_pid=pid)
                self._containment.kill(pid)
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                await ended.wait()
            reaped(pidfd)
            self._containment.release(pid)
        except (ChildProcessError, ProcessLookupError):
            return  # no child of ours
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)
