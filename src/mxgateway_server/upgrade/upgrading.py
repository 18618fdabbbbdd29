"""The upgrade itself: asked of the installed program, frozen, written down, and gone on with as that program."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from typing import Any

from mxgateway_protocol.clock import Clock
from mxgateway_server import __version__
from mxgateway_server.access.actors import Actor, acting, current_actor
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.logs import get_logger
from mxgateway_server.parts import work_until
from mxgateway_server.program import Program
from mxgateway_server.sessions.keeping import keep_session
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import READY
from mxgateway_server.upgrade.checking import UpgradeRefusedError
from mxgateway_server.upgrade.encoding import encode
from mxgateway_server.upgrade.handover import Handover
from mxgateway_server.upgrade.judging import Answer
from mxgateway_server.upgrade.legacy import Legacy
from mxgateway_server.upgrade.standstill import Standstill, UpgradeParts
from mxgateway_server.upgrade.state import GatewayState, KeptAddress
from mxgateway_server.workers.own_pipes import has_pidfd

if os.name == "posix":
    from mxgateway_server.upgrade import inheritance

logger = get_logger(__name__)

SIGNAL = Actor("signal", "control")


class Upgrading:
    """Replaces this program by the one that is installed; a part of the gateway, for upgrades by signal.

    Args:
        parts: of the gateway.
        handover: how this process becomes another program.
        program: which one this is, and since when.
        ending: set as soon as the gateway is asked to stop.
    """

    def __init__(
        self, parts: UpgradeParts, handover: Handover, program: Program, clock: Clock, ending: asyncio.Event
    ) -> None:
        self._parts = parts
        self._handover = handover
        self._program = program
        self._clock = clock
        self._standstill = Standstill(parts, handover, clock, ending)
        self._wanted = asyncio.Event()
        self._stop = asyncio.Event()
        self._is_under_way = False

    async def run(self) -> None:
        """Waits for upgrades by signal, until `stop`."""
        await work_until(self._stop, self._work())

    async def stop(self) -> None:
        self._stop.set()

    def request(self) -> None:
        """Wants an upgrade, and does not wait for it. One that is under way goes on, and is the only one."""
        if self._is_under_way or self._wanted.is_set():
            tell_ignored("an upgrade is under way already")
        else:
            self._wanted.set()

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
            async with self._standstill.reached() as signals:
                self._replace(answer, signals)
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
        self._standstill.require_running()
        return await self._handover.check(self._handover.command)

    # ---------------------------------------------------------------------------------------------------------- replace

    def _replace(self, answer: Answer, signals: int) -> None:
        """Without a turn of the loop between the record and the new program: nothing changes any more."""
        parts, handover = self._parts, self._handover
        # Whoever needs those apart opens others: nobody in the next program knows of these.
        kept = [each for each in parts.sessions.sessions if each.record.state == READY and not each.record.is_apart]
        state = self._state(kept)
        with self._sealed(state) as memory:
            left = Legacy(
                memory=memory,
                pipes=tuple(fd for each in state.sessions for fd in each.worker.pipes),
                workers=tuple(each.pid for each in parts.launcher.alive),
                lock=parts.lock,
                signals=signals,
            )
            logger.info("upgrade_replacing", to=answer.version, sessions=len(kept))
            try:
                handover.before()
                assert handover.replace is not None
                handover.replace(handover.command, left)
            except Exception as error:
                handover.failed()
                if not isinstance(error, OSError):
                    raise
                raise UpgradeRefusedError(
                    f"the installed program could not be begun: {error.strerror or error}; the gateway goes on"
                ) from error

    @contextlib.contextmanager
    def _sealed(self, state: GatewayState) -> Iterator[int]:
        try:
            memory = inheritance.seal(encode(state))
        except (OSError, MemoryError) as error:
            why = getattr(error, "strerror", None) or str(error) or "there is not enough of it"
            raise UpgradeRefusedError(
                f"no memory could be had for the state of {len(state.sessions)} sessions: {why}; drain and restart "
                "instead"
            ) from error
        try:
            yield memory
        finally:
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


def tell_ignored(reason: str) -> None:
    """Tells of a signal that asked for an upgrade, and asks for nothing."""
    logger.warning("upgrade_ignored", reason=reason)
