"""VARIANTs, SAFEARRAYs and statuses of 32-bit COM, read out of memory images. Pure: memory is a function.

A VARIANT is 16 bytes: u16 type at 0, payload at 8. A SAFEARRAY is u16 dimensions, u16 features, u32 element size, u32
locks, u32 data pointer, then (u32 count, i32 lower bound) for each dimension, the last dimension first; its elements
stand with the first index running fastest.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

from mxgateway_contract.status import MxStatus
from mxgateway_protocol.variants import EMPTY, VT_ARRAY, Scalar, Variant, VarType, data_type_of
from mxgateway_worker.backends.com.times import TimeRangeError, TimeRules, ticks_to_ns

Memory = Callable[[int, int], bytes]
"""`count` bytes at an address of this process."""

Look = Callable[[int], tuple[Any, ...]]
"""The fields of a structure at an address of this process."""
Looks = Callable[[struct.Struct], Look]
"""How structures of a form are looked at."""


def looks_by(memory: Memory) -> Looks:
    """Looks that read a copy; where memory can be looked at in place there are faster ones."""

    def look_at(form: struct.Struct) -> Look:
        return lambda address: form.unpack(memory(address, form.size))

    return look_at


VARIANT_SIZE = 16
VT_BYREF = 0x4000
VT_DISPATCH, VT_UNKNOWN, VT_INT, VT_UINT = 9, 13, 22, 23
STATUS_ARRAY = VT_BYREF | VT_ARRAY | VarType.VT_RECORD
_STATUS_SIZE = 16
_MOST_BYTES = 64 * 1024 * 1024

_POINTER = struct.Struct("<I")
_HEAD = struct.Struct("<HHIII")
_BOUND = struct.Struct("<Ii")
# Padding lies between success and category, and behind detail: only 14 bytes are defined.
_STATUS = struct.Struct("<hxxiih")

_SCALARS: dict[int, struct.Struct] = {
    VarType.VT_I2: struct.Struct("<h"),
    VarType.VT_I4: struct.Struct("<i"),
    VarType.VT_R4: struct.Struct("<f"),
    VarType.VT_R8: struct.Struct("<d"),
    VarType.VT_ERROR: struct.Struct("<i"),
    VarType.VT_I1: struct.Struct("<b"),
    VarType.VT_UI1: struct.Struct("<B"),
    VarType.VT_UI2: struct.Struct("<H"),
    VarType.VT_UI4: struct.Struct("<I"),
    VarType.VT_I8: struct.Struct("<q"),
    VarType.VT_UI8: struct.Struct("<Q"),
    VT_INT: struct.Struct("<i"),
    VT_UINT: struct.Struct("<I"),
}
_SIGNED16 = struct.Struct("<h")
_DOUBLE = struct.Struct("<d")
_CURRENCY = struct.Struct("<q")
# VT_INT and VT_UINT are what they are on a 32-bit machine; VarType has neither.
_REPORTED = {VT_INT: int(VarType.VT_I4), VT_UINT: int(VarType.VT_UI4)}
_ELEMENT_SIZES = {
    VarType.VT_BOOL: 2, VarType.VT_CY: 8, VarType.VT_DATE: 8, VarType.VT_BSTR: 4, VarType.VT_DECIMAL: 16,
    VarType.VT_VARIANT: VARIANT_SIZE, VT_DISPATCH: 4, VT_UNKNOWN: 4,
    **{vartype: form.size for vartype, form in _SCALARS.items()},
}  # fmt: skip


class ImageError(ValueError):
    """Memory that is not what its type says; the text names the VARTYPE, never an address."""


def read_bstr(pointer: int, memory: Memory) -> str:
    """A BSTR with its length in front of it; a null pointer is the empty text. NUL and lone surrogates are kept."""
    if not pointer:
        return ""
    (size,) = _POINTER.unpack(memory(pointer - 4, 4))
    if size > _MOST_BYTES:
        raise ImageError(f"VT_BSTR of {size} bytes")
    return memory(pointer, size & ~1).decode("utf-16-le", "surrogatepass")


class ImageReader:
    """Reads images with the node's rules for times.

    Attributes:
        time_rules: those rules.
    """

    def __init__(self, memory: Memory, times: TimeRules) -> None:
        self._memory = memory
        self.time_rules = times

    def variant(self, image: bytes) -> Variant:
        """The value of a VARIANT's 16 bytes.

        Raises:
            ImageError: it cannot be read.
        """
        vartype = image[0] | image[1] << 8
        if vartype == VT_BYREF | VarType.VT_VARIANT:
            image = self._at(image, VARIANT_SIZE)
            vartype = image[0] | image[1] << 8
            if vartype & VT_BYREF and vartype & ~VT_BYREF == VarType.VT_VARIANT:
                raise ImageError("a VARIANT by reference within one by reference")
        base = vartype & ~(VT_BYREF | VT_ARRAY)
        if vartype & VT_ARRAY:
            pointer = self._pointer(image)
            if vartype & VT_BYREF:
                pointer = self._pointer_at(pointer)
            return self._array(pointer, base)
        if vartype & VT_BYREF:
            return self._scalar(base, self._referenced(image, base))
        return self._scalar(base, image[8:] if base != VarType.VT_DECIMAL else image)

    def time(self, image: bytes) -> int:
        """A time stamp in nanoseconds since 1970-01-01 UTC.

        Raises:
            ImageError: none of VT_DATE, VT_BSTR, VT_I8, VT_UI8, VT_FILETIME, or no time.
        """
        vartype = image[0] | image[1] << 8
        if vartype == VarType.VT_DATE:
            return self._date(image[8:])
        if vartype == VT_BYREF | VarType.VT_VARIANT:
            return self.time(self._at(image, VARIANT_SIZE))
        base = vartype & ~VT_BYREF
        payload = self._referenced(image, base) if vartype & VT_BYREF else image[8:]
        return self._time(base, payload)

    def times(self, image: bytes) -> tuple[int, ...]:
        """An array of time stamps, likewise.

        Raises:
            ImageError: no array, or of none of those types.
        """
        vartype = image[0] | image[1] << 8
        base = vartype & ~(VT_BYREF | VT_ARRAY)
        pointer = self._pointer(image)
        if vartype & VT_BYREF:
            pointer = self._pointer_at(pointer)
        if not vartype & VT_ARRAY or not pointer:
            return ()
        counts, size, data = self._bounds(pointer)
        if size != _ELEMENT_SIZES.get(base):
            raise ImageError(f"an array of VARTYPE {base} with elements of {size} bytes")
        raw = self._memory(data, math.prod(counts) * size) if math.prod(counts) else b""
        return tuple(self._time(base, raw[at : at + size]) for at in range(0, len(raw), size))

    def statuses(self, image: bytes) -> tuple[MxStatus, ...]:
        """The elements of a status array, however many there are.

        Raises:
            ImageError: the VARIANT is no array of statuses.
        """
        vartype = image[0] | image[1] << 8
        if vartype & ~VT_BYREF != VT_ARRAY | VarType.VT_RECORD:
            raise ImageError(f"VARTYPE 0x{vartype:04X} where an array of MXSTATUS_PROXY is due")
        pointer = self._pointer(image)
        if vartype & VT_BYREF:
            pointer = self._pointer_at(pointer)
        if not pointer:
            return ()
        counts, size, data = self._bounds(pointer)
        if len(counts) != 1 or size != _STATUS_SIZE:
            raise ImageError(f"an array of statuses with {len(counts)} dimensions and elements of {size} bytes")
        raw = self._memory(data, counts[0] * size) if counts[0] else b""
        return tuple(read_status(raw[at : at + size]) for at in range(0, len(raw), size))

    # ------------------------------------------------------------------------------------------------------- details

    def _pointer(self, image: bytes) -> int:
        pointer: int
        (pointer,) = _POINTER.unpack_from(image, 8)
        return pointer

    def _pointer_at(self, address: int) -> int:
        if not address:
            raise ImageError("a null reference")
        pointer: int
        (pointer,) = _POINTER.unpack(self._memory(address, 4))
        return pointer

    def _at(self, image: bytes, count: int) -> bytes:
        address = self._pointer(image)
        if not address:
            raise ImageError("a null reference")
        return self._memory(address, count)

    def _referenced(self, image: bytes, base: int) -> bytes:
        size = _ELEMENT_SIZES.get(base)
        if size is None:
            raise ImageError(f"VARTYPE {base} by reference")
        return self._at(image, size)

    def _scalar(self, base: int, payload: bytes) -> Variant:
        if base == VarType.VT_EMPTY:
            return EMPTY
        if base == VarType.VT_NULL:
            return Variant(base, None)
        if base == VarType.VT_VARIANT:
            return self.variant(payload)
        return Variant(_REPORTED.get(base, base), self._value(base, payload), data_type_of(base))

    def _value(self, base: int, payload: bytes) -> Scalar:
        form = _SCALARS.get(base)
        if form is not None:
            number: int | float
            (number,) = form.unpack_from(payload)
            return number
        if base == VarType.VT_BOOL:
            return bool(_SIGNED16.unpack_from(payload)[0])
        if base == VarType.VT_BSTR:
            return read_bstr(_POINTER.unpack_from(payload)[0], self._memory)
        if base == VarType.VT_DATE:
            return self._date(payload)
        if base == VarType.VT_CY:
            # Of integers, so that it is rounded once.
            amount: float = _CURRENCY.unpack_from(payload)[0] / 10_000
            return amount
        if base == VarType.VT_DECIMAL:
            return _decimal(payload)
        if base in (VT_DISPATCH, VT_UNKNOWN):
            # An object is no value, and its address nobody's business.
            return None
        return bytes(payload[:8])

    def _date(self, payload: bytes) -> int:
        (days,) = _DOUBLE.unpack_from(payload)
        try:
            return self.time_rules.from_date(days)
        except (TimeRangeError, OverflowError) as error:
            raise ImageError(f"VT_DATE: {error}") from None

    def _time(self, base: int, payload: bytes) -> int:
        if base == VarType.VT_DATE:
            return self._date(payload)
        if base in (VarType.VT_I8, VarType.VT_UI8, VarType.VT_FILETIME):
            try:
                return ticks_to_ns(_SCALARS[VarType.VT_UI8].unpack_from(payload)[0])
            except TimeRangeError as error:
                raise ImageError(f"VARTYPE {base} as a time: {error}") from None
        if base == VarType.VT_BSTR:
            try:
                return self.time_rules.from_text(read_bstr(_POINTER.unpack_from(payload)[0], self._memory))
            except ValueError:
                raise ImageError("VT_BSTR that is no time") from None
        raise ImageError(f"VARTYPE {base} as a time")

    def _bounds(self, pointer: int) -> tuple[tuple[int, ...], int, int]:
        """Counts of a SAFEARRAY's dimensions, first dimension first; size of an element; address of the first."""
        dimensions, _, size, _, data = _HEAD.unpack(self._memory(pointer, _HEAD.size))
        if not 0 < dimensions <= 64:
            raise ImageError(f"an array of {dimensions} dimensions")
        raw = self._memory(pointer + _HEAD.size, dimensions * _BOUND.size)
        counts = tuple(count for count, _ in _BOUND.iter_unpack(raw))[::-1]
        if math.prod(counts) * size > _MOST_BYTES:
            raise ImageError(f"an array of {math.prod(counts)} elements of {size} bytes")
        return counts, size, data

    def _array(self, pointer: int, base: int) -> Variant:
        vartype = VT_ARRAY | _REPORTED.get(base, base)
        data_type = data_type_of(base)
        if not pointer:
            return Variant(vartype, (), data_type)
        counts, size, data = self._bounds(pointer)
        expected = _ELEMENT_SIZES.get(base)
        if expected is not None and size != expected:
            raise ImageError(f"an array of VARTYPE {base} with elements of {size} bytes")
        total = math.prod(counts)
        raw = self._memory(data, total * size) if total else b""
        values = tuple(self._elements(base, raw, size))
        if len(counts) == 1:
            return Variant(vartype, values, data_type)
        return Variant(vartype, to_row_major(values, counts), data_type, counts)

    def _elements(self, base: int, raw: bytes, size: int) -> list[Scalar]:
        form = _SCALARS.get(base)
        if form is not None:
            return [number for (number,) in form.iter_unpack(raw)]
        pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
        if base == VarType.VT_VARIANT:
            return [_plain(self.variant(piece)) for piece in pieces]
        if base == VarType.VT_RECORD or base not in _ELEMENT_SIZES:
            return list(pieces)
        return [self._value(base, piece) for piece in pieces]


