"""Noticing at once, and at no cost while nothing happens, that another process has changed the board or the Galaxy.

The kernel tells: by inotify on Linux, where one process too many for it waits on a counter in shared memory instead; by
kqueue on macOS and BSD; by change notifications on Windows. Where none of them can be had, the counter is looked at
twelve times a second.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from mxgateway_protocol.backend import Bell
from mxgateway_simulator.watch.counter import SharedCounter

logger = logging.getLogger(__name__)


class Watch(Protocol):
    """Tells that something may have changed. Nothing but its ring crosses threads.

    Attributes:
        period: seconds after which somebody must look although it never rang.
    """

    period: float

    @property
    def has_rung(self) -> bool:
        """Whether something may have changed since `arm`."""

    def ask(self) -> None:
        """Brings `has_rung` up to date although nobody waited; costs next to nothing."""

    def arm(self) -> None:
        """From now on rings at the next change, once. To be called before looking, so that no change falls between."""

    def close(self) -> None:
        """Rings no more, and gives back what it holds."""


class PeriodicWatch:
    """Where nobody tells: always to be looked at, and often enough."""

    period = 0.08
    has_rung = False

    def ask(self) -> None:
        """Nothing to be done."""

    def arm(self) -> None:
        """Nothing to be done."""

    def close(self) -> None:
        """Nothing to be done."""


def open_watch(board: Path, galaxy: Path, bell: Bell) -> Watch:
    """The best watch that this system gives."""
    attempts: list[Callable[[], Watch]] = []
    if sys.platform == "linux":
        from mxgateway_simulator.watch.inotify import InotifyWatch
        from mxgateway_simulator.watch.waiting import CounterWait, ThreadWatch

        attempts.append(lambda: InotifyWatch(board, galaxy, bell))
        attempts.append(lambda: ThreadWatch(CounterWait(SharedCounter.beside(board)), bell))
    elif sys.platform == "win32":
        from mxgateway_simulator.watch.waiting import ThreadWatch
        from mxgateway_simulator.watch.windows import DirectoryWait

        attempts.append(lambda: ThreadWatch(DirectoryWait({board.parent, galaxy.parent}), bell))
    else:
        from mxgateway_simulator.watch.kqueue import KqueueWait
        from mxgateway_simulator.watch.waiting import ThreadWatch

        attempts.append(lambda: ThreadWatch(KqueueWait(board, galaxy), bell))
    for attempt in attempts:
        try:
            return attempt()
        except (OSError, AttributeError) as error:
            logger.debug("one way of watching the board is not to be had reason=%s", error)
    logger.info("nothing tells of changes of the board; it is looked at %g times a second", 1 / PeriodicWatch.period)
    return PeriodicWatch()
