"""What a test left running: its child processes, but for what belongs to a gateway that many tests share."""

from __future__ import annotations

import psutil

from tests.support.shared_gateway import SHARED


def living_children() -> set[psutil.Process]:
    """Living processes below this one, none of them a shared gateway's."""
    every = psutil.Process().children(recursive=True)
    # Looked at last: a shared gateway fills its pool whenever it has the time, during somebody else's test, too.
    lasting = {p for root in every if root.pid in SHARED for p in (root, *_below(root))}
    return {p for p in every if p not in lasting and _is_alive(p)}


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
