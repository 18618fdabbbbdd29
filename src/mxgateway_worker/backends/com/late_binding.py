"""The images of a late-bound call in 32-bit memory: what IDispatch::Invoke is given, and what it leaves. Pure."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from mxgateway_protocol.variants import VarType
from mxgateway_worker.backends.com.images import VARIANT_SIZE, VT_BYREF, VT_INT, VT_UINT, ImageError, Memory, read_bstr

_PARAMETERS = struct.Struct("<IIII")
_EXCEPTION = struct.Struct("<HHIIIIIIi")
EXCEPTION_SIZE = _EXCEPTION.size
EXCEPTION_TEXTS = (4, 8, 12)
"""Where in an EXCEPINFO the pointers to its BSTRs stand: source, description, help file. Whoever gets it frees them."""


def argument_images(arguments: Sequence[int | str], bstr: Callable[[str], int], out: int = 0) -> list[bytes]:
    """A VARIANT an argument, in the order in which Invoke wants them: the last one first.

    Args:
        bstr: makes a text; it belongs to the image.
        out: address of a VARIANT that the method fills, as its last argument; 0 for none.
    """
    images = [struct.pack("<H6xI4x", VT_BYREF | VarType.VT_VARIANT, out)] if out else []
    for argument in reversed(arguments):
        if isinstance(argument, str):
            images.append(struct.pack("<H6xI4x", VarType.VT_BSTR, bstr(argument)))
        else:
            images.append(struct.pack("<H6xi4x", VarType.VT_I4, argument))
    return images


def parameters(address: int, count: int) -> bytes:
    """DISPPARAMS: so many arguments from this address on, none of them named."""
    return _PARAMETERS.pack(address, 0, count, 0)


def exception_of(image: bytes, memory: Memory) -> tuple[int, str]:
    """HRESULT and description in an EXCEPINFO."""
    code, _, _, description, _, _, _, _, scode = _EXCEPTION.unpack(image)
    # Either the one or the other is filled in.
    hresult = scode if scode else struct.unpack("<i", struct.pack("<I", 0x8004_0200 + code))[0]
    return hresult, read_bstr(description, memory).strip()


def integer_of(image: bytes) -> int:
    """The number in a VARIANT that a method returned; 0 for a method that returns nothing."""
    assert len(image) == VARIANT_SIZE
    vartype = int.from_bytes(image[:2], "little")
    if vartype == VarType.VT_EMPTY:
        return 0
    if vartype in (VarType.VT_I4, VarType.VT_UI4, VT_INT, VT_UINT, VarType.VT_ERROR):
        return int.from_bytes(image[8:12], "little", signed=True)
    if vartype in (VarType.VT_I2, VarType.VT_BOOL):
        return int.from_bytes(image[8:10], "little", signed=True)
    raise ImageError(f"a number is expected, and VARTYPE {vartype} came")


def text_of(image: bytes, memory: Memory) -> str | None:
    """The text in a VARIANT that a method filled; None when it is none."""
    if int.from_bytes(image[:2], "little") != VarType.VT_BSTR:
        return None
    return read_bstr(int.from_bytes(image[8:12], "little"), memory)
