"""Calls that are repeated: the same key, correlation id and request within a minute get the answer of the first."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from mxgateway_protocol.clock import Clock

KEEP_SECONDS = 60.0
MOST_KEPT = 10_000
MOST_BYTES = 32 * 1024 * 1024
"""Of the answers that are kept: those of calls about many alarms are long."""

_T = TypeVar("_T", bound=Message)


_Place = tuple[str, str, bytes]
"""Key, correlation id, and what tells requests apart."""


class Repeats(Generic[_T]):
    """Answers of the last minute. A caller who gives up ends nobody's work: who asks again gets its answer.

    Args:
        spawn: begins a task that somebody owns.
    """

    def __init__(self, clock: Clock, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._clock = clock
        self._spawn = spawn
        self._kept: OrderedDict[_Place, tuple[float, asyncio.Future[_T]]] = OrderedDict()
        self._bytes = 0

    async def once(self, key_id: str, correlation_id: str, request: bytes, work: Callable[[], Awaitable[_T]]) -> _T:
        """The answer to this request, worked out once; without a correlation id every time.

        Args:
            request: the request as bytes: the same correlation id with another request is another call.
        """
        now = self._clock.monotonic()
        self._expire(now)
        place = (key_id, correlation_id, hashlib.sha256(request).digest())
        kept = self._kept.get(place) if correlation_id else None
        if kept is not None:
            return await asyncio.shield(kept[1])
        answer: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._spawn(self._work_out(place, answer, work))
        if correlation_id:
            self._kept[place] = (now, answer)
        return await asyncio.shield(answer)

    async def _work_out(self, place: _Place, answer: asyncio.Future[_T], work: Callable[[], Awaitable[_T]]) -> None:
        try:
            found = await work()
            answer.set_result(found)
            kept = self._kept.get(place)
            if kept is not None and kept[1] is answer:
                self._bytes += found.ByteSize()
        except asyncio.CancelledError:
            answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 — it is the caller's, who waits for the answer
            # What failed was not done: the next one tries again.
            self._kept.pop(place, None)
            answer.set_exception(error)
            # The caller may have gone.
            answer.exception()

    def _expire(self, now: float) -> None:
        while self._kept:
            place, (since, answer) = next(iter(self._kept.items()))
            is_full = len(self._kept) >= MOST_KEPT or self._bytes > MOST_BYTES
            if not answer.done() or (now - since < KEEP_SECONDS and not is_full):
                return
            del self._kept[place]
            if not answer.cancelled() and answer.exception() is None:
                self._bytes -= answer.result().ByteSize()
