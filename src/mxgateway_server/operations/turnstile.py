"""Strangers' requests in turns with everything else: a few each time round the loop, the others in line."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

A_TURN = 2
"""Requests of strangers that are begun in one turn of the event loop; each takes part of a millisecond."""


class Turnstile:
    """Lets works through, so many in each turn of the loop, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._left = A_TURN
        self._is_turning = False

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, work: Callable[[], None]) -> bool:
        """Does a work now, or as soon as it is its turn; whether that was now."""
        self._turn_later()
        if not self._left or self._waiting:
            self._waiting.append(work)
            return False
        self._left -= 1
        work()
        return True

    def _turn_later(self) -> None:
        if not self._is_turning:
            self._is_turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._is_turning = False
        self._left = A_TURN
        while self._waiting and self._left:
            self._left -= 1
            self._waiting.popleft()()
        if self._left < A_TURN:
            # Once more after the last one, so that whoever comes then need not wait.
            self._turn_later()
