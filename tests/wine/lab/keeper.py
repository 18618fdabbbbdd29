"""Holds a Wine prefix open: its services, and its desktop. `keeper.py wait` comes back when another one does.

A program that makes a window (every STA with a hidden message window does) makes Wine start explorer.exe for the
desktop when none runs; that process inherits the program's stdin, stdout and stderr, so whoever waits for their end
waits for it, too. So one process whose stdio is /dev/null makes a window first and keeps it.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import time
from ctypes import c_int, c_uint, c_ulong, c_void_p, c_wchar_p

# A message-only window: without a display nothing else can be made.
PARENT = c_void_p(-3)
TITLE = "mxgateway keeper"
SECONDS = 30.0

user32 = ctypes.WinDLL("user32")
user32.CreateWindowExW.argtypes = [c_ulong, c_wchar_p, c_wchar_p, c_ulong, *[c_int] * 4, *[c_void_p] * 4]
user32.CreateWindowExW.restype = c_void_p
user32.FindWindowExW.argtypes = [c_void_p, c_void_p, c_wchar_p, c_wchar_p]
user32.FindWindowExW.restype = c_void_p
user32.GetMessageW.argtypes = [c_void_p, c_void_p, c_uint, c_uint]


def start_com() -> None:
    """Brings up the RPC service as well."""
    with contextlib.suppress(OSError):
        ctypes.WinDLL("ole32").CoInitializeEx(None, 2)


def keep() -> None:
    # While the prefix boots, the desktop may not be there yet.
    end = time.monotonic() + SECONDS
    while not user32.CreateWindowExW(0, "STATIC", TITLE, 0, 0, 0, 0, 0, PARENT, None, None, None):
        assert time.monotonic() < end, "no window can be made"
        time.sleep(0.1)
    start_com()
    message = ctypes.create_string_buffer(64)
    while user32.GetMessageW(message, None, 0, 0) > 0:
        user32.DispatchMessageW(message)


def wait() -> None:
    # Looking for it makes a window station of one's own, so the keeper must have had the time to be the first.
    time.sleep(1.0)
    end = time.monotonic() + SECONDS
    while not user32.FindWindowExW(PARENT, None, "STATIC", TITLE):
        assert time.monotonic() < end, "the keeper has no window"
        time.sleep(0.1)
    start_com()


if __name__ == "__main__":
    wait() if sys.argv[1:] == ["wait"] else keep()
