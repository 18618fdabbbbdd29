"""COM itself: the single-threaded apartment, its message loop, and the LMXProxy object bound by its vtable."""

from __future__ import annotations

import ctypes
import math
import struct
import time
from ctypes import c_int32, c_void_p
from typing import Any

from mxgateway_contract import hresults
from mxgateway_protocol.backend import EventSink
from mxgateway_protocol.errors import BackendLostError, MxComError
from mxgateway_protocol.variants import Variant
from mxgateway_worker.backends.com.allocator import ComAllocator
from mxgateway_worker.backends.com.connections import Connections
from mxgateway_worker.backends.com.dispatch import DispatchObject, create_late_bound
from mxgateway_worker.backends.com.events import EventReader
from mxgateway_worker.backends.com.identity import (
    BUFFERED_EVENTS,
    CLASS_ID,
    CONNECTION_POINT_CONTAINER,
    EVENTS,
    INTERFACES,
    IUNKNOWN,
    METHODS,
    PROG_ID,
    STAND_IN_CONTROL,
    Method,
    guid_bytes,
)
from mxgateway_worker.backends.com.images import ImageReader
from mxgateway_worker.backends.com.interfaces import (
    ConnectionPoint,
    check,
    error_text,
    find_connection_point,
    function_at,
    query,
    release,
)
from mxgateway_worker.backends.com.ports import Argument, Deliver
from mxgateway_worker.backends.com.server_file import server_file
from mxgateway_worker.backends.com.sink import Sink
from mxgateway_worker.backends.com.times import TimeRules
from mxgateway_worker.backends.com.winapi import (
    CLSCTX_INPROC_SERVER,
    COINIT_APARTMENTTHREADED,
    MESSAGE_SIZE,
    MWMO_INPUTAVAILABLE,
    PM_REMOVE,
    QS_ALLINPUT,
    VARIANT,
    WAIT_FAILED,
    WinApi,
    broke_down,
    look_at,
    memory,
    prototype,
)
from mxgateway_worker.backends.com.writing import ValueWriter
from mxgateway_worker.backends.com.zone import WindowsZone

_USER_LOCALE = 0x400
_TYPES: dict[str, Any] = {"i": c_int32, "s": c_void_p, "p": c_void_p, "V": VARIANT}
_CONTROL_SLOT = 3
_STATUS_ROOM = 16


def event_reader(sink: EventSink, is_local_time: bool) -> EventReader:
    """Reads this process's memory with this node's times."""
    times = TimeRules(WindowsZone(WinApi()), is_local=is_local_time)
    return EventReader(sink, ImageReader(memory, times), memory, look_at)


class LmxProxy:
    """The object, by the newest interface that it has."""

    def __init__(self, api: WinApi, unknown: int, deliver: Deliver, times: TimeRules) -> None:
        """Takes the reference to `unknown` over.

        Raises:
            MxComError: it is no LMXProxyServer, or its events cannot be connected.
        """
        self._api = api
        self._allocator = ComAllocator(api)
        self._values = ValueWriter(self._allocator, times)
        self._connections = Connections()
        try:
            self.interface_version, self._pointer = _newest(unknown)
            self.file = server_file(CLASS_ID)
            self._functions = {
                name: _bound(self._pointer, method)
                for name, method in METHODS.items()
                # What the object does not have is other memory behind its table.
                if method.since <= self.interface_version
            }
            try:
                self._connect(unknown, deliver)
            except BaseException:
                try:
                    self.disconnect()
                finally:
                    release(self._pointer)
                raise
        finally:
            release(unknown)

    def _connect(self, unknown: int, deliver: Deliver) -> None:
        container = query(unknown, CONNECTION_POINT_CONTAINER)
        if not container:
            raise MxComError(hresults.E_NOINTERFACE, "LMXProxy has no events to connect to")
        try:
            for iid in (EVENTS, BUFFERED_EVENTS):
                point = find_connection_point(container, iid)
                if not point:
                    if iid == BUFFERED_EVENTS:
                        # Objects before interface 5 have none.
                        continue
                    raise MxComError(hresults.E_NOINTERFACE, "LMXProxy does not offer _ILMXProxyServerEvents")
                sink = Sink(iid, deliver)
                self._connections.add(ConnectionPoint(point, sink.pointer), sink)
        finally:
            release(container)

    def call(self, method: str, *arguments: Argument) -> int | bytes | None:
        facts = METHODS[method]
        owned: list[tuple[str, Any]] = []
        try:
            made = [self._pointer]
            for kind, argument in zip(facts.parameters, arguments, strict=True):
                made.append(self._argument(kind, argument, owned))
            return self._invoke(method, facts, made)
        except OSError as error:
            raise broke_down(error) from error
        finally:
            for kind, thing in owned:
                self._free(kind, thing)

    def _argument(self, kind: str, argument: Argument, owned: list[tuple[str, Any]]) -> Any:
        if kind == "i":
            return argument
        if kind == "V":
            assert isinstance(argument, Variant)
            image = self._values.image(argument)
            owned.append((kind, image))
            return VARIANT.from_buffer_copy(image)
        assert isinstance(argument, str)
        pointer = self._api.bstr(argument)
        owned.append((kind, pointer))
        return pointer

    def _free(self, kind: str, thing: Any) -> None:
        if kind == "V":
            self._allocator.clear(thing)
        elif kind == "p":
            self._api.forget_string(thing)
        else:
            self._api.free_string(thing)

    def _invoke(self, name: str, facts: Method, made: list[Any]) -> int | bytes | None:
        number, status = c_int32(), ctypes.create_string_buffer(_STATUS_ROOM)
        if facts.result:
            made.append(ctypes.addressof(number if facts.result == "i" else status))
        hresult: int = self._functions[name](*made)
        # Always taken: it belongs to the thread, and would explain a later failure of something else.
        text = error_text(self._api)
        if hresult < 0:
            raise MxComError(hresult, text)
        if facts.result == "i":
            return number.value
        return status.raw if facts.result == "S" else None

    def control(self, command: str) -> bool:
        pointer = query(self._pointer, STAND_IN_CONTROL)
        if not pointer:
            return False
        text = self._api.bstr(command)
        try:
            hresult: int = function_at(pointer, _CONTROL_SLOT, prototype(c_void_p, c_void_p))(pointer, text)
            return hresult >= 0
        finally:
            self._api.free_string(text)
            release(pointer)

    def disconnect(self) -> None:
        try:
            self._connections.disconnect()
        except OSError as error:
            raise broke_down(error) from error

    def release(self) -> int:
        self._functions.clear()
        try:
            return release(self._pointer)
        except OSError as error:
            raise broke_down(error) from error


