"""The upgrade itself: asked of the installed program, frozen, written down, and gone on with as that program."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mxgateway_protocol.clock import Clock
from mxgateway_server import __version__
from mxgateway_server.access.actors import Actor, acting, current_actor
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.commands.command_audit import CommandAudit
from mxgateway_server.errors import GatewayUpgradingError
from mxgateway_server.logs import get_logger
from mxgateway_server.parts import work_until
from mxgateway_server.program import Program
from mxgateway_server.rpc.guard import Guard
from mxgateway_server.rpc.live_streams import LiveStreams
from mxgateway_server.sessions.keeping import keep_session
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import READY
from mxgateway_server.upgrade.checking import UpgradeRefusedError
from mxgateway_server.upgrade.encoding import encode
from mxgateway_server.upgrade.handover import Handover
from mxgateway_server.upgrade.judging import Answer
from mxgateway_server.upgrade.quiet import hindrances
from mxgateway_server.upgrade.state import GatewayState, KeptAddress
from mxgateway_server.workers.launcher import Launcher
from mxgateway_server.workers.own_pipes import has_pidfd

if os.name == "posix":
    from mxgateway_server.upgrade import inheritance

logger = get_logger(__name__)

FREEZE_SECONDS = 2.0
"""How long commands that are under way may take to their end."""
AUDIT_SECONDS = 3.0
STREAM_SECONDS = 1.0
"""How long streams may take to deliver what waits for them."""
WIRE_SECONDS = 0.05
"""For what was handed to gRPC to leave this machine."""
_LOOK_SECONDS = 0.01
_TURNS = 5
"""Turns of the loop in which whoever waited for a reply has done with it."""
SIGNAL = Actor("signal", "control")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeParts:
    """Of the gateway, what an upgrade has to do with."""

    sessions: SessionManager
    launcher: Launcher
    streams: LiveStreams
    guard: Guard
    records: CommandAudit
    audit: AuditLog


class Upgrading:
    """Replaces this program by the one that is installed; a part of the gateway, for upgrades by signal.

    Args:
        parts: of the gateway.
        handover: how this process becomes another program.
        program: which one this is, and since when.
        wanted: set by whoever wants an upgrade and cannot wait for it.
    """

    def __init__(
        self, parts: UpgradeParts, handover: Handover, program: Program, clock: Clock, wanted: asyncio.Event
    ) -> None:
        self._parts = parts
        self._handover = handover
        self._program = program
        self._clock = clock
        self._wanted = wanted
        self._stop = asyncio.Event()
        self._is_under_way = False

    async def run(self) -> None:
        """Waits for upgrades by signal, until `stop`."""
        await work_until(self._stop, self._work())

    async def stop(self) -> None:
        self._stop.set()

    async def _work(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            # Why it was refused is in the log; the gateway goes on as it is.
            with acting(SIGNAL), contextlib.suppress(UpgradeRefusedError):
                await self.upgrade()

    async def upgrade(self, *, is_dry_run: bool = False) -> dict[str, Any]:
        """Becomes the installed program; returns only from a dry run.

        Raises:
            UpgradeRefusedError: it cannot be done; nothing has changed.
        """
        if self._is_under_way:
            raise UpgradeRefusedError("an upgrade is under way already")
        self._is_under_way = True
        try:
            answer = await self._checked()
            if is_dry_run:
                return {"from": __version__, "to": answer.version, "sessions": len(self._parts.sessions)}
            self._note("upgrade-started", "ok", {"from": __version__, "to": answer.version})
            logger.info("upgrade_started", to=answer.version, sessions=len(self._parts.sessions))
            with self._frozen():
                await self._go(answer)
        except UpgradeRefusedError as error:
            if not is_dry_run:
                self._program.refused += 1
                self._note("upgrade-refused", "failed", {"reason": str(error)})
                logger.warning("upgrade_refused", reason=str(error))
            raise
        except Exception as error:
            # Whatever it is: sessions are worth more than the upgrade, and their gateway goes on.
            logger.exception("upgrade_failed")
            raise UpgradeRefusedError(
                "an unexpected error; the gateway's log has it, and the gateway goes on"
            ) from error
        finally:
            self._is_under_way = False
        raise AssertionError("the program was not replaced")

    async def _checked(self) -> Answer:
        if not self._handover.command or self._handover.replace is None:
            raise UpgradeRefusedError(
                "this gateway cannot replace itself: it does so on Linux, where it was begun as mxgateway serve; "
                "drain and restart instead"
            )
        if not has_pidfd():
            raise UpgradeRefusedError(
                "this system has no pidfd (Linux 5.3, not forbidden by a sandbox), so a worker's end could not be "
                "seen by another program; drain and restart instead"
            )
        self._require_running()
        return await self._handover.check(self._handover.command)

    def _require_running(self) -> None:
        sessions = self._parts.sessions
        if sessions.is_stopping or sessions.is_draining:
            raise UpgradeRefusedError("the gateway is stopping or drained; start it again when it has ended")

    # ---------------------------------------------------------------------------------------------------------- freeze

    @contextlib.contextmanager
    def _frozen(self) -> Iterator[None]:
        """Within the block the gateway takes nothing new; all goes on as before when it is left."""
        parts = self._parts
        parts.guard.refuses = GatewayUpgradingError()
        parts.sessions.freeze()
        try:
            yield
        finally:
            for session in parts.sessions.sessions:
                if session.worker is not None:
                    session.worker.release()
            parts.guard.refuses = None
            parts.sessions.thaw()

    async def _go(self, answer: Answer) -> None:
        parts = self._parts
        await self._settle()
        await self._end_streams()
        await self._store_audit()
        self._require_running()
        problems = hindrances(parts.sessions.sessions)
        if problems:
            raise UpgradeRefusedError(self._words(problems))
        self._replace(answer)

    async def _settle(self) -> None:
        """Waits until nothing is under way."""
        sessions = self._parts.sessions
        end = self._clock.monotonic() + FREEZE_SECONDS
        while True:
            self._require_running()
            problems = hindrances(sessions.sessions)
            if not problems and not sessions.endings_under_way:
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
                problems = hindrances(sessions.sessions)
                is_late = self._clock.monotonic() >= end
                # A reader that does not take his replies must not stop the others.
                if not problems and (is_late or not any(each.unsent_replies for each in sessions.sessions)):
                    return
            if self._clock.monotonic() >= end:
                raise UpgradeRefusedError(self._words(problems) if problems else "sessions are being closed; try again")
            await asyncio.sleep(_LOOK_SECONDS)

    def _words(self, problems: dict[str, str]) -> str:
        named = [f"{session_id}: {why}" for session_id, why in list(problems.items())[:3]]
        more = f", and {len(problems) - 3} more" if len(problems) > 3 else ""
        return (
            f"what was under way did not end within {FREEZE_SECONDS:g} s ({'; '.join(named)}{more}); try again, or "
            "close these sessions first"
        )

    async def _end_streams(self) -> None:
        parts = self._parts
        # A client with a stream of commands alone need not be heard of for hours: that it ends here is not his doing.
        idle = [each for each in parts.sessions.sessions if each.record.attached_streams and not each.hub.subscribers]
        for session in parts.sessions.sessions:
            session.hub.end_streams(GatewayUpgradingError())
        # Others than those of events have no end of their own.
        await self._until(lambda: not any(_reads(each) for each in parts.sessions.sessions), STREAM_SECONDS)
        parts.streams.end_all(GatewayUpgradingError())
        await self._until(lambda: not len(parts.streams), STREAM_SECONDS)
        for session in idle:
            session.record.detached_at = None
        await asyncio.sleep(WIRE_SECONDS)

    async def _store_audit(self) -> None:
        if not await self._until(lambda: not self._parts.audit.waiting, AUDIT_SECONDS):
            raise UpgradeRefusedError("the audit could not be stored in time; see audit_store_failed in the log")

    async def _until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        end = self._clock.monotonic() + seconds
        while not is_so():
            if self._clock.monotonic() >= end:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    # ---------------------------------------------------------------------------------------------------------- replace

    def _replace(self, answer: Answer) -> None:
        """Without a turn of the loop between the record and the new program: nothing changes any more."""
        parts, handover = self._parts, self._handover
        # Up to here events went into the rings; from here on they stay in the pipes.
        for session in parts.sessions.sessions:
            if session.worker is not None:
                session.worker.hold()
        kept = [each for each in parts.sessions.sessions if each.record.state == READY]
        state = self._state(kept)
        pipes = [fd for each in state.sessions for fd in (each.worker.stdin, each.worker.stdout, each.worker.stderr)]
        assert handover.replace is not None
        memory = -1
        try:
            memory = inheritance.seal(encode(state))
            logger.info("upgrade_replacing", to=answer.version, sessions=len(kept))
            handover.before()
            handover.replace(handover.command, memory, pipes, [each.pid for each in parts.launcher.alive])
        except OSError as error:
            handover.failed()
            raise UpgradeRefusedError(
                f"the installed program could not be begun: {error.strerror or error}; the gateway goes on"
            ) from error
        finally:
            if memory >= 0:
                os.close(memory)

    def _state(self, kept: list[Session]) -> GatewayState:
        sessions, now, actor = self._parts.sessions, self._clock.monotonic(), current_actor()
        return GatewayState(
            version=__version__,
            begun_ns=self._program.begun_ns,
            upgrades=self._program.upgrades + 1,
            actor="" if actor is None else actor.name,
            sessions=tuple(keep_session(each, self._parts.records.keep(each), now) for each in kept),
            addresses=tuple(
                KeptAddress(setting=setting, address=address) for setting, address in self._program.addresses.items()
            ),
            ended=sessions.keep_ends(),
        )

    def _note(self, event: str, outcome: str, details: dict[str, Any]) -> None:
        self._parts.audit.add(AuditRecord(event=event, outcome=outcome, details=details))


def _reads(session: Session) -> bool:
    return session.hub.is_draining
