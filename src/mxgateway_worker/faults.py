"""Faults of the worker as a process, for tests of what stands at the other end of its pipe.

`crash` and `exit` (parameter `code`) end the process, `corrupt_frame` sends bytes that are no frame, `hang` stops all
writing, heartbeats included, `clock_jump` (parameter `seconds`) sets the process's wall clock. Every other name is the
backend's.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

from mxgateway_protocol.clock import MovableClock
from mxgateway_worker import windows_process
from mxgateway_worker.writer import RawFrame, Writer

WORKER_FAULTS: Mapping[str, frozenset[str]] = {
    "crash": frozenset(),
    "exit": frozenset({"code"}),
    "corrupt_frame": frozenset(),
    "hang": frozenset(),
    "clock_jump": frozenset({"seconds"}),
}
"""By name: the parameters that it takes."""

_FAIL_FAST = 0xC0000409
_LONGEST_JUMP = 10 * 366 * 86400


def parse(text: str) -> tuple[str, dict[str, str]]:
    """`name` or `name:key=value,key=value`.

    Raises:
        ValueError: it is neither.
    """
    name, _, rest = text.partition(":")
    parameters: dict[str, str] = {}
    for pair in rest.split(",") if rest else ():
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ValueError(f"fault {text}: write name:key=value,key=value")
        parameters[key.strip()] = value
    if not name:
        raise ValueError("a fault without a name")
    return name, parameters


class WorkerFaults:
    """Carries out the faults of the process."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def inject(self, fault: str, parameters: Mapping[str, str]) -> bool:
        """Carries out the fault; False when it is none of the process's.

        Raises:
            ValueError: a parameter is unknown or wrong.
        """
        if fault not in WORKER_FAULTS:
            return False
        unknown = set(parameters) - WORKER_FAULTS[fault]
        if unknown:
            raise ValueError(f"fault {fault} does not take {', '.join(sorted(unknown))}")
        if fault == "exit":
            windows_process.end_now(int(parameters.get("code", "1")))
        if fault == "crash":
            if hasattr(signal, "SIGKILL"):
                os.kill(os.getpid(), signal.SIGKILL)
            # What abort() ends with there; codes below it are the worker's own.
            windows_process.end_now(_FAIL_FAST)
        if fault == "clock_jump":
            MovableClock.move(_seconds(parameters))
        elif fault == "hang":
            self._writer.freeze()
        else:
            self._writer.send(RawFrame(b"\xff" * 64))
        return True


def _seconds(parameters: Mapping[str, str]) -> float:
    seconds = float(parameters.get("seconds", "3600"))
    if not abs(seconds) <= _LONGEST_JUMP:
        raise ValueError(f"fault clock_jump: seconds is a number from -{_LONGEST_JUMP} to {_LONGEST_JUMP}")
    return seconds
