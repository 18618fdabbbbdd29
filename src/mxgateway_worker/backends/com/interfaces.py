"""Interface pointers: a pointer to a pointer to a table of functions. Binding by slot, and IUnknown's three."""

from __future__ import annotations

import ctypes
from ctypes import c_uint32, c_void_p
from typing import Any

from mxgateway_contract import hresults
from mxgateway_protocol.errors import MxComError
from mxgateway_worker.backends.com.identity import guid_bytes
from mxgateway_worker.backends.com.winapi import WinApi, callback, memory, prototype

_POINTER_SIZE = 4
_QUERY_INTERFACE, _ADD_REF, _RELEASE = 0, 1, 2
_GET_DESCRIPTION = 5


def function_at(pointer: int, slot: int, form: Any) -> Any:
    """A function of the interface at `pointer`, ready to be called with the pointer first."""
    table = int.from_bytes(memory(pointer, _POINTER_SIZE), "little")
    address = int.from_bytes(memory(table + _POINTER_SIZE * slot, _POINTER_SIZE), "little")
    return form(address)


def query(pointer: int, iid: str) -> int:
    """QueryInterface: another interface of the object, one reference to be given back; 0 when it has none."""
    found = c_void_p()
    ask = function_at(pointer, _QUERY_INTERFACE, prototype(c_void_p, c_void_p, c_void_p))
    hresult: int = ask(pointer, guid_bytes(iid), ctypes.byref(found))
    return (found.value or 0) if hresult >= 0 else 0


def release(pointer: int) -> int:
    """Gives a reference back; what the object says is left."""
    left: int = function_at(pointer, _RELEASE, callback(c_uint32, c_void_p))(pointer)
    return left


def error_text(api: WinApi) -> str:
    """The text of the thread's error info, which is taken away with it; empty when there is none."""
    info = c_void_p()
    if api.error_info(0, ctypes.byref(info)) != hresults.S_OK or not info.value:
        return ""
    try:
        text = c_void_p()
        describe = function_at(info.value, _GET_DESCRIPTION, prototype(c_void_p, c_void_p))
        if describe(info.value, ctypes.byref(text)) < 0 or not text.value:
            return ""
        try:
            return memory(text.value, api.string_bytes(text.value)).decode("utf-16-le", "replace").strip()
        finally:
            api.free_string(text.value)
    finally:
        release(info.value)


def check(hresult: int, what: str) -> None:
    """Raises:
    MxComError: the HRESULT is a failure.
    """
    if hresult < 0:
        raise MxComError(hresult, f"{what}: HRESULT {hresults.text(hresult)}")


class ConnectionPoint:
    """A source of events with one sink connected."""

    def __init__(self, pointer: int, sink: int) -> None:
        """Takes the pointer over, also when connecting fails.

        Raises:
            MxComError: the sink was refused.
        """
        self._pointer = pointer
        cookie = c_uint32()
        advise = function_at(pointer, 5, prototype(c_void_p, c_void_p, c_void_p))
        hresult: int = advise(pointer, sink, ctypes.byref(cookie))
        if hresult < 0:
            release(pointer)
            raise MxComError(hresult, f"the events cannot be connected: HRESULT {hresults.text(hresult)}")
        self._cookie = cookie.value

    def disconnect(self) -> None:
        """Raises:
        MxComError: the object does not know the connection any more.
        """
        unadvise = function_at(self._pointer, 6, prototype(c_void_p, c_uint32))
        hresult: int = unadvise(self._pointer, self._cookie)
        # Also when it was refused: the pointer is ours.
        release(self._pointer)
        check(hresult, "disconnecting the events")


def find_connection_point(container: int, iid: str) -> int:
    """The source of an event interface, one reference to be given back; 0 when the object has none."""
    found = c_void_p()
    find = function_at(container, 4, prototype(c_void_p, c_void_p, c_void_p))
    hresult: int = find(container, guid_bytes(iid), ctypes.byref(found))
    return (found.value or 0) if hresult >= 0 else 0
