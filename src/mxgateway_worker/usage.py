"""What this process takes of the machine, for its heartbeats."""

from __future__ import annotations

import os
import sys
import time

from mxgateway_worker import windows_process

_file: int | None = None


def prepare() -> None:
    """Opens what the memory is read from; to be called before the sandbox, which would not allow it."""
    global _file
    if sys.platform == "linux" and _file is None:
        try:
            _file = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return  # without it the figure is not told


def resident_bytes() -> int:
    """Memory that is in use now; 0 where the system does not tell."""
    if sys.platform == "win32":
        return windows_process.working_set()
    if _file is None:
        return 0
    try:
        return int(os.pread(_file, 256, 0).split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, ValueError, IndexError):
        return 0


def cpu_ns() -> int:
    """Time of a processor that was used since the start, nanoseconds."""
    return time.process_time_ns()
