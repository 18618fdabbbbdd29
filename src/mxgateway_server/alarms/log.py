"""The numbered log of changes: the newest ones, within bounds of number and size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mxgateway_server.alarms.model import Change


@dataclass(frozen=True, slots=True)
class LogLimits:
    """Bounds of the log in memory.

    Attributes:
        changes: how many.
        max_bytes: about how many bytes they may take.
    """

    changes: int = 100_000
    max_bytes: int = 64 * 1024 * 1024


class ChangeLog:
    """Changes without holes, by number. Old ones go when there are too many; at least one stays.

    Args:
        epoch: names the numbering; 32 hexadecimal digits.
        last: number of the last change before this log.
    """

    def __init__(self, limits: LogLimits, epoch: str, last: int = 0) -> None:
        self.epoch = epoch
        self._limits = limits
        self._ring: list[Change | None] = [None] * min(limits.changes, 1024)
        self._newest = last
        self._oldest = last + 1
        self._bytes = 0

    def __len__(self) -> int:
        return self._newest - self._oldest + 1

    @property
    def newest(self) -> int:
        """Number of the last change; what it was before the first one."""
        return self._newest

    @property
    def oldest(self) -> int:
        """Number of the oldest change that is kept; one after the newest when none is."""
        return self._oldest

    @property
    def kept_bytes(self) -> int:
        return self._bytes

    def append(self, change: Change) -> None:
        """Takes the next change; its number is one after the newest."""
        sequence = change.sequence
        assert sequence == self._newest + 1
        if sequence - self._oldest == len(self._ring):
            self._make_room()
        ring, self._newest = self._ring, sequence
        ring[sequence % len(ring)] = change
        self._bytes += change.cost()
        while self._bytes > self._limits.max_bytes and sequence > self._oldest:
            self._drop_oldest()

    def after(self, sequence: int, most: int) -> Sequence[Change]:
        """The changes after this number, `most` at most; it is not before the oldest that is kept."""
        first = sequence + 1
        assert first >= self._oldest
        ring, size = self._ring, len(self._ring)
        last = min(self._newest, sequence + most)
        if last < first:
            return []
        start, end = first % size, last % size
        places = ring[start : end + 1] if start <= end else ring[start:] + ring[: end + 1]
        return [change for change in places if change is not None]

    def _make_room(self) -> None:
        wanted = min(len(self._ring) * 4, self._limits.changes)
        if wanted == len(self._ring):
            self._drop_oldest()
            return
        kept = self.after(self._oldest - 1, len(self))
        self._ring = [None] * wanted
        for change in kept:
            self._ring[change.sequence % wanted] = change

    def _drop_oldest(self) -> None:
        place = self._oldest % len(self._ring)
        change = self._ring[place]
        assert change is not None
        self._ring[place] = None
        self._bytes -= change.cost()
        self._oldest += 1
