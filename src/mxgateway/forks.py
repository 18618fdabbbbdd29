"""What a fork leaves of gRPC: its threads stay behind, so a child of a process with an open channel must not touch it.

Without this a call in the child waits for ever, or gRPC ends the process.
"""

from __future__ import annotations

import os
from typing import Any
from weakref import WeakValueDictionary

from mxgateway.errors import MxGatewayTransportError

_REFUSAL = (
    "this process was forked while its parent had an mxgateway client open, and gRPC does not survive that; "
    "make clients after the fork (a worker's start hook), close them before it, or start processes by 'spawn'"
)

_open: WeakValueDictionary[int, Any] = WeakValueDictionary()
# What the parent had open. Never let go, since gRPC's own clean-up would wait for threads that are not there.
_left_behind: list[Any] = []


def opened(channel: Any) -> None:
    """Notes a channel that would not survive a fork."""
    _open[id(channel)] = channel


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


def _after_fork() -> None:
    _left_behind.extend(_open.values())
    _open.clear()


# gRPC's half of the matter: unless somebody asked for it, its own handlers may end the child. Read with its first use.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
