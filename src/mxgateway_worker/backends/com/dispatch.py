"""An object that is called by the names of its methods, through IDispatch: its tables are not published."""

from __future__ import annotations

import ctypes
import logging
from ctypes import c_int32, c_uint16, c_uint32, c_void_p
from typing import Any

from mxgateway_contract import hresults
from mxgateway_protocol.errors import MxComError
from mxgateway_worker.backends.com.identity import IDISPATCH, IUNKNOWN, guid_bytes
from mxgateway_worker.backends.com.images import VARIANT_SIZE, ImageError
from mxgateway_worker.backends.com.interfaces import error_text, function_at, query, release
from mxgateway_worker.backends.com.late_binding import (
    EXCEPTION_SIZE,
    EXCEPTION_TEXTS,
    argument_images,
    exception_of,
    integer_of,
    parameters,
    text_of,
)
from mxgateway_worker.backends.com.winapi import CLSCTX_INPROC_SERVER, WinApi, broke_down, memory, prototype

logger = logging.getLogger(__name__)

_GET_IDS_OF_NAMES, _INVOKE = 5, 6
_USER_LOCALE = 0x400
_METHOD = 1
_NULL_IID = bytes(16)


def class_id_of(api: WinApi, name: str) -> bytes:
    """The class of a ProgID, or of a CLSID in braces.

    Raises:
        MxComError: no such class is registered for 32-bit programs.
    """
    if name.startswith("{"):
        return guid_bytes(name)
    found = ctypes.create_string_buffer(16)
    hresult: int = api.class_of_name(name.encode("utf-16-le") + b"\0\0", found)
    if hresult < 0:
        raise MxComError(hresult, f"{name} is not registered for 32-bit programs on this node")
    return found.raw


def create_late_bound(api: WinApi, name: str) -> DispatchObject:
    """Makes an object by its ProgID or CLSID.

    Raises:
        MxComError: it cannot be made, or cannot be called by names.
    """
    unknown = c_void_p()
    hresult: int = api.co_create_instance(
        class_id_of(api, name), None, CLSCTX_INPROC_SERVER, guid_bytes(IUNKNOWN), ctypes.byref(unknown)
    )
    text = error_text(api)
    if hresult < 0 or not unknown.value:
        raise MxComError(hresult, text or f"{name} cannot be created")
    try:
        pointer = query(unknown.value, IDISPATCH)
    finally:
        release(unknown.value)
    if not pointer:
        raise MxComError(hresults.E_NOINTERFACE, f"{name} has no IDispatch, so that it cannot be called by names")
    return DispatchObject(api, pointer)


class DispatchObject:
    """Implements `ports.LateBound`; takes the reference to `pointer` over."""

    def __init__(self, api: WinApi, pointer: int) -> None:
        self._api = api
        self._pointer = pointer
        self._ids: dict[str, int] = {}
        names = prototype(c_void_p, c_void_p, c_void_p, c_uint32, c_uint32, c_void_p)
        invoke = prototype(c_void_p, c_int32, c_void_p, c_uint32, c_uint16, c_void_p, c_void_p, c_void_p, c_void_p)
        self._get_ids_of_names = function_at(pointer, _GET_IDS_OF_NAMES, names)
        self._invoke = function_at(pointer, _INVOKE, invoke)

    def call(self, method: str, *arguments: int | str, wants_text: bool = False) -> tuple[int, str | None]:
        """See LateBound."""
        result, out = ctypes.create_string_buffer(VARIANT_SIZE), ctypes.create_string_buffer(VARIANT_SIZE)
        images: list[bytes] = []
        try:
            number = self._id_of(method)
            address = ctypes.addressof(out) if wants_text else 0
            images = argument_images(arguments, self._api.bstr, address)
            self._call(number, images, result)
            return integer_of(result.raw), text_of(out.raw, memory) if wants_text else None
        except OSError as error:
            raise broke_down(error) from error
        except ImageError as error:
            raise MxComError(hresults.E_FAIL, f"{method} answered what cannot be read: {error}") from error
        finally:
            self._clear(images[1:] if wants_text else images, result, out)

    def _id_of(self, method: str) -> int:
        known = self._ids.get(method)
        if known is not None:
            return known
        text = ctypes.create_string_buffer(method.encode("utf-16-le") + b"\0\0")
        names, found = (c_void_p * 1)(ctypes.addressof(text)), c_int32()
        hresult: int = self._get_ids_of_names(self._pointer, _NULL_IID, names, 1, _USER_LOCALE, ctypes.addressof(found))
        if hresult < 0:
            raise MxComError(hresult, f"it has no method {method}")
        self._ids[method] = found.value
        return found.value

    def _call(self, number: int, images: list[bytes], result: Any) -> None:
        block = ctypes.create_string_buffer(b"".join(images), VARIANT_SIZE * max(1, len(images)))
        given = ctypes.create_string_buffer(parameters(ctypes.addressof(block), len(images)))
        raised = ctypes.create_string_buffer(EXCEPTION_SIZE)
        hresult: int = self._invoke(
            *(self._pointer, number, _NULL_IID, _USER_LOCALE, _METHOD),
            *(ctypes.addressof(given), ctypes.addressof(result), ctypes.addressof(raised), None),
        )
        # Always taken: it belongs to the thread, and would explain a later failure of something else.
        text = error_text(self._api)
        if hresult == hresults.DISP_E_EXCEPTION:
            try:
                hresult, described = exception_of(raised.raw, memory)
            finally:
                for place in EXCEPTION_TEXTS:
                    self._api.free_string(int.from_bytes(raised.raw[place : place + 4], "little"))
            raise MxComError(hresult, described or text)
        if hresult < 0:
            raise MxComError(hresult, text)

    def _clear(self, images: list[bytes], *filled: Any) -> None:
        for image in images:
            self._api.variant_clear(ctypes.create_string_buffer(image, VARIANT_SIZE))
        for variant in filled:
            self._api.variant_clear(variant)

    def release(self) -> None:
        """See LateBound."""
        pointer, self._pointer = self._pointer, 0
        try:
            if pointer:
                release(pointer)
        except OSError as error:
            logger.warning("a COM object broke down while it was released reason=%s", error)
