"""Windows: the console's window is closed, somebody logs off, the machine shuts down.

Each is told to the gateway, which has about five seconds then; elsewhere the signals say all of it.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from typing import Any

_CLOSE, _LOGOFF, _SHUTDOWN = 2, 5, 6
_GRACE_SECONDS = 4.5
"""Windows ends the process when the handler returns, or after five seconds."""


def on_console_close(stop: Callable[[], None]) -> Callable[[], None]:
    """Calls `stop` from a thread of Windows' when the console goes; returns what has to be called once all is over."""
    over = threading.Event()
    if sys.platform == "win32":
        windows: Any = ctypes

        @windows.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint32)  # type: ignore[untyped-decorator]
        def handler(event: int) -> int:
            if event not in (_CLOSE, _LOGOFF, _SHUTDOWN):
                return 0
            stop()
            over.wait(_GRACE_SECONDS)
            return 1

        set_handler = windows.WinDLL("kernel32").SetConsoleCtrlHandler
        set_handler(handler, 1)

        def remove() -> None:
            over.set()
            set_handler(handler, 0)

        return remove
    return over.set
