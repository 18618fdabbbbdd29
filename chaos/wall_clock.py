"""Sets the wall clock that a process sees, by libfaketime (Debian's package `faketime`); intervals stay true."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

LIBRARIES = (
    *Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"),
    *Path("/usr/lib").glob("faketime/libfaketimeMT.so.1"),
)
JUMPS = (-7200.0, -60.0, -1.0, 0.0, 1.0, 60.0, 7200.0)
"""Seconds; 0 sets a clock that was moved right again."""


class WallClock:
    """The wall clock of one process after the other, moved by what stands in a file.

    Raises:
        RuntimeError: libfaketime is not installed.
    """

    def __init__(self, folder: Path) -> None:
        if not LIBRARIES:
            raise RuntimeError("clocks cannot be set: libfaketime is missing; install the package faketime")
        self._file = folder / "clock"
        self.move(0)

    @staticmethod
    def is_available() -> bool:
        return bool(LIBRARIES)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process must be started with."""
        return {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def move(self, seconds: float) -> None:
        """Sets the clock so many seconds away from the machine's."""
        # In one step: a process that reads the file meanwhile must find one or the other.
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+g}\n", encoding="ascii")
        new.replace(self._file)

    def clear(self, pid: int) -> None:
        """Removes what the library leaves behind of a process that was killed."""
        for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
            Path("/dev/shm", name).unlink(missing_ok=True)
