"""What a test left running: its child processes, but for what belongs to a gateway that many tests share.

Asked before and after every test, so it must be cheap: where the system lists the children of a process, only those
are looked at; psutil would look at every process of the machine.
"""

from __future__ import annotations

import os
from pathlib import Path

import psutil

# Here and not beside what fills it: a worker's Python runs tests, too, and has no gRPC.
SHARED: set[int] = set()
"""Process ids of the gateways that outlive a test: what they start at any moment is nobody's leak."""

LISTS_CHILDREN = Path(f"/proc/self/task/{os.getpid()}/children").exists()
"""Whether the system lists the children of a process. Linux does, where its kernel was built so."""


def living_children() -> set[psutil.Process]:
    """Living processes below this one, none of them a shared gateway's."""
    every = below(os.getpid())
    # Looked at last: a shared gateway fills its pool whenever it has the time, during somebody else's test, too.
    lasting = {pid for root in every & SHARED for pid in (root, *below(root))}
    return {process for pid in every - lasting if (process := _living(pid)) is not None}


def below(pid: int) -> set[int]:
    """Process ids of the children of a process, of their children, and so on; empty for one that is gone."""
    if not LISTS_CHILDREN:
        return psutil_below(pid)
    found: set[int] = set()
    asked = [pid]
    while asked:
        new = _children(asked.pop()) - found
        found |= new
        asked += new
    return found


def psutil_below(pid: int) -> set[int]:
    """`below` for every system."""
    try:
        return {process.pid for process in psutil.Process(pid).children(recursive=True)}
    except psutil.NoSuchProcess:
        return set()


def _children(pid: int) -> set[int]:
    found = _listed(pid)
    # A child that ends while the list is read can hide the one behind it.
    while found and found != (again := _listed(pid)):
        found = again
    return found


def _listed(pid: int) -> set[int]:
    """The children of all threads: a child stands with the thread that has started it."""
    tasks = f"/proc/{pid}/task"
    while True:
        found: set[int] = set()
        try:
            for thread in os.listdir(tasks):
                with open(f"{tasks}/{thread}/children", "rb", buffering=0) as file:
                    found.update(map(int, file.read().split()))
        except (FileNotFoundError, ProcessLookupError):
            # A thread has ended, and what it had started stands with another one now; or the process has.
            if os.path.exists(tasks):
                continue
            return set()
        return found


def _living(pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None
