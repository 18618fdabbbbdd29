"""What a fork leaves of gRPC: its threads stay behind, so a child of a process with an open channel must not touch it.

Without this a call in the child waits for ever, or gRPC ends the process. The same holds for a moment after the last
channel was closed, while gRPC's threads come to their end: a fork waits for that moment to pass.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from mxgateway.errors import MxGatewayTransportError

_REFUSAL = (
    "this process was forked while its parent had an mxgateway client or another gRPC channel open, and gRPC does not "
    "survive that; "
    "make clients after the fork (a worker's start hook), close them before it, or start processes by 'spawn'"
)

_GRPC_THREADS = frozenset(
    {
        "backup_poller",
        "default-executo",
        "event_engine",
        "grpc_global_tim",
        "grpc_shutdown",
        "lifeguard",
        "resolver-execut",
        "timer_manager",
    }
)
"""Names of the threads that gRPC starts by itself, as Linux keeps them: 15 characters."""
_PATIENCE = 2.0
"""Seconds that a fork waits for the threads to end; milliseconds are usual."""
_TASKS = "/proc/self/task"

_open: WeakValueDictionary[int, Any] = WeakValueDictionary()
# What the parent had open. Never let go, since gRPC's own clean-up would wait for threads that are not there.
_left_behind: list[Any] = []


def opened(channel: Any) -> None:
    """Notes a channel that would not survive a fork."""
    _open[id(channel)] = channel
    _quiet.disturbed()


def closed(channel: Any) -> None:
    """The channel is closed: a fork may come again."""
    _open.pop(id(channel), None)


def check() -> None:
    """Refuses to go on in a child that cannot use gRPC.

    Raises:
        MxGatewayTransportError: this is such a process.
    """
    if _left_behind:
        raise MxGatewayTransportError(_REFUSAL)


def is_spoiled() -> bool:
    """Whether `check` would refuse."""
    return bool(_left_behind)


def _grpc_threads() -> set[int]:
    """The threads of gRPC that run now; none where the system does not tell."""
    try:
        tasks = os.listdir(_TASKS)
    except OSError:
        return set()
    return {int(task) for task in tasks if _name_of(task) in _GRPC_THREADS}


def _name_of(task: str) -> str:
    try:
        with open(f"{_TASKS}/{task}/comm", encoding="utf-8", errors="replace") as name:
            return name.read().rstrip()
    except OSError:
        return ""  # It has ended meanwhile.


class Quiet:
    """Waits before a fork until gRPC's threads have gone."""

    def __init__(
        self,
        threads: Callable[[], object] = _grpc_threads,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._threads = threads
        self._now = now
        self._pause = pause
        self._patience: float | None = None

    def disturbed(self) -> None:
        """A channel was opened, so there will be threads."""
        self._patience = _PATIENCE

    def reached(self) -> bool:
        """Waits up to 2 s; whether a fork is safe now."""
        if self._patience is None:
            return True
        end = self._now() + self._patience
        while self._threads():
            if self._now() >= end:
                # These stay: some other library's channel. No later fork waits for them again.
                self._patience = 0.0
                return False
            self._pause(0.001)
        self._patience = None
        return True


_quiet = Quiet()
_is_safe = True


def _before_fork() -> None:
    global _is_safe
    _is_safe = bool(_open) or _quiet.reached()


def _after_fork() -> None:
    _left_behind.extend(_open.values())
    _open.clear()
    if not _is_safe:
        _left_behind.append(_quiet)


# gRPC's half of the matter: unless somebody asked for it, its own handlers may end the child. Read with its first use.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
