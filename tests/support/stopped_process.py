"""Stopping a process so that none of its threads does anything any more."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.support.waiting import eventually


async def stop_process(pid: int) -> None:
    """Stops it; returns once every thread stands still. The signal takes its time, and until then they may answer."""
    os.kill(pid, signal.SIGSTOP)
    await eventually(lambda: _states_of_threads(pid) == {"T"}, 60.0)


def _states_of_threads(pid: int) -> set[str]:
    """As Linux tells them: `T` for one that is stopped."""
    found = Path(f"/proc/{pid}/task").glob("*/stat")
    return {each.read_text().rpartition(")")[2].split()[0] for each in found}
