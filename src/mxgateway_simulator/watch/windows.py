"""Change notifications of directories: Windows."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _SIZE, _LAST_WRITE = 0x8, 0x10
    _INFINITE = 0xFFFFFFFF
    _INVALID_HANDLE = ctypes.c_void_p(-1).value

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.FindFirstChangeNotificationW.argtypes = [wintypes.LPCWSTR, wintypes.BOOL, wintypes.DWORD]
    _kernel.FindFirstChangeNotificationW.restype = wintypes.HANDLE
    _kernel.FindNextChangeNotification.argtypes = [wintypes.HANDLE]
    _kernel.FindCloseChangeNotification.argtypes = [wintypes.HANDLE]
    _kernel.CreateEventW.argtypes = [wintypes.LPVOID, wintypes.BOOL, wintypes.BOOL, wintypes.LPCWSTR]
    _kernel.CreateEventW.restype = wintypes.HANDLE
    _kernel.SetEvent.argtypes = [wintypes.HANDLE]
    _kernel.CloseHandle.argtypes = [wintypes.HANDLE]
    _kernel.WaitForMultipleObjects.argtypes = [
        wintypes.DWORD, ctypes.POINTER(wintypes.HANDLE), wintypes.BOOL, wintypes.DWORD,
    ]  # fmt: skip
    _kernel.WaitForMultipleObjects.restype = wintypes.DWORD

    class DirectoryWait:
        """Waits until a file in one of the directories is written.

        Raises:
            OSError: a directory cannot be watched, for example on a network share that does not tell.
        """

        def __init__(self, directories: Collection[Path]) -> None:
            self._changes: list[int] = []
            self._end = _kernel.CreateEventW(None, True, False, None)
            if not self._end:
                raise ctypes.WinError(ctypes.get_last_error())
            for directory in directories:
                handle = _kernel.FindFirstChangeNotificationW(str(directory), False, _SIZE | _LAST_WRITE)
                if not handle or handle == _INVALID_HANDLE:
                    error = ctypes.WinError(ctypes.get_last_error())
                    self.close()
                    raise error
                self._changes.append(handle)
            handles = [self._end, *self._changes]
            self._handles = (wintypes.HANDLE * len(handles))(*handles)

        def wait(self) -> None:
            index = _kernel.WaitForMultipleObjects(len(self._handles), self._handles, False, _INFINITE)
            if index == _INFINITE:
                raise ctypes.WinError(ctypes.get_last_error())
            if index and not _kernel.FindNextChangeNotification(self._handles[index]):
                raise ctypes.WinError(ctypes.get_last_error())

        def end(self) -> None:
            _kernel.SetEvent(self._end)

        def close(self) -> None:
            for handle in self._changes:
                _kernel.FindCloseChangeNotification(handle)
            self._changes.clear()
            _kernel.CloseHandle(self._end)
