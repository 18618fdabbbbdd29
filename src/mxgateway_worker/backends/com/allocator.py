"""COM's own memory for values on their way into MXAccess; see writing.Allocator."""

from __future__ import annotations

import ctypes
import struct

from mxgateway_contract import hresults
from mxgateway_protocol.errors import MxComError
from mxgateway_worker.backends.com.winapi import WinApi, memory


class ComAllocator:
    """COM's own memory for values."""

    def __init__(self, api: WinApi) -> None:
        self._api = api

    def bstr(self, text: str) -> int:
        return self._api.bstr(text)

    def array(self, vartype: int, counts: tuple[int, ...]) -> tuple[int, int]:
        bounds = b"".join(struct.pack("<Ii", count, 0) for count in counts)
        pointer: int | None = self._api.array_create(vartype, len(counts), bounds)
        if not pointer:
            raise MxComError(hresults.E_OUTOFMEMORY, "no memory for an array")
        return pointer, int.from_bytes(memory(pointer + 12, 4), "little")

    def store(self, address: int, data: bytes) -> None:
        ctypes.memmove(address, data, len(data))

    def clear(self, image: bytes) -> None:
        self._api.variant_clear(ctypes.create_string_buffer(image, len(image)))
