"""Calls that are repeated: the same key, correlation id and request within a minute get the answer of the first."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from mxgateway_protocol.clock import Clock

KEEP_SECONDS = 60.0
MOST_KEPT = 10_000

_T = TypeVar("_T")


class Repeats(Generic[_T]):
    """Answers of the last minute. A caller who gives up ends nobody's work: who asks again gets its answer.

    Args:
        spawn: begins a task that somebody owns.
    """

    def __init__(self, clock: Clock, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._clock = clock
        self._spawn = spawn
        self._kept: OrderedDict[tuple[str, str, bytes], tuple[float, asyncio.Future[_T]]] = OrderedDict()

    async def once(self, key_id: str, correlation_id: str, request: bytes, work: Callable[[], Awaitable[_T]]) -> _T:
        """The answer to this request, worked out once; without a correlation id every time.

        Args:
            request: the request as bytes: the same correlation id with another request is another call.
        """
        now = self._clock.monotonic()
        self._expire(now)
        place = (key_id, correlation_id, request)
        kept = self._kept.get(place) if correlation_id else None
        if kept is not None:
            return await asyncio.shield(kept[1])
        answer: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._spawn(self._work_out(place, answer, work))
        if correlation_id:
            self._kept[place] = (now, answer)
        return await asyncio.shield(answer)

    async def _work_out(
        self, place: tuple[str, str, bytes], answer: asyncio.Future[_T], work: Callable[[], Awaitable[_T]]
    ) -> None:
        try:
            answer.set_result(await work())
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
            if not answer.done() or (now - since < KEEP_SECONDS and len(self._kept) < MOST_KEPT):
                return
            del self._kept[place]
