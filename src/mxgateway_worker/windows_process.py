"""What a worker has to do about itself on Windows; nothing of it does anything elsewhere."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from typing import Any, NoReturn

_SEM_FAILCRITICALERRORS, _SEM_NOGPFAULTERRORBOX, _SEM_NOOPENFILEERRORBOX = 0x0001, 0x0002, 0x8000
_HANDLE_FLAG_INHERIT = 1


class _Kernel:
    """Functions of kernel32, looked up once: a thread that hangs while DLLs are told of its end holds the loader's
    lock, and whoever looks up or loads anything then hangs, too."""

    def __init__(self) -> None:
        windows: Any = ctypes
        library = windows.WinDLL("kernel32")
        self.set_error_mode = library.SetErrorMode
        self.set_handle_information = library.SetHandleInformation
        self.set_handle_information.argtypes = (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)
        self.terminate_process = library.TerminateProcess
        self.terminate_process.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
        current = library.GetCurrentProcess
        current.restype = ctypes.c_void_p
        self.this_process: int = current()
        self.memory_info = library.K32GetProcessMemoryInfo
        self.memory_info.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32)


_kernel: Any = _Kernel() if sys.platform == "win32" else None


class _Counters(ctypes.Structure):
    _fields_ = (
        ("cb", ctypes.c_uint32),
        ("faults", ctypes.c_uint32),
        *((f"size{number}", ctypes.c_size_t) for number in range(8)),
    )


def show_no_dialogs() -> None:
    """A failure ends the process instead of waiting for somebody at a service's invisible desktop."""
    if sys.platform == "win32":
        _kernel.set_error_mode(_SEM_FAILCRITICALERRORS | _SEM_NOGPFAULTERRORBOX | _SEM_NOOPENFILEERRORBOX)


def keep_to_itself(*descriptors: int) -> None:
    """Nothing that this process starts, or that LMXProxy starts in it, inherits these: an open end of the pipe
    elsewhere would keep the gateway waiting for its close."""
    if sys.platform == "win32":
        import msvcrt

        for descriptor in descriptors:
            _kernel.set_handle_information(msvcrt.get_osfhandle(descriptor), _HANDLE_FLAG_INHERIT, 0)


def working_set() -> int:
    """Bytes of memory that are in use now; 0 where Windows does not tell."""
    found = _Counters(cb=ctypes.sizeof(_Counters))
    if not _kernel.memory_info(_kernel.this_process, ctypes.byref(found), found.cb):
        return 0
    # After the peak comes what is in use now.
    return int(found.size1)


def stay() -> None:
    """For the thread of an apartment whose object broke down: it never comes back on Windows.

    Its end would have COM destroy the object under the loader's lock, with the object's own locks held for good.
    """
    if sys.platform == "win32":
        threading.Event().wait()


def end_now(code: int) -> NoReturn:
    """Ends the process whatever its threads do.

    On Windows not by `os._exit`: that detaches the DLLs, which waits for the very thread that hangs in one.
    """
    if sys.platform == "win32":
        _kernel.terminate_process(_kernel.this_process, code)
    os._exit(code)
