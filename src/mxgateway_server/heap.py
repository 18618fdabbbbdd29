"""Memory that large requests took goes back to the system when they are over.

glibc keeps what is given back to it: after blocks as large as a long request, tens of MiB at the end of each of its
many arenas. Taking such blocks from the system one by one would cost the event loop more than working on them does.
"""

from __future__ import annotations

import asyncio
import ctypes
import math
import os
from collections.abc import Callable
from typing import Any

TRIM_SECONDS = 5.0
"""How often memory is given back, if there is a reason."""

GROWTH = 16 * 2**20
"""Bytes by which the process grows until that alone is a reason."""

_M_ARENA_MAX = -8
_ARENAS = 2
"""One for the event loop, whose end `malloc_trim` reaches, and one for gRPC's threads, whose end it does not."""


def _library() -> Any:
    """The C library; None where it is not glibc, or not a system that has one."""
    if os.name != "posix":
        return None
    try:
        library = ctypes.CDLL(None)
        return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None
    except OSError:
        return None


def use_few_arenas() -> bool:
    """Has threads share the memory that they have given back; False where that cannot be asked for.

    What the operator has set for the process (MALLOC_ARENA_MAX) stays. To be called before there are threads.
    """
    library = _library()
    return library is not None and "MALLOC_ARENA_MAX" not in os.environ and bool(library.mallopt(_M_ARENA_MAX, _ARENAS))


def trim() -> bool:
    """Gives the system what nobody uses; False where that cannot be asked for.

    It may take some milliseconds, in which other threads of Python run.
    """
    library = _library()
    if library is None:
        return False
    library.malloc_trim(0)
    return True


class MemoryKeeper:
    """Gives memory back after large requests, and after whatever else has made the process grow.

    What is refused unread is no request, but gRPC has held it; so the process's own size is looked at as well.

    Args:
        large_requests: how many have come so far.
        resident: bytes that the process holds now; NaN where nobody knows.
    """

    def __init__(self, large_requests: Callable[[], int], resident: Callable[[], float]) -> None:
        self._large_requests = large_requests
        self._resident = resident
        self._seen = 0
        # Growth counts from here: the first look, and then what is left after each giving back.
        self._base = math.nan

    async def look(self) -> None:
        """Gives back what can be, if there was a reason since the last time."""
        seen, resident = self._large_requests(), self._resident()
        if math.isnan(self._base):
            self._base = resident
        if seen != self._seen or resident > self._base + GROWTH:
            self._seen = seen
            await asyncio.to_thread(trim)
            self._base = self._resident()
        else:
            self._base = min(self._base, resident)