def _plain(variant: Variant) -> Scalar:
    if isinstance(variant.value, tuple):
        raise ImageError("an array within an array of VARIANTs")
    return variant.value


def _decimal(image: bytes) -> float:
    """DECIMAL overlays the whole VARIANT: scale at 2, sign at 3, the high 32 bits at 4, the low 64 at 8."""
    scale, sign, high, low = struct.unpack_from("<xxBBIQ", image)
    if scale > 28:
        raise ImageError(f"VT_DECIMAL with scale {scale}")
    number: float = (high << 64 | low) / 10**scale
    return -number if sign & 0x80 else number


def read_status(raw: bytes) -> MxStatus:
    """One MXSTATUS_PROXY, or the MxStatus that Suspend and Activate fill."""
    return MxStatus(*_STATUS.unpack_from(raw))


def to_row_major(values: tuple[Scalar, ...], counts: tuple[int, ...]) -> tuple[Scalar, ...]:
    """Elements with the first index running fastest, put so that the last one does."""
    return tuple(values[at] for at in _column_major_places(counts))


def to_column_major(values: tuple[Scalar, ...], counts: tuple[int, ...]) -> tuple[Scalar, ...]:
    """The other way round."""
    placed: list[Scalar] = [None] * len(values)
    for source, place in enumerate(_column_major_places(counts)):
        placed[place] = values[source]
    return tuple(placed)


def _column_major_places(counts: tuple[int, ...]) -> list[int]:
    """For each element in row-major order, where it stands in column-major order."""
    if 0 in counts:
        # However long the other dimensions are.
        return []
    places = [0]
    stride = 1
    for count in counts:
        places = [place + index * stride for place in places for index in range(count)]
        stride *= count
    return places
