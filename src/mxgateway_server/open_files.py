"""Open files: as many as the system lets this process have, and how they are shared out.

Each connection and each worker takes some. A flood of connections must leave enough for workers, the key store and the
log, so connections get what the others can never need.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass

OF_THE_GATEWAY = 128
"""Files of the gateway itself at most: databases, log, event loop, listening sockets."""
OF_OPERATIONS = 160
"""Connections of the HTTP listener at most, each a file."""
OF_A_WORKER = 4
"""Three pipes, and what its end is seen by."""
OF_A_START = 8
"""Files that a start holds beside those that its worker keeps."""
FEWEST_CONNECTIONS = 16
_HEADROOM = 5
"""One in so many places is kept for connections that come while surplus ones are about to be closed."""


@dataclass(frozen=True, slots=True)
class ConnectionRoom:
    """Places for connections.

    Attributes:
        kept: how many may stay open.
        taken: how many the server takes at most, until those above `kept` are closed.
        is_cut: whether that is less than was asked for, since there are too few files.
    """

    kept: int
    taken: int
    is_cut: bool = False


def room_for_connections(
    files: int | None, wanted: int, *, workers: int, starts: int, operations: bool = False
) -> ConnectionRoom:
    """How many connections there may be.

    Args:
        files: open files that the process may have; None when nothing limits them.
        wanted: connections that the settings allow.
        workers: worker processes that there may be, `starts` of them starting at once.
        operations: whether there is an HTTP listener.
    """
    most = wanted + max(1, wanted // (_HEADROOM - 1))
    if files is None:
        return ConnectionRoom(wanted, most)
    reserved = OF_THE_GATEWAY + OF_A_WORKER * workers + OF_A_START * starts + OF_OPERATIONS * operations
    taken = min(most, max(FEWEST_CONNECTIONS, files - reserved))
    kept = min(wanted, taken * (_HEADROOM - 1) // _HEADROOM)
    return ConnectionRoom(kept, taken, is_cut=kept < wanted)


def limit() -> int | None:
    """Open files that this process may have; None: nothing limits them."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def raise_limit() -> None:
    """Lets this process have as many open files as the system allows it. Workers inherit that, which costs nothing."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # macOS takes no more than OPEN_MAX, however much it says that it allows; then it stays as it was.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
