"""The end of a worker that has no memory left.

The gateway limits the memory of each worker by the system's means, so that allocating fails here before the machine is
in trouble. Nothing can be relied on then, so the process ends at once, with an exit code that says why; the gateway
tells the session's owner.
"""

from __future__ import annotations

import os
import sys
import threading
from types import TracebackType
from typing import NoReturn

from mxgateway_protocol.contract import WorkerExit
from mxgateway_worker import windows_process

_LAST_WORDS = b"mxgateway_worker: out of memory\n"
_STDERR = 2


def end_out_of_memory() -> NoReturn:
    """Ends the process; allocates nothing."""
    try:
        os.write(_STDERR, _LAST_WORDS)
    finally:
        windows_process.end_now(_CODE)


_CODE = int(WorkerExit.OUT_OF_MEMORY)


def end_when_out_of_memory() -> None:
    """From now on a MemoryError that nobody catches ends the process, on whatever thread it is."""
    before, before_in_thread = sys.excepthook, threading.excepthook

    def hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if issubclass(kind, MemoryError):
            end_out_of_memory()
        before(kind, error, traceback)

    def thread_hook(given: threading.ExceptHookArgs) -> None:
        if issubclass(given.exc_type, MemoryError):
            end_out_of_memory()
        before_in_thread(given)

    sys.excepthook, threading.excepthook = hook, thread_hook
