"""No worker outlives its gateway: how a child process is tied to this one, by platform.

The first tie is the pipe: a worker whose input ends, ends. Behind it stand the kernel's own means: on Linux each worker
asks for a signal at its parent's death, and gets a process group of its own, which is what is killed; on Windows all
workers belong to a job object that dies with the gateway's last handle to it.

The same ties bound the memory of each worker, so that one session cannot take the machine's: on Linux a limit of the
process, beside it a control group where one is delegated to the gateway; on Windows a limit of the worker's job.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Protocol

from mxgateway_server.workers.cgroups import delegated_groups

if sys.platform != "win32":
    import resource


class Containment(Protocol):
    """Ties of worker processes to this process."""

    def spawn_options(self) -> dict[str, Any]:
        """Further arguments of `subprocess_exec`."""

    def adopt(self, pid: int) -> None:
        """Ties a process that was just started.

        Raises:
            OSError: the system refuses; the process must not be used.
        """

    def ran_out_of_memory(self, pid: int) -> bool:
        """Whether the system ended the process because it had no memory left; asked before `release`."""

    def kill(self, pid: int) -> None:
        """Ends the process and its children at once; a process that is gone already is no error."""

    def release(self, pid: int) -> None:
        """The process has ended: gives back what was held for it, and ends what it left behind where that is known."""

    def close(self) -> None:
        """Releases what this holds; on Windows this ends every worker that is left."""


class ProcessGroups:
    """POSIX: a session and process group for each worker, so that a terminal's Ctrl-C reaches the gateway only.

    Args:
        memory: bytes that each worker may have; 0 for any number. Only Linux can bound them.
    """

    def __init__(self, memory: int = 0) -> None:
        self._memory = memory
        self._groups = delegated_groups(memory) if memory and sys.platform == "linux" else None

    def spawn_options(self) -> dict[str, Any]:
        return {"start_new_session": True}

    def adopt(self, pid: int) -> None:
        if self._memory and sys.platform == "linux":
            # What it allocates for itself. Of address space Python reserves much more than it ever uses.
            resource.prlimit(pid, resource.RLIMIT_DATA, (self._memory, self._memory))
        if self._groups is not None:
            self._groups.adopt(pid)

    def ran_out_of_memory(self, pid: int) -> bool:
        return self._groups is not None and self._groups.ran_out(pid)

    def kill(self, pid: int) -> None:
        if sys.platform == "win32":
            return
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def release(self, pid: int) -> None:
        if self._groups is not None:
            self._groups.release(pid)

    def close(self) -> None:
        return None


def create_containment(memory: int = 0) -> Containment:
    """The means of this platform.

    Args:
        memory: bytes that each worker may have; 0 for any number.
    """
    if sys.platform == "win32":
        from mxgateway_server.workers.job_object import JobObject

        return JobObject(memory)
    return ProcessGroups(memory)
