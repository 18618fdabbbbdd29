"""Brings the gateway to a standstill for an upgrade: nothing of it is half done, and nothing that it knows is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from mxgateway_protocol.clock import Clock
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.commands.command_audit import CommandAudit
from mxgateway_server.errors import GatewayUpgradingError
from mxgateway_server.rpc.guard import Guard
from mxgateway_server.rpc.live_streams import LiveStreams
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.upgrade.checking import UpgradeRefusedError
from mxgateway_server.upgrade.handover import Handover
from mxgateway_server.upgrade.legacy import NONE
from mxgateway_server.upgrade.quiet import hindrances
from mxgateway_server.workers.launcher import Launcher

FREEZE_SECONDS = 2.0
"""How long commands that are under way may take to their end."""
LAST_SECONDS = 3.0
"""How long the audit may take to be stored, and a worker that is being made to be known."""
STREAM_SECONDS = 1.0
"""How long streams may take to deliver what waits for them."""
WIRE_SECONDS = 0.05
"""For what was handed to gRPC to leave this machine."""
_LOOK_SECONDS = 0.01
_TURNS = 5
"""Turns of the loop in which whoever waited for a reply, or for a signal, has done with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeParts:
    """Of the gateway, what an upgrade has to do with; `lock` is what keeps the state directory."""

    sessions: SessionManager
    launcher: Launcher
    streams: LiveStreams
    guard: Guard
    records: CommandAudit
    audit: AuditLog
    lock: int = NONE


class Standstill:
    """The gateway while it takes nothing.

    Args:
        parts: of the gateway.
        handover: how signals are held.
        ending: set as soon as the gateway is asked to stop.
    """

    def __init__(self, parts: UpgradeParts, handover: Handover, clock: Clock, ending: asyncio.Event) -> None:
        self._parts = parts
        self._handover = handover
        self._clock = clock
        self._ending = ending

    def require_running(self) -> None:
        """Raises unless the gateway goes on for as long as nobody stops it.

        Raises:
            UpgradeRefusedError: it is stopping, or will when its last session is over.
        """
        sessions = self._parts.sessions
        if self._ending.is_set() or sessions.is_stopping or sessions.is_draining:
            raise UpgradeRefusedError("the gateway is stopping or drained; start it again when it has ended")

    @contextlib.asynccontextmanager
    async def reached(self) -> AsyncIterator[int]:
        """Within the block nothing moves, as long as the loop does not; all goes on as before when it is left.

        Yields:
            The descriptor of the signals that come meanwhile; see Handover.

        Raises:
            UpgradeRefusedError: it could not be reached.
        """
        parts = self._parts
        with self._frozen():
            await self._settle()
            await self._end_streams()
            await self._store_audit()
            with self._handover.holds_signals() as signals:
                # What came before is heard by this program.
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
                # Up to here events went into the rings; from here on they stay in the pipes. The last ones may have
                # told of writes, which is stored before anything else: what waits at the end would be lost.
                for session in parts.sessions.sessions:
                    if session.worker is not None:
                        session.worker.handing_on.hold()
                # A worker that is just being made would be known to nobody afterwards.
                if not await self._until(lambda: not parts.launcher.being_made, LAST_SECONDS):
                    raise UpgradeRefusedError("a worker is being started; try again")
                await self._store_audit()
                self.require_running()
                problems = hindrances(parts.sessions.sessions)
                if problems:
                    raise UpgradeRefusedError(_words(problems))
                yield signals

    @contextlib.contextmanager
    def _frozen(self) -> Iterator[None]:
        parts = self._parts
        parts.guard.refuses = GatewayUpgradingError()
        parts.sessions.freeze()
        try:
            yield
        finally:
            for session in parts.sessions.sessions:
                if session.worker is not None:
                    session.worker.handing_on.release()
            parts.guard.refuses = None
            parts.sessions.thaw()

    async def _settle(self) -> None:
        """Waits until nothing is under way."""
        sessions = self._parts.sessions
        end = self._clock.monotonic() + FREEZE_SECONDS
        while True:
            self.require_running()
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
                raise UpgradeRefusedError(_words(problems) if problems else "sessions are being closed; try again")
            await asyncio.sleep(_LOOK_SECONDS)

    async def _end_streams(self) -> None:
        parts = self._parts
        # A client with a stream of commands alone need not be heard of for hours: that it ends here is not his doing.
        idle = [each for each in parts.sessions.sessions if each.record.attached_streams and not each.hub.subscribers]
        for session in parts.sessions.sessions:
            session.hub.end_streams(GatewayUpgradingError())
        # Others than those of events have no end of their own.
        await self._until(lambda: not any(each.hub.is_draining for each in parts.sessions.sessions), STREAM_SECONDS)
        parts.streams.end_all(GatewayUpgradingError())
        await self._until(lambda: not len(parts.streams), STREAM_SECONDS)
        for session in idle:
            session.record.detached_at = None
        await asyncio.sleep(WIRE_SECONDS)

    async def _store_audit(self) -> None:
        if not await self._until(lambda: not self._parts.audit.waiting, LAST_SECONDS):
            raise UpgradeRefusedError("the audit could not be stored in time; see audit_store_failed in the log")

    async def _until(self, is_so: Callable[[], bool], seconds: float) -> bool:
        """Whether it is so in time; without a turn of the loop where it is already."""
        end = self._clock.monotonic() + seconds
        while not is_so():
            if self._clock.monotonic() >= end:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
        return True


def _words(problems: dict[str, str]) -> str:
    named = [f"{session_id}: {why}" for session_id, why in list(problems.items())[:3]]
    more = f", and {len(problems) - 3} more" if len(problems) > 3 else ""
    return (
        f"what was under way did not end within {FREEZE_SECONDS:g} s ({'; '.join(named)}{more}); try again, or "
        "close these sessions first"
    )
