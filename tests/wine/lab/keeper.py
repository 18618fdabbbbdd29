"""Holds a Wine prefix open: its services, and its desktop.

A program that makes a window (every STA with a hidden message window does) makes Wine start explorer.exe for the
desktop when none runs; that process inherits the program's stdin, stdout and stderr, so whoever waits for their end
waits for it, too. So one process whose stdio is /dev/null makes a window first and keeps it.
"""

from __future__ import annotations

import contextlib
import ctypes
from ctypes import c_int, c_uint, c_ulong, c_void_p, c_wchar_p

user32 = ctypes.WinDLL("user32")
user32.CreateWindowExW.argtypes = [c_ulong, c_wchar_p, c_wchar_p, c_ulong, *[c_int] * 4, *[c_void_p] * 4]
user32.CreateWindowExW.restype = c_void_p
user32.GetMessageW.argtypes = [c_void_p, c_void_p, c_uint, c_uint]
# A message-only window: without a display nothing else can be made.
parent = c_void_p(-3)
assert user32.CreateWindowExW(0, "STATIC", "keeper", 0, 0, 0, 0, 0, parent, None, None, None)
with contextlib.suppress(OSError):
    # Brings up the RPC service as well.
    ctypes.WinDLL("ole32").CoInitializeEx(None, 2)
message = ctypes.create_string_buffer(64)
while user32.GetMessageW(message, None, 0, 0) > 0:
    user32.DispatchMessageW(message)
