"""All keys in memory, as the store had them at the last look: nobody who calls waits for the database."""

from __future__ import annotations

import asyncio
from typing import Protocol

from mxgateway_protocol.clock import Clock
from mxgateway_server.access.records import KeyRecord

_MISSES = 20.0
_MISSES_PER_SECOND = 10.0


class Keys(Protocol):
    """What the ring asks a store."""

    async def keys_version(self) -> str:
        """Another text after each change of a key."""

    async def list_keys(self) -> list[KeyRecord]:
        """All keys."""


class KeyRing:
    """The keys, looked at again when they may have changed: a look is one small question unless something did.

    Args:
        store: where the keys are.
        clock: time.
        max_age: seconds after which a look is due before anybody is let in.
    """

    def __init__(self, store: Keys, clock: Clock, max_age: float) -> None:
        self._store = store
        self._clock = clock
        self._max_age = max_age
        self._keys: dict[str, KeyRecord] = {}
        self._version: str | None = None
        self._looked_at: float | None = None
        self._answered_at: float | None = None
        self._looking = asyncio.Lock()
        self._looks_begun = 0
        self._looks_done = 0
        self._misses = _MISSES
        self._missed_at = clock.monotonic()

    def get(self, key_id: str) -> KeyRecord | None:
        """The key as it was at the last look; the same object as long as nothing has changed."""
        return self._keys.get(key_id)

    @property
    def is_fresh(self) -> bool:
        """Whether the last look is recent enough to let callers in by it."""
        return self._looked_at is not None and self._clock.monotonic() - self._looked_at < self._max_age

    @property
    def has_looked(self) -> bool:
        """Whether the store has ever answered."""
        return self._version is not None

    def age(self) -> float:
        """Seconds since the store last answered; 0 before the first look."""
        return 0.0 if self._answered_at is None else self._clock.monotonic() - self._answered_at

    def forget(self) -> None:
        """Makes a look due at once."""
        self._looked_at = None

    def admit_miss(self) -> bool:
        """Whether a key that does not fit is worth a look: it may be new. However many strangers ask, few are."""
        now = self._clock.monotonic()
        self._misses = min(_MISSES, self._misses + (now - self._missed_at) * _MISSES_PER_SECOND)
        self._missed_at = now
        if self._misses < 1:
            return False
        self._misses -= 1
        return True

    async def refresh(self) -> None:
        """Makes the ring fresh; all who want that at once share one look."""
        async with self._looking:
            if not self.is_fresh:
                await self._look()

    async def look(self) -> None:
        """Asks the store whether anything has changed up to now, and reads the keys when it has.

        All who want it at once share one look that begins after they asked.
        """
        asked = self._looks_begun
        async with self._looking:
            if self._looks_done <= asked:
                await self._look()

    async def _look(self) -> None:
        number = self._looks_begun = self._looks_begun + 1
        # Before the questions: what changes while they are under way is seen by the next look.
        began = self._clock.monotonic()
        version = await self._store.keys_version()
        if version != self._version:
            self._keys = {record.key_id: record for record in await self._store.list_keys()}
            self._version = version
        self._looked_at = self._answered_at = began
        self._looks_done = number
