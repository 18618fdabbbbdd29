"""The version that Windows programs and DLLs carry."""

from __future__ import annotations

import ctypes
import struct
from ctypes import c_int, c_uint32, c_void_p
from typing import Any

_windows: Any = ctypes
# VS_FIXEDFILEINFO begins with a signature, the version of its own form, and the file version in two words.
_FIXED = struct.Struct("<IIII")


def file_version(path: str) -> str:
    """The file version of a program or DLL, for example `3.2.0.0`; empty when it has none. On Windows only."""
    library = _windows.WinDLL("version")
    size_of, read, find = library.GetFileVersionInfoSizeW, library.GetFileVersionInfoW, library.VerQueryValueW
    size_of.argtypes, size_of.restype = (c_void_p, c_void_p), c_uint32
    read.argtypes, read.restype = (c_void_p, c_uint32, c_uint32, c_void_p), c_int
    find.argtypes, find.restype = (c_void_p, c_void_p, c_void_p, c_void_p), c_int
    name = path.encode("utf-16-le") + b"\0\0"
    size = size_of(name, None)
    if not size:
        return ""
    block = ctypes.create_string_buffer(size)
    found, length = c_void_p(), c_uint32()
    if not read(name, 0, size, block) or not find(block, b"\\\0\0\0", ctypes.byref(found), ctypes.byref(length)):
        return ""
    if not found.value or length.value < _FIXED.size:
        return ""
    _, _, high, low = _FIXED.unpack(ctypes.string_at(found.value, _FIXED.size))
    return f"{high >> 16}.{high & 0xFFFF}.{low >> 16}.{low & 0xFFFF}"
