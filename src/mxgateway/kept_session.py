"""The session that a client keeps for calls by name: opened by the first one, and opened anew when it is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from mxgateway.errors import MxAccessError, MxGatewayError, MxGatewayTimeoutError
from mxgateway.reconnecting import Backoff, is_transient, says_session_lost
from mxgateway.values import to_mx_value

if TYPE_CHECKING:
    from mxgateway.confirmed_write import WriteOutcome
    from mxgateway.readings import Readings
    from mxgateway.session import Session
    from mxgateway.subscription import Subscription
    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

_logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_WRITTEN = 200
"""Tags that stay advised after a write, so that the next one of them need not wait for the type."""


class KeptSession:
    """Reads that are repeated, and writes that never are, over whatever happens to the session."""

    def __init__(
        self,
        open_session: Callable[[], Awaitable[Session]],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._open_session = open_session
        self._sleep = sleep
        self._session: Session | None = None
        self._writer: Subscription | None = None
        # Tags that were written, the youngest last, with the writes of each that are under way.
        self._written: dict[str, int] = {}
        # Two first calls at once open one session.
        self._opening = asyncio.Lock()
        self._is_closed = False

    async def read(self, tags: Sequence[str], timeout_ms: int, limit: float | None) -> Readings:
        """What the tags are now. Repeated, within the limit in seconds, when session or connection are lost."""

        async def attempt(session: Session, left: float | None) -> Readings:
            async with asyncio.timeout(left):
                return await session.read(tags, timeout_ms=timeout_ms)

        return await self._insist(attempt, limit)

    async def write(
        self, tag: str, value: Any | Callable[[pb.MxEvent], Any], limit: float, *, supervisory: bool
    ) -> WriteOutcome:
        """A confirmed write. Whatever comes before it is repeated within the limit; the write itself never."""
        is_sent = False

        def decided(before: pb.MxEvent) -> Any:
            nonlocal is_sent
            chosen = to_mx_value(value(before) if callable(value) else value)
            is_sent = True
            return chosen

        async def attempt(session: Session, left: float | None) -> WriteOutcome:
            assert left is not None
            if supervisory:
                return await session.write_and_confirm(tag, decided, supervisory=True, timeout=left)
            async with asyncio.timeout(left):
                writer = await self._writing(session)
            self._written[tag] = self._written.pop(tag, 0) + 1
            try:
                async with asyncio.timeout(left):
                    await writer.add([tag])
                if (reason := writer.failures.get(tag)) is not None:
                    raise MxAccessError(f"{tag} cannot be written: {reason}")
                return await writer.write(tag, decided, timeout=left)
            finally:
                if tag in self._written:
                    self._written[tag] -= 1
                await self._forget_oldest(writer)

        return await self._insist(attempt, limit, may_repeat=lambda: not is_sent)

    async def close(self) -> None:
        """Ends the session, if there is one. Idempotent; a session that cannot be closed ends with its lease."""
        self._is_closed = True
        session, self._session, self._writer = self._session, None, None
        if session is not None:
            await _closed(session)

    async def _insist(
        self,
        work: Callable[[Session, float | None], Awaitable[T]],
        limit: float | None,
        may_repeat: Callable[[], bool] = lambda: True,
    ) -> T:
        clock, backoff = asyncio.get_running_loop().time, Backoff()
        end = None if limit is None else clock() + limit
        before: MxGatewayError | None = None
        while True:
            session = None
            try:
                async with asyncio.timeout_at(end):
                    session = await self._ready()
                return await work(session, None if end is None else end - clock())
            except MxGatewayError as error:
                is_lost = says_session_lost(error)
                if is_lost and session is not None:
                    await self._give_up(session)
                delay = backoff.delay(error)
                is_late = end is not None and clock() + delay >= end
                if is_late or self._is_closed or not may_repeat() or not (is_lost or is_transient(error)):
                    raise
                before = error
            except TimeoutError as error:
                late = f"not done within {limit:g} s; nothing was written"
                if before is None:
                    raise MxGatewayTimeoutError(late) from error
                # Why it took so long says more than that it did.
                before.add_note(late)
                raise before from error
            await self._sleep(delay)

    async def _ready(self) -> Session:
        async with self._opening:
            if self._session is None:
                self._session = await self._open_session()
            return self._session

    async def _writing(self, session: Session) -> Subscription:
        """The subscription whose stream brings the completions; nobody looks at its changes."""
        async with self._opening:
            if self._writer is None or self._writer.error is not None:
                self._written.clear()
                self._writer = session.subscribe([], queue_size=1, handler=_ignored)
                await self._writer.start()
            return self._writer

    async def _forget_oldest(self, writer: Subscription) -> None:
        if len(self._written) <= MAX_WRITTEN:
            return
        oldest = next((tag for tag, count in self._written.items() if not count), None)
        if oldest is not None:
            del self._written[oldest]
            try:
                await writer.remove([oldest])
            except MxGatewayError as error:
                _logger.info("a written tag could not be removed: %s", error)

    async def _give_up(self, session: Session) -> None:
        if self._session is session:
            self._session = self._writer = None
            await _closed(session)


def _ignored(_: object) -> None:
    """A handler for changes that nobody wants."""


async def _closed(session: Session) -> None:
    try:
        await session.close()
    except MxGatewayError as error:
        _logger.info("a kept session could not be closed: %s", error)
