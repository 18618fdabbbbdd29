"""Memory that large requests took goes back to the system when they are over.

glibc learns from each large block that is given back to it, and keeps the next ones: up to 32 MiB, at the end of each
of its arenas, where not even `malloc_trim` reaches. A few requests of 16 MiB would leave hundreds of MiB unused.
"""

from __future__ import annotations

import ctypes
import os

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGE = 4 * 1024 * 1024
"""More than a page of browse results: taking a block from the system costs half a millisecond for each MiB."""
_KEPT = 4 * 1024 * 1024


def give_back_large_blocks() -> bool:
    """Has large blocks taken from the system and given back one by one; False where the C library is not glibc.

    What the operator has set for the process (MALLOC_MMAP_THRESHOLD_) stays.
    """
    if os.name != "posix" or "MALLOC_MMAP_THRESHOLD_" in os.environ:
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    # Either one ends the learning.
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGE)) and bool(mallopt(_M_TRIM_THRESHOLD, _KEPT))
