"""Ending a stream by Ctrl-C or by time as an ordinary end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def graceful_end() -> Iterator[None]:
    """Within it, SIGINT (which asyncio delivers as cancellation) and a TimeoutError just end the block.

    What follows still runs, so sessions close and results are printed. A second SIGINT interrupts that too.
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.uncancel() > 0:
            raise
    except TimeoutError:
        return
