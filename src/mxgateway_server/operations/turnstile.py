"""Strangers' greetings and requests in turns with everything else: a few each time round the loop, the others in line.

There are two lines. In that of first things (a greeting, the first bytes of a connection) the address that has the
fewest there goes first, and of one address the youngest: under a flood the oldest has given up, or soon is turned away,
and whoever has just come is answered at once. The others go in the order in which they came, one of each address after
the other. Where somebody stands in both, both move on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

A_TURN = 2
"""Works that are begun in one turn of the event loop; each takes up to a millisecond."""
MOST_WAITING = 32
"""First things in line up to which one more is soon done."""

Work: TypeAlias = Callable[[], None]


class _Line:
    """Works that wait, by the address of whoever wants them."""

    def __init__(self) -> None:
        # Ordered sets with something beside each: who gives up leaves from the middle.
        self._waiting: dict[str, dict[object, Work]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def join(self, address: str, key: object, work: Work) -> None:
        self._waiting.setdefault(address, {})[key] = work
        self._count += 1

    def leave(self, address: str, key: object) -> None:
        if self._waiting.get(address, {}).pop(key, None) is not None:
            self._left(address)

    def youngest(self) -> Work:
        """Takes out the youngest work of the address that has the fewest."""
        address = min(self._waiting, key=lambda each: len(self._waiting[each]))
        _, work = self._waiting[address].popitem()
        self._left(address)
        return work

    def oldest(self) -> Work:
        """Takes out the oldest work of the address that has waited longest for one of its own."""
        address = next(iter(self._waiting))
        works = self._waiting.pop(address)
        work = works.pop(next(iter(works)))
        # Behind the others, should it have more.
        self._waiting[address] = works
        self._left(address)
        return work

    def _left(self, address: str) -> None:
        self._count -= 1
        if not self._waiting[address]:
            del self._waiting[address]


class Turnstile:
    """Lets works through, so many in each turn of the loop."""

    def __init__(self) -> None:
        self._first = _Line()
        self._later = _Line()
        self._left = A_TURN
        self._is_turning = False
        self._is_short = asyncio.Event()

    def __len__(self) -> int:
        return len(self._first) + len(self._later)

    async def soon(self) -> None:
        """Waits until whoever comes with a first thing has it done in a few turns."""
        while len(self._first) > MOST_WAITING:
            self._is_short.clear()
            await self._is_short.wait()

    def enter(self, work: Work, address: str, *, is_first: bool) -> bool:
        """Does a work now, or as soon as it is its turn; whether that was now.

        Args:
            work: what to do.
            address: of whoever wants it.
            is_first: whether it is the first thing that he wants on his connection.
        """
        self._turn_later()
        line = self._first if is_first else self._later
        if not self._left or line:
            line.join(address, object(), work)
            return False
        self._left -= 1
        work()
        return True

    async def passed(self, address: str) -> None:
        """Waits until a first thing may begin. Who is cancelled meanwhile stands in line no longer."""
        self._turn_later()
        if self._left and not self._first:
            self._left -= 1
            return
        turn = asyncio.get_running_loop().create_future()

        def now() -> None:
            if not turn.done():
                turn.set_result(None)

        self._first.join(address, turn, now)
        try:
            await turn
        finally:
            self._first.leave(address, turn)

    def _turn_later(self) -> None:
        if not self._is_turning:
            self._is_turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._is_turning = False
        self._left = A_TURN
        try:
            self._let_through()
        finally:
            # Also when a work failed: the others in line, and whoever waits outside, must not wait for ever.
            if len(self._first) <= MOST_WAITING:
                self._is_short.set()
            if self._left < A_TURN:
                # Once more after the last one, so that whoever comes then need not wait.
                self._turn_later()

    def _let_through(self) -> None:
        while self._left and len(self):
            self._left -= 1
            # The second line has the last place of a turn.
            is_later = self._later and (not self._first or not self._left)
            work = self._later.oldest() if is_later else self._first.youngest()
            work()
