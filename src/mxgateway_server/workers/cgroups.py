"""Linux: a control group for each worker, where the system has delegated one to the gateway; it bounds all its memory.

Beside the limit that each process has (see `containment`), this counts what a worker shares, caches, or has others do
for it. A service manager delegates a group when it is told to (systemd: `Delegate=memory`); no others are touched.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from mxgateway_server.logs import get_logger

logger = get_logger(__name__)

_OWN = "gateway"
_DELEGATED = ("user.delegate", "trusted.delegate")


class WorkerGroups:
    """Groups below the gateway's own.

    Args:
        folder: the gateway's group, delegated to it.
        memory: bytes that a worker may have.
    """

    def __init__(self, folder: Path, memory: int) -> None:
        self._folder = folder
        self._memory = memory

    def begin(self) -> None:
        """Makes room for groups of workers; a group that has any may hold no process itself.

        Raises:
            OSError: the system refuses.
        """
        own = self._folder / _OWN
        own.mkdir(exist_ok=True)
        (own / "cgroup.procs").write_text(str(os.getpid()))
        (self._folder / "cgroup.subtree_control").write_text("+memory")

    def adopt(self, pid: int) -> None:
        """Puts a process into a group of its own.

        Raises:
            OSError: the system refuses, or the process is gone.
        """
        group = self._group(pid)
        group.mkdir(exist_ok=True)
        (group / "memory.max").write_text(str(self._memory))
        (group / "memory.oom.group").write_text("1")
        with contextlib.suppress(FileNotFoundError):
            # Where the system has no swap there is no such file.
            (group / "memory.swap.max").write_text("0")
        (group / "cgroup.procs").write_text(str(pid))

    def ran_out(self, pid: int) -> bool:
        """Whether the system ended the process because its group had no memory left."""
        try:
            events = (self._group(pid) / "memory.events").read_text()
        except OSError:
            return False
        counts = dict(line.split() for line in events.splitlines())
        return counts.get("oom_kill", "0") != "0"

    def release(self, pid: int) -> None:
        """Gives the group of a process back that has ended."""
        with contextlib.suppress(OSError):
            # One that something still lives in stays, with its limit.
            self._group(pid).rmdir()

    def _group(self, pid: int) -> Path:
        return self._folder / f"worker-{pid}"


def delegated_groups(
    memory: int, *, table: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> WorkerGroups | None:
    """Groups for workers; None where this process has no group delegated to it, or memory cannot be bounded in it."""
    try:
        lines = table.read_text().splitlines()
        # Version 2 alone has one line, of number 0.
        (path,) = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
        folder = root / path
        if folder.name == _OWN and "memory" in (folder.parent / "cgroup.subtree_control").read_text():
            # An earlier program of this process has moved it there.
            folder = folder.parent
        if len(lines) > 1 or not _is_delegated(folder):
            return None
        if "memory" not in (folder / "cgroup.controllers").read_text().split():
            return None
        groups = WorkerGroups(folder, memory)
        groups.begin()
    except (OSError, ValueError) as error:
        logger.debug("no_groups_for_workers", error=error)
        return None
    return groups


def _is_delegated(folder: Path) -> bool:
    if folder.stat().st_uid == os.getuid() != 0:
        return True
    for name in _DELEGATED:
        with contextlib.suppress(OSError):
            if os.getxattr(folder, name) == b"1":
                return True
    return False
