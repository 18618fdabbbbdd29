"""Values on their way into MXAccess: VARIANT images, with the BSTRs and SAFEARRAYs that they point to. Pure but for the
allocator, which is COM's own there and an arena in tests."""

from __future__ import annotations

import decimal
import struct
from typing import Protocol

from mxgateway_contract import hresults
from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.variants import VT_ARRAY, Scalar, Variant, VarType, vartype_name
from mxgateway_worker.backends.com.images import VARIANT_SIZE, to_column_major
from mxgateway_worker.backends.com.times import TimeRules

EMPTY_IMAGE = bytes(VARIANT_SIZE)

_FORMS: dict[int, str] = {
    VarType.VT_I2: "h", VarType.VT_I4: "i", VarType.VT_R4: "f", VarType.VT_R8: "d", VarType.VT_ERROR: "i",
    VarType.VT_I1: "b", VarType.VT_UI1: "B", VarType.VT_UI2: "H", VarType.VT_UI4: "I", VarType.VT_I8: "q",
    VarType.VT_UI8: "Q",
}  # fmt: skip
_INTEGERS = frozenset("hibBHIqQ")


class Allocator(Protocol):
    """COM's memory, as far as values need it; addresses are numbers."""

    def bstr(self, text: str) -> int:
        """SysAllocStringLen; whoever gets it owns it."""

    def array(self, vartype: int, counts: tuple[int, ...]) -> tuple[int, int]:
        """SafeArrayCreate with lower bounds 0, zeroed: the array, and where its elements stand."""

    def store(self, address: int, data: bytes) -> None:
        """Copies bytes into memory that this allocator gave."""

    def clear(self, image: bytes) -> None:
        """VariantClear: frees what an image points to."""


class ValueWriter:
    """Makes images of values; each must be cleared after the call, also when the call failed."""

    def __init__(self, allocator: Allocator, times: TimeRules) -> None:
        self._allocator = allocator
        self._times = times

    def image(self, variant: Variant) -> bytes:
        """The 16 bytes of a VARIANT.

        Raises:
            MxComError: E_INVALIDARG, a value that its VARTYPE cannot hold; nothing stays allocated.
        """
        try:
            return self._array(variant) if variant.is_array else self._scalar(variant.vartype, variant.value)
        except (struct.error, TypeError, ArithmeticError, ValueError) as error:
            text = f"a value that {vartype_name(variant.vartype)} cannot hold: {error}"
            raise MxComError(hresults.E_INVALIDARG, text) from None

    def _scalar(self, vartype: int, value: object) -> bytes:
        if vartype in (VarType.VT_EMPTY, VarType.VT_NULL):
            return _variant(vartype, b"")
        if vartype == VarType.VT_FILETIME:
            # No legal type of a VARIANT; MXAccess takes the date.
            vartype = VarType.VT_DATE
        if vartype == VarType.VT_DECIMAL:
            return _decimal(_number(value))
        return _variant(vartype, self._payload(vartype, value))

    def _payload(self, vartype: int, value: object) -> bytes:
        form = _FORMS.get(vartype)
        if form is not None:
            if form in _INTEGERS and not isinstance(value, int):
                raise TypeError(f"a {type(value).__name__} is no integer")
            return struct.pack("<" + form, value)
        if vartype == VarType.VT_BOOL:
            # VARIANT_TRUE is -1 and nothing else.
            return struct.pack("<h", -1 if value else 0)
        if vartype == VarType.VT_BSTR:
            if not isinstance(value, str):
                raise TypeError(f"a {type(value).__name__} is no text")
            return struct.pack("<I", self._allocator.bstr(value))
        if vartype in (VarType.VT_DATE, VarType.VT_FILETIME):
            if not isinstance(value, int):
                raise TypeError(f"a {type(value).__name__} is no time")
            return struct.pack("<d", self._times.to_date(value))
        if vartype == VarType.VT_CY:
            amount = int((decimal.Decimal(repr(_number(value))) * 10_000).to_integral_value())
            return struct.pack("<q", _nearest(amount, 10_000, -(1 << 63), (1 << 63) - 1))
        raise TypeError("MXAccess takes no such value")

    def _array(self, variant: Variant) -> bytes:
        base = variant.vartype & ~VT_ARRAY
        if base == VarType.VT_FILETIME:
            base = VarType.VT_DATE
        values = variant.value
        if not isinstance(values, tuple):
            raise TypeError(f"a {type(values).__name__} is no array")
        if base not in _FORMS and base not in (VarType.VT_BOOL, VarType.VT_BSTR, VarType.VT_DATE, VarType.VT_CY):
            raise TypeError("MXAccess takes no such array")
        counts = variant.dimensions or (len(values),)
        if len(counts) > 1:
            values = to_column_major(values, counts)
        if base == VarType.VT_BSTR:
            return self._texts(values, counts)
        elements = b"".join([self._payload(base, value) for value in values])
        array, data = self._allocator.array(base, counts)
        if elements:
            self._allocator.store(data, elements)
        return _variant(VT_ARRAY | base, struct.pack("<I", array))

    def _texts(self, values: tuple[Scalar, ...], counts: tuple[int, ...]) -> bytes:
        """The array owns its texts from the first on, so that clearing it frees them all wherever it ends."""
        array, data = self._allocator.array(VarType.VT_BSTR, counts)
        image = _variant(VT_ARRAY | VarType.VT_BSTR, struct.pack("<I", array))
        try:
            for place, value in enumerate(values):
                self._allocator.store(data + 4 * place, self._payload(VarType.VT_BSTR, value))
        except BaseException:
            self._allocator.clear(image)
            raise
        return image


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"a {type(value).__name__} is no number")
    return float(value)


def _nearest(number: int, unit: int, least: int, most: int) -> int:
    """The number, or the end of the range where both are one double: what was read there can be written again."""
    for end in (least, most):
        if not least <= number <= most and number / unit == end / unit:
            return end
    return number


def _variant(vartype: int, payload: bytes) -> bytes:
    return struct.pack("<HHHH", vartype, 0, 0, 0) + payload.ljust(8, b"\0")


def _decimal(value: float) -> bytes:
    """DECIMAL overlays the whole VARIANT: scale at 2, sign at 3, the high 32 bits at 4, the low 64 at 8."""
    sign, digits, exponent = decimal.Decimal(repr(value)).as_tuple()
    if not isinstance(exponent, int):
        raise OverflowError("not a finite number")
    number = int("".join(map(str, digits)))
    if exponent > 0:
        number, exponent = number * 10**exponent, 0
    if exponent < -28:
        # VT_DECIMAL has 28 places; what lies behind them is lost, as in VariantChangeType.
        number, exponent = round(number / 10 ** (-28 - exponent)), -28
    number = _nearest(number, 10**-exponent, 0, (1 << 96) - 1)
    if number >= 1 << 96:
        raise OverflowError("more than 96 bits")
    return struct.pack(
        "<HBBIQ", VarType.VT_DECIMAL, -exponent, 0x80 if sign else 0, number >> 64, number & (1 << 64) - 1
    )
