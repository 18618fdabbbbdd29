"""Ending a worker that does not end by itself: asked by a signal, then killed with all that it has started."""

from __future__ import annotations

import asyncio

from mxgateway_server.logs import get_logger
from mxgateway_server.workers.containment import Containment
from mxgateway_server.workers.process import WorkerProcess

logger = get_logger(__name__)

_KILL_SECONDS = 5.0


class ForcedEnd:
    """The end of one worker's process, by force.

    Args:
        terminate: seconds that it may take to its end after a signal.
    """

    def __init__(self, process: WorkerProcess, containment: Containment, terminate: float) -> None:
        self._process = process
        self._containment = containment
        self._terminate = terminate

    def kill_process(self) -> None:
        """Ends it now, and does not wait."""
        if not self._process.ended.done():
            self._containment.kill(self._process.pid)

    async def force(self) -> None:
        """Ends it in the way that it may still notice, and else at once."""
        self._process.stop_reading()
        self._process.close_input()
        self._process.terminate()
        if not await self._gone_within(self._terminate):
            await self.kill()

    async def kill(self) -> None:
        """Ends it at once and waits until it is gone."""
        self.kill_process()
        if not await self._gone_within(_KILL_SECONDS):
            # What holds the pipes open is not the worker: it was killed, and its group with it.
            logger.error("worker_pipes_held_open", session_id=self._process.session_id, worker_pid=self._process.pid)

    async def _gone_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(self._process.ended)
        except TimeoutError:
            return False
        return True
