"""What a worker has to do about itself on Windows; nothing of it does anything elsewhere."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any, NoReturn

_SEM_FAILCRITICALERRORS, _SEM_NOGPFAULTERRORBOX, _SEM_NOOPENFILEERRORBOX = 0x0001, 0x0002, 0x8000
_HANDLE_FLAG_INHERIT = 1


def _kernel32() -> Any:
    windows: Any = ctypes
    return windows.WinDLL("kernel32")


def show_no_dialogs() -> None:
    """A failure ends the process instead of waiting for somebody at a service's invisible desktop."""
    if sys.platform == "win32":
        _kernel32().SetErrorMode(_SEM_FAILCRITICALERRORS | _SEM_NOGPFAULTERRORBOX | _SEM_NOOPENFILEERRORBOX)


def keep_to_itself(*descriptors: int) -> None:
    """Nothing that this process starts, or that LMXProxy starts in it, inherits these: an open end of the pipe
    elsewhere would keep the gateway waiting for its close."""
    if sys.platform == "win32":
        import msvcrt

        set_information = _kernel32().SetHandleInformation
        set_information.argtypes = (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)
        for descriptor in descriptors:
            set_information(msvcrt.get_osfhandle(descriptor), _HANDLE_FLAG_INHERIT, 0)


def end_now(code: int) -> NoReturn:
    """Ends the process whatever its threads do.

    On Windows not by `os._exit`: that detaches the DLLs, which waits for the very thread that hangs in one.
    """
    if sys.platform == "win32":
        kernel = _kernel32()
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        kernel.TerminateProcess.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
        kernel.TerminateProcess(kernel.GetCurrentProcess(), code)
    os._exit(code)
