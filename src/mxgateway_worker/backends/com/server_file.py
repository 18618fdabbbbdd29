"""Which DLL holds a class, and its version: what support asks first."""

from __future__ import annotations

import ctypes
import importlib
import struct
from ctypes import c_int, c_uint32, c_void_p
from typing import Any

from mxgateway_worker.backends.com.ports import ServerFile

_ctypes: Any = ctypes
# VS_FIXEDFILEINFO: signature, structure version, file version (two words of two halves each).
_FIXED = struct.Struct("<IIII")


def server_file(class_id: str) -> ServerFile:
    """The registered DLL of a class; empty where Windows does not tell."""
    winreg: Any = importlib.import_module("winreg")
    try:
        with winreg.OpenKey(winreg.HKEY_CLASSES_ROOT, f"CLSID\\{class_id}\\InprocServer32") as key:
            path = str(winreg.QueryValueEx(key, "")[0])
    except OSError:
        return ServerFile()
    return ServerFile(path, _file_version(path))


def _file_version(path: str) -> str:
    library = _ctypes.WinDLL("version")
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
    if not read(name, 0, size, block) or not find(
        block, "\\".encode("utf-16-le") + b"\0\0", ctypes.byref(found), ctypes.byref(length)
    ):
        return ""
    if not found.value or length.value < _FIXED.size:
        return ""
    _, _, high, low = _FIXED.unpack(ctypes.string_at(found.value, _FIXED.size))
    return f"{high >> 16}.{high & 0xFFFF}.{low >> 16}.{low & 0xFFFF}"
