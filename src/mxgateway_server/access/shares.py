"""What one key may take of the gateway at a time: request bodies in memory, and turns of the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

MOST_BODIES = 64
"""Requests of one key that may be on their way in at a time; more wait, without their bodies being taken."""
FEWEST_BODIES = 8
"""The same for a key that has sent a large one, or nothing so far."""
LARGE_BODY = 64 * 1024
"""Bytes; a body of more counts until its call has ended."""
HEAVY_BODY = 16 * 1024
"""Bytes; what is longer is worked on one by one for each key."""
_MAX_IDLE = 1024


class Share:
    """One key's part.

    Bodies are let in by number, since nobody can tell how long one will be: few, until small ones have come, and few
    again after a large one.

    Args:
        most: bodies on their way in at the most.
        on_large: called for each large one.

    Attributes:
        turn: held while something long is worked on, so that other keys wait for one such thing of this key only.
    """

    __slots__ = ("_bodies", "_limit", "_most", "_on_large", "_waiting", "turn")

    def __init__(self, most: int = MOST_BODIES, on_large: Callable[[], None] = lambda: None) -> None:
        self._on_large = on_large
        self.turn = asyncio.Lock()
        self._bodies = 0
        self._limit = min(FEWEST_BODIES, most)
        self._most = most
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether nothing of the key is under way."""
        return not (self._bodies or self._waiting or self.turn.locked())

    @property
    def bodies(self) -> int:
        """Bodies that are on their way in, or large and held."""
        return self._bodies

    def enter_now(self) -> bool:
        """Takes the place of one body, if there is one and nobody waits for it."""
        if self._bodies < self._limit and not self._waiting:
            self._bodies += 1
            return True
        return False

    async def enter(self) -> None:
        """Takes the place of one body; waits in line while there is none."""
        if self.enter_now():
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()
            raise

    def seen(self, size: int) -> bool:
        """Learns how long a body was; whether it is large, so that its place is left only when its call ends."""
        if size > LARGE_BODY:
            self._limit = min(FEWEST_BODIES, self._most)
            self._on_large()
            return True
        if self._limit < self._most:
            self._limit += 1
        return False

    def leave(self) -> None:
        """Gives the place of one body to the next in line."""
        self._bodies -= 1
        while self._waiting and self._bodies < self._limit:
            place = self._waiting.popleft()
            if not place.done():
                self._bodies += 1
                place.set_result(None)


class Shares:
    """The shares of all keys, made when they are asked for; those of idle ones are forgotten again.

    Args:
        most: bodies of each on their way in at the most.

    Attributes:
        large_bodies: how many large ones have come.
    """

    def __init__(self, most: int = MOST_BODIES) -> None:
        self.large_bodies = 0
        self._most = most
        self._shares: dict[str, Share] = {}

    def __len__(self) -> int:
        return len(self._shares)

    def of(self, key_id: str) -> Share:
        """The share of this key, or of whoever else is named so."""
        share = self._shares.get(key_id)
        if share is None:
            if len(self._shares) >= _MAX_IDLE:
                self._forget_idle()
            share = self._shares[key_id] = Share(self._most, self._count_large)
        return share

    def _count_large(self) -> None:
        self.large_bodies += 1

    def _forget_idle(self) -> None:
        idle = [key_id for key_id, share in self._shares.items() if share.is_idle]
        for key_id in idle[: _MAX_IDLE // 2]:
            del self._shares[key_id]
