"""Whose turn it is: sessions of one plant are told of its changes one after the other, as an engine tells its clients.

Without it every worker wakes at the same instant, and each of hundreds waits for all others. A place in the row is a
byte of a file that its holder has locked, so a process that dies gives its place up.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_MOST = 4096
_TURN_NS = 10**6
"""What one session takes, roughly, to be told of its changes."""


class Turn:
    """A place in the row of a board's sessions; the first, where the system or the directory gives none."""

    def __init__(self, board: Path) -> None:
        self._descriptor: int | None = None
        self.place = 0
        try:
            self._descriptor = os.open(
                board.with_name(f"{board.name}-turns"), os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666
            )
            self.place = next(place for place in range(_MOST) if _lock(self._descriptor, place))
        except (OSError, StopIteration):
            self.place = 0

    @property
    def delay_ns(self) -> int:
        """How long after a change it is this session's turn."""
        return self.place * _TURN_NS

    def close(self) -> None:
        """Gives the place up."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, place: int) -> bool:
        os.lseek(descriptor, place, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int, place: int) -> bool:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except BlockingIOError:
            return False
        return True
