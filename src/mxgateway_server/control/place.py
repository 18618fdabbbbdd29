"""Where the control socket lies, and how to reach it: one for each gateway of a state directory."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = "run"
_LONGEST = 100
"""Bytes of a path that every system takes for a socket."""


def socket_path(state: Path, pid: int) -> Path:
    """The socket of the gateway with this process id."""
    return state / FOLDER / f"control-{pid}.sock"


def sockets(state: Path) -> list[Path]:
    """All that lie there; some may be left over by a gateway that was killed."""
    return sorted((state / FOLDER).glob("control-*.sock"))


def pid_of(path: Path) -> int:
    """The process id that a socket's name tells."""
    return int(path.stem.removeprefix("control-"))


@contextmanager
def short_name(path: Path) -> Iterator[str]:
    """A name of the socket that fits into its address, however long the path is.

    Raises:
        OSError: it is too long, and this system has no shorter one.
    """
    if len(os.fsencode(path)) <= _LONGEST or sys.platform != "linux":
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
