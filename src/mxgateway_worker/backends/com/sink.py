"""Our side of an event interface: an IDispatch of seven functions in memory that Python holds."""

from __future__ import annotations

import ctypes
import logging
import struct
from ctypes import c_int32, c_uint16, c_uint32, c_void_p
from typing import Any

from mxgateway_contract import hresults
from mxgateway_worker.backends.com.identity import IDISPATCH, IUNKNOWN, guid_bytes
from mxgateway_worker.backends.com.ports import Deliver
from mxgateway_worker.backends.com.winapi import callback, look_at, memory

logger = logging.getLogger(__name__)

E_POINTER = -2147467261
"""0x80004003: no address where one is due."""
# DISPPARAMS: arguments, names, and how many there are of each.
_parameters_at = look_at(struct.Struct("<I4xI4x"))


class Sink:
    """Takes the events of one source interface.

    The callbacks, the table and the object's memory live as long as this, which must be kept until `references` is
    back at 1.
    """

    def __init__(self, iid: str, deliver: Deliver) -> None:
        self._iid = iid
        self._deliver = deliver
        self._answers = {guid_bytes(one) for one in (IUNKNOWN, IDISPATCH, iid)}
        self.references = 1
        self.failures = 0
        pointer = c_void_p
        self._callbacks: tuple[Any, ...] = (
            callback(c_int32, pointer, pointer, pointer)(self._query_interface),
            callback(c_uint32, pointer)(self._add_ref),
            callback(c_uint32, pointer)(self._release),
            callback(c_int32, pointer, pointer)(lambda this, count: hresults.E_NOTIMPL),
            callback(c_int32, pointer, c_uint32, c_uint32, pointer)(lambda *_: hresults.E_NOTIMPL),
            callback(c_int32, pointer, pointer, pointer, c_uint32, c_uint32, pointer)(lambda *_: hresults.E_NOTIMPL),
            callback(c_int32, pointer, c_int32, pointer, c_uint32, c_uint16, pointer, pointer, pointer, pointer)(
                self._invoke
            ),
        )
        addresses = [ctypes.cast(function, pointer).value for function in self._callbacks]
        self._table = (c_void_p * len(addresses))(*addresses)
        self._object = (c_void_p * 1)(ctypes.addressof(self._table))

    @property
    def pointer(self) -> int:
        """The interface pointer that COM gets."""
        return ctypes.addressof(self._object)

    def _query_interface(self, this: int, iid: int, out: int) -> int:
        if not iid or not out:
            return E_POINTER
        if memory(iid, 16) not in self._answers:
            ctypes.c_void_p.from_address(out).value = None
            return hresults.E_NOINTERFACE
        self.references += 1
        ctypes.c_void_p.from_address(out).value = this
        return hresults.S_OK

    def _add_ref(self, this: int) -> int:
        self.references += 1
        return self.references

    def _release(self, this: int) -> int:
        self.references -= 1
        return self.references

    def _invoke(
        self,
        this: int,
        dispid: int,
        iid: int,
        locale: int,
        flags: int,
        parameters: int,
        result: int,
        exception: int,
        argument: int,
    ) -> int:
        """Never lets an exception out: LMXProxy has no use for one, and the next event is worth having."""
        try:
            arguments, count = _parameters_at(parameters)
            # The arguments are the caller's and end with this call: one copy, and no address is kept.
            self._deliver(self._iid, dispid, memory(arguments, 16 * count) if count else b"")
        except BaseException:
            self.failures += 1
            if self.failures <= 10 or self.failures % 10_000 == 0:
                logger.exception("an event could not be taken count=%d", self.failures)
        return hresults.S_OK