def _newest(unknown: int) -> tuple[int, int]:
    for version in range(len(INTERFACES), 0, -1):
        pointer = query(unknown, INTERFACES[version - 1])
        if pointer:
            return version, pointer
    raise MxComError(hresults.E_NOINTERFACE, f"{PROG_ID} has none of the interfaces ILMXProxyServer to 5")


def _bound(pointer: int, method: Method) -> Any:
    types = [_TYPES[kind] for kind in method.parameters]
    return function_at(pointer, method.slot, prototype(c_void_p, *types, *([c_void_p] if method.result else [])))


class WindowsApartment:
    """The STA of the thread that enters it."""

    def __init__(self, is_local_time: bool) -> None:
        if struct.calcsize("P") != 4:
            raise MxComError(
                hresults.REGDB_E_CLASSNOTREG,
                "this Python is 64-bit, and LMXProxy is a 32-bit DLL: name a 32-bit Python in worker.com_python "
                "(mxgateway worker provision makes one)",
            )
        self._api = WinApi()
        self._times = TimeRules(WindowsZone(self._api), is_local=is_local_time)
        # Auto-reset, and never closed while the process lives: a late wake would hit a handle used anew.
        self._event: int = self._api.create_event(None, 0, 0, None)
        self._handles = (c_void_p * 1)(self._event)
        self._message = ctypes.create_string_buffer(MESSAGE_SIZE)

    def enter(self) -> None:
        check(self._api.co_initialize(None, COINIT_APARTMENTTHREADED), "CoInitializeEx")
        # Asking once makes the thread's message queue.
        self._api.peek_message(self._message, None, 0, 0, 0)

    def create(self, deliver: Deliver) -> LmxProxy:
        unknown = c_void_p()
        hresult: int = self._api.co_create_instance(
            guid_bytes(CLASS_ID), None, CLSCTX_INPROC_SERVER, guid_bytes(IUNKNOWN), ctypes.byref(unknown)
        )
        text = error_text(self._api)
        if hresult < 0 or not unknown.value:
            raise MxComError(hresult, text or _why_not(hresult))
        return LmxProxy(self._api, unknown.value, deliver, self._times)

    def create_late_bound(self, name: str) -> DispatchObject:
        return create_late_bound(self._api, name)

    def wait(self, seconds: float) -> None:
        if seconds <= 0:
            return
        milliseconds = max(1, math.ceil(seconds * 1000))
        ended: int = self._api.wait_for_messages(1, self._handles, milliseconds, QS_ALLINPUT, MWMO_INPUTAVAILABLE)
        if ended == WAIT_FAILED:
            # It would come back at once for ever.
            raise BackendLostError("the apartment cannot wait for messages")

    def wake(self) -> None:
        self._api.set_event(self._event)

    def pump(self, budget: float) -> bool:
        api, message = self._api, self._message
        deadline = time.perf_counter() + budget
        try:
            while api.peek_message(message, None, 0, 0, PM_REMOVE):
                api.translate_message(message)
                api.dispatch_message(message)
                if time.perf_counter() >= deadline:
                    return True
        except OSError as error:
            raise broke_down(error) from error
        return False

    def leave(self) -> None:
        self._api.co_uninitialize()


def _why_not(hresult: int) -> str:
    if hresult == hresults.REGDB_E_CLASSNOTREG:
        return f"{PROG_ID} is not registered for 32-bit programs: is System Platform's run time installed on this node?"
    if hresult == hresults.E_ACCESSDENIED:
        return f"{PROG_ID} refuses this user: is there a run-time licence, and may the service account use it?"
    return f"{PROG_ID} cannot be created"
