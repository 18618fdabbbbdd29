"""Whose turn it is: sessions of one plant are told of its changes one after the other, as an engine tells its clients.

Without it every worker wakes at the same instant, and each of hundreds waits for all others. A place in the row is a
byte of a file that its holder has locked, so a process that dies gives its place up. The file also says how far each
holder has read the board, for whoever has changed it and wants to go on only when all have seen that.
"""

from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path

_MOST = 4096
_TURN_NS = 10**6
"""What one session takes, roughly, to be told of its changes."""
_SEEN_BYTES = 8
_SIZE = _MOST + _MOST * _SEEN_BYTES
"""A byte to lock for each place, then how far the holder of each has read."""

EVERYTHING = 2**63 - 1
"""How far who looks before each of its calls has read."""


class Turn:
    """A place in the row of a board's sessions; the first, where the system or the directory gives none."""

    def __init__(self, board: Path) -> None:
        self._descriptor: int | None = None
        self._map: mmap.mmap | None = None
        self._seen = 0
        self.place = 0
        try:
            self._descriptor = _open(board)
            self.place = next(place for place in range(_MOST) if _lock(self._descriptor, place))
            self._map = _mapped(self._descriptor)
        except (OSError, StopIteration):
            self.place = 0

    @property
    def delay_ns(self) -> int:
        """How long after a change it is this session's turn."""
        return self.place * _TURN_NS

    def saw(self, sequence: int) -> None:
        """Tells how far this session has read the board, and told its client; EVERYTHING where it has none to tell."""
        if sequence != self._seen and self._map is not None:
            self._seen = sequence
            start = _MOST + self.place * _SEEN_BYTES
            self._map[start : start + _SEEN_BYTES] = sequence.to_bytes(_SEEN_BYTES, "little")

    def close(self) -> None:
        """Gives the place up."""
        if self._map is not None:
            self._map.close()
            self._map = None
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Row:
    """The sessions of a board, as somebody else sees them."""

    def __init__(self, board: Path) -> None:
        """Raises OSError: there is no such row, and none can be made."""
        self._descriptor = _open(board)
        try:
            self._map = _mapped(self._descriptor)
        except OSError:
            os.close(self._descriptor)
            raise

    def have_seen(self, sequence: int) -> bool:
        """Whether every session has read the board at least so far."""
        seen = memoryview(self._map)[_MOST:].cast("q")
        try:
            behind = [place for place in range(_MOST) if seen[place] < sequence]
            return not any(seen[place] and self._is_held(place) for place in behind)
        finally:
            seen.release()

    def _is_held(self, place: int) -> bool:
        """Whether the place's holder lives: what it saw stays behind when it dies."""
        if not _lock(self._descriptor, place):
            return True
        _unlock(self._descriptor, place)
        return False

    def close(self) -> None:
        self._map.close()
        os.close(self._descriptor)


def _open(board: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
    return os.open(board.with_name(f"{board.name}-turns"), flags, 0o666)


def _mapped(descriptor: int) -> mmap.mmap:
    if os.fstat(descriptor).st_size < _SIZE:
        os.ftruncate(descriptor, _SIZE)
    return mmap.mmap(descriptor, _SIZE)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, place: int) -> bool:
        os.lseek(descriptor, place, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int, place: int) -> None:
        os.lseek(descriptor, place, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int, place: int) -> bool:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int, place: int) -> None:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, place)
