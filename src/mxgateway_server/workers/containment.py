"""No worker outlives its gateway: how a child process is tied to this one, by platform.

The first tie is the pipe: a worker whose input ends, ends. Behind it stand the kernel's own means: on Linux each worker
asks for a signal at its parent's death, and gets a process group of its own, which is what is killed; on Windows all
workers belong to a job object that dies with the gateway's last handle to it.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Protocol


class Containment(Protocol):
    """Ties of worker processes to this process."""

    def spawn_options(self) -> dict[str, Any]:
        """Further arguments of `subprocess_exec`."""

    def adopt(self, pid: int) -> None:
        """Ties a process that was just started.

        Raises:
            OSError: the system refuses; the process must not be used.
        """

    def kill(self, pid: int) -> None:
        """Ends the process and its children at once; a process that is gone already is no error."""

    def release(self, pid: int) -> None:
        """The process has ended: gives back what was held for it, and ends what it left behind where that is known."""

    def close(self) -> None:
        """Releases what this holds; on Windows this ends every worker that is left."""


class ProcessGroups:
    """POSIX: a session and process group for each worker, so that a terminal's Ctrl-C reaches the gateway only."""

    def spawn_options(self) -> dict[str, Any]:
        return {"start_new_session": True}

    def adopt(self, pid: int) -> None:
        return None

    def kill(self, pid: int) -> None:
        if sys.platform == "win32":
            return
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def release(self, pid: int) -> None:
        return None

    def close(self) -> None:
        return None


def create_containment() -> Containment:
    """The means of this platform."""
    if sys.platform == "win32":
        from mxgateway_server.workers.job_object import JobObject

        return JobObject()
    return ProcessGroups()
