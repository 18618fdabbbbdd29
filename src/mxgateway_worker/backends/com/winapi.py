"""The functions of Windows that a COM worker calls, with their types, on library objects of its own.

`ctypes.windll` is shared by the whole process, so whoever sets types there sets them for everybody.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from ctypes import c_int, c_int32, c_uint16, c_uint32, c_void_p
from functools import partial
from typing import Any

from mxgateway_contract import hresults
from mxgateway_protocol.errors import BackendLostError, MxComError

# WinDLL and WINFUNCTYPE exist on Windows only; the module itself has to import everywhere.
_ctypes: Any = ctypes

COINIT_APARTMENTTHREADED = 2
CLSCTX_INPROC_SERVER = 1
QS_ALLINPUT = 0x04FF
MWMO_INPUTAVAILABLE = 4
WAIT_FAILED = 0xFFFFFFFF
PM_REMOVE = 1
MESSAGE_SIZE = 64
"""Room for a MSG: 28 bytes for a 32-bit process."""


class VARIANT(ctypes.Structure):
    """16 bytes that travel by value."""

    _fields_ = (("head", c_uint16 * 4), ("payload", c_uint32 * 2))


class SystemTime(ctypes.Structure):
    _fields_ = tuple(
        (name, c_uint16) for name in ("year", "month", "day_of_week", "day", "hour", "minute", "second", "milliseconds")
    )


def prototype(*arguments: Any) -> Any:
    """A stdcall function that answers an HRESULT, signed; the interpreter's lock is given up while it runs."""
    return _ctypes.WINFUNCTYPE(c_int32, *arguments)


def callback(result: Any, *arguments: Any) -> Any:
    """The type of a function of ours that COM calls."""
    return _ctypes.WINFUNCTYPE(result, *arguments)


def _declare(library: Any, name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(library, name)
    function.restype = result
    function.argtypes = arguments
    return function


class WinApi:
    """ole32, oleaut32, user32 and kernel32 as far as they are needed."""

    def __init__(self) -> None:
        ole32, oleaut32 = _ctypes.WinDLL("ole32"), _ctypes.WinDLL("oleaut32")
        user32, kernel32 = _ctypes.WinDLL("user32"), _ctypes.WinDLL("kernel32")
        self.co_initialize = _declare(ole32, "CoInitializeEx", c_int32, c_void_p, c_uint32)
        self.co_uninitialize = _declare(ole32, "CoUninitialize", None)
        self.co_create_instance = _declare(
            ole32, "CoCreateInstance", c_int32, c_void_p, c_void_p, c_uint32, c_void_p, c_void_p
        )
        self.class_of_name = _declare(ole32, "CLSIDFromProgID", c_int32, c_void_p, c_void_p)
        self.alloc_string = _declare(oleaut32, "SysAllocStringLen", c_void_p, c_void_p, c_uint32)
        self.free_string = _declare(oleaut32, "SysFreeString", None, c_void_p)
        self.string_bytes = _declare(oleaut32, "SysStringByteLen", c_uint32, c_void_p)
        self.variant_clear = _declare(oleaut32, "VariantClear", c_int32, c_void_p)
        self.array_create = _declare(oleaut32, "SafeArrayCreate", c_void_p, c_uint16, c_uint32, c_void_p)
        self.error_info = _declare(oleaut32, "GetErrorInfo", c_int32, c_uint32, c_void_p)
        self.parse_date = _declare(oleaut32, "VarDateFromStr", c_int32, c_void_p, c_uint32, c_uint32, c_void_p)
        self.wait_for_messages = _declare(
            user32, "MsgWaitForMultipleObjectsEx", c_uint32, c_uint32, c_void_p, c_uint32, c_uint32, c_uint32
        )
        self.peek_message = _declare(user32, "PeekMessageW", c_int, c_void_p, c_void_p, c_uint32, c_uint32, c_uint32)
        self.translate_message = _declare(user32, "TranslateMessage", c_int, c_void_p)
        self.dispatch_message = _declare(user32, "DispatchMessageW", c_void_p, c_void_p)
        self.create_event = _declare(kernel32, "CreateEventW", c_void_p, c_void_p, c_int, c_int, c_void_p)
        self.set_event = _declare(kernel32, "SetEvent", c_int, c_void_p)
        self.local_to_utc = _declare(kernel32, "TzSpecificLocalTimeToSystemTime", c_int, c_void_p, c_void_p, c_void_p)
        self.utc_to_local = _declare(kernel32, "SystemTimeToTzSpecificLocalTime", c_int, c_void_p, c_void_p, c_void_p)

    def bstr(self, text: str) -> int:
        """A BSTR of a text, to be freed by whoever gets it.

        Raises:
            MxComError: E_OUTOFMEMORY.
        """
        data = text.encode("utf-16-le", "surrogatepass")
        pointer: int | None = self.alloc_string(data, len(data) // 2)
        if not pointer:
            raise MxComError(hresults.E_OUTOFMEMORY, "no memory for a text")
        return pointer

    def forget_string(self, pointer: int) -> None:
        """Overwrites a BSTR that was a secret, and frees it."""
        ctypes.memset(pointer, 0, self.string_bytes(pointer))
        self.free_string(pointer)


memory = ctypes.string_at
"""`count` bytes at an address of this process: no function of ours around it, it is called five times an event."""


_HALF = 0x7FFF_FFFF
# All of a process's lower half: nothing is held or copied, and only what is asked for is ever touched.
_lower_half = (ctypes.c_char * _HALF).from_address(0)


def look_at(form: struct.Struct) -> Callable[[int], tuple[Any, ...]]:
    """Unpacks a structure where it lies, in one call: several times cheaper than a copy, and made four times an event.

    The upper half, which a 32-bit process seldom has, is read by a copy.
    """
    below, size, unpack = _HALF - form.size, form.size, form.unpack
    in_place = partial(form.unpack_from, _lower_half)

    def look(address: int) -> tuple[Any, ...]:
        return in_place(address) if address <= below else unpack(memory(address, size))

    return look


def broke_down(error: OSError) -> BackendLostError:
    """What a structured exception inside LMXProxy means: its data and locks cannot be trusted any more."""
    return BackendLostError(f"LMXProxy broke down: {error}")
