"""What the gateway's own process uses."""

from __future__ import annotations

import contextlib
import math
import os
import time
from pathlib import Path

_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def cpu_seconds() -> float:
    """Seconds of CPU so far, of all its threads."""
    return time.process_time()


def memory_bytes() -> float:
    """Bytes of memory; NaN where the system does not tell without ado."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE
    return math.nan
