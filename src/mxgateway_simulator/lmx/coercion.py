"""Values between VARIANTs and Galaxy data types: what a client may write, and what it gets to see."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from mxgateway_contract.filetime import filetime_to_ns
from mxgateway_contract.status import Detail
from mxgateway_protocol.variants import VT_ARRAY, DataType, Variant, VarType, data_type_of
from mxgateway_simulator.switches import Switches

_INT_MIN, _INT_MAX = -(1 << 31), (1 << 31) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A Time of the Galaxy is a FILETIME, and no calendar goes beyond the year 9999.
_FIRST_TIME_NS, _END_OF_TIMES_NS = filetime_to_ns(0), 253_402_300_800 * 10**9
_FLOAT_MAX = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
_TEXTS = frozenset({DataType.STRING, DataType.BIG_STRING, DataType.INTERNATIONALIZED_STRING})
_WHOLE_NUMBERS = frozenset(
    {
        DataType.INTEGER,
        DataType.STATUS_TYPE,
        DataType.DATA_TYPE_ENUM,
        DataType.SECURITY_CLASSIFICATION_ENUM,
        DataType.DATA_QUALITY_TYPE,
    }
)
_INTEGER_VARTYPES = frozenset(
    {
        VarType.VT_I1, VarType.VT_I2, VarType.VT_I4, VarType.VT_I8,
        VarType.VT_UI1, VarType.VT_UI2, VarType.VT_UI4, VarType.VT_UI8, VarType.VT_ERROR,
    }
)  # fmt: skip
_REAL_VARTYPES = frozenset({VarType.VT_R4, VarType.VT_R8, VarType.VT_DECIMAL, VarType.VT_CY})
_TIME_VARTYPES = frozenset({VarType.VT_DATE, VarType.VT_FILETIME})
_ELAPSED = re.compile(r"(?:(\d+)[ .])?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)")

_VARTYPES = {
    DataType.BOOLEAN: VarType.VT_BOOL,
    DataType.INTEGER: VarType.VT_I4,
    DataType.FLOAT: VarType.VT_R4,
    DataType.DOUBLE: VarType.VT_R8,
    DataType.STRING: VarType.VT_BSTR,
    DataType.TIME: VarType.VT_DATE,
    DataType.ELAPSED_TIME: VarType.VT_R8,
    DataType.REFERENCE_TYPE: VarType.VT_BSTR,
    DataType.STATUS_TYPE: VarType.VT_I4,
    DataType.DATA_TYPE_ENUM: VarType.VT_I4,
    DataType.SECURITY_CLASSIFICATION_ENUM: VarType.VT_I4,
    DataType.DATA_QUALITY_TYPE: VarType.VT_I4,
    DataType.QUALIFIED_ENUM: VarType.VT_I4,
    DataType.QUALIFIED_STRUCT: VarType.VT_BSTR,
    DataType.INTERNATIONALIZED_STRING: VarType.VT_BSTR,
    DataType.BIG_STRING: VarType.VT_BSTR,
}


class CoercionError(ValueError):
    """A value that the attribute's type does not take.

    Attributes:
        detail: INCORRECT_DATA_TYPE, UNABLE_TO_CONVERT_STRING, OVERFLOW, or DATA_OUT_OF_RANGE for an ordinal that the
            enumeration does not have.
    """

    def __init__(self, detail: int) -> None:
        self.detail = detail
        super().__init__(f"detail {detail}")


def vartype_of(data_type: int, switches: Switches) -> int:
    """The VARTYPE in which a scalar of the type is delivered."""
    if data_type == DataType.QUALIFIED_ENUM and switches.qualified_enum_as == "string":
        return VarType.VT_BSTR
    if data_type == DataType.TIME and switches.timestamp_vartype != "date":
        return VarType.VT_BSTR if switches.timestamp_vartype == "bstr" else VarType.VT_FILETIME
    return _VARTYPES.get(data_type, VarType.VT_I4)  # type: ignore[call-overload,no-any-return]


def told_type(data_type: int, switches: Switches) -> int:
    """The data type that an OnDataChange has: it carries none over COM, so the VARTYPE has to tell it."""
    if switches.event_data_type == "galaxy":
        return data_type
    return data_type_of(vartype_of(data_type, switches))


def outward(value: Any, data_type: int, is_array: bool, switches: Switches, enum: Sequence[str] = ()) -> Variant:
    """A plant value as LMXProxy delivers it."""
    vartype = vartype_of(data_type, switches)
    if vartype == VarType.VT_BSTR and data_type in (DataType.QUALIFIED_ENUM, DataType.TIME):
        spell = _time_text if data_type == DataType.TIME else lambda n: enum[n] if 0 <= n < len(enum) else str(n)
        value = tuple(spell(element) for element in value) if is_array else spell(value)
    if is_array:
        return Variant(VT_ARRAY | vartype, tuple(value), data_type)
    return Variant(vartype, value, data_type)


def _time_text(unix_ns: int) -> str:
    seconds, rest = divmod(unix_ns, 10**9)
    # Not fromtimestamp, which takes no time before 1970 on Windows.
    moment = _EPOCH + timedelta(seconds=seconds, milliseconds=rest // 10**6)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def coerce_array(variant: Variant, data_type: int, enum: Sequence[str] = (), *, exact: bool = False) -> tuple[Any, ...]:
    """The elements of a typed SAFEARRAY for an array attribute; elements must be of the attribute's family.

    Args:
        exact: elements must be of the very VARTYPE in which the attribute is delivered.

    Raises:
        CoercionError: it is no array, one of VARIANTs, or one of another family.
    """
    element = variant.vartype & ~VT_ARRAY
    if not variant.is_array or not isinstance(variant.value, tuple) or element == VarType.VT_VARIANT:
        raise CoercionError(Detail.INCORRECT_DATA_TYPE)
    if len(variant.dimensions) > 1:  # attributes have one dimension
        raise CoercionError(Detail.INCORRECT_DATA_TYPE)
    if exact and element != _VARTYPES.get(DataType(data_type)):
        raise CoercionError(Detail.INCORRECT_DATA_TYPE)
    if variant.value and not _same_family(element, data_type):
        raise CoercionError(Detail.INCORRECT_DATA_TYPE)
    return tuple(coerce(Variant(element, value), data_type, enum) for value in variant.value)


def _same_family(vartype: int, data_type: int) -> bool:
    if data_type in _WHOLE_NUMBERS:
        return vartype in _INTEGER_VARTYPES
    if data_type in (DataType.FLOAT, DataType.DOUBLE):
        return vartype in _REAL_VARTYPES
    if data_type == DataType.ELAPSED_TIME:
        return vartype in _REAL_VARTYPES or vartype in _INTEGER_VARTYPES
    if data_type == DataType.BOOLEAN:
        return vartype == VarType.VT_BOOL
    if data_type == DataType.TIME:
        return vartype in _TIME_VARTYPES or vartype in (VarType.VT_I8, VarType.VT_BSTR)
    if data_type == DataType.QUALIFIED_ENUM:
        return vartype in _INTEGER_VARTYPES or vartype == VarType.VT_BSTR
    return vartype == VarType.VT_BSTR


def coerce(variant: Variant, data_type: int, enum: Sequence[str] = ()) -> Any:
    """A scalar VARIANT as a value of the type.

    Raises:
        CoercionError: the type does not take it.
    """
    vartype, value = variant.vartype, variant.value
    if isinstance(value, tuple) or vartype & VT_ARRAY or value is None or isinstance(value, bytes):
        raise CoercionError(Detail.INCORRECT_DATA_TYPE)
    if isinstance(value, float) and not math.isfinite(value):
        raise CoercionError(Detail.INCORRECT_DATA_TYPE)
    if data_type in _TEXTS:
        return _text(vartype, value)
    if data_type == DataType.BOOLEAN:
        return _boolean(vartype, value)
    if data_type in _WHOLE_NUMBERS:
        return _integer(vartype, value)
    if data_type in (DataType.FLOAT, DataType.DOUBLE):
        return _real(vartype, value, data_type)
    if data_type == DataType.TIME:
        return _time(vartype, value)
    if data_type == DataType.ELAPSED_TIME:
        return _elapsed(vartype, value)
    if data_type == DataType.QUALIFIED_ENUM:
        return _ordinal(vartype, value, enum)
    if data_type == DataType.REFERENCE_TYPE and isinstance(value, str):
        return value
    raise CoercionError(Detail.INCORRECT_DATA_TYPE)


def is_wide_integer(variant: Variant) -> bool:
    """Whether it is an integer, or an array of them, that MXAccess does not take as one of 32 bits with a sign."""
    element = variant.vartype & ~VT_ARRAY
    if element in (VarType.VT_I8, VarType.VT_UI8):
        return True
    values = variant.value if isinstance(variant.value, tuple) else (variant.value,)
    return element == VarType.VT_UI4 and any(type(value) is int and value > _INT_MAX for value in values)


def _text(vartype: int, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if vartype in _TIME_VARTYPES:
        return _time_text(value)
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _boolean(vartype: int, value: Any) -> bool:
    if isinstance(value, str):
        known = {"true": True, "1": True, "-1": True, "yes": True, "on": True}
        known.update({"false": False, "0": False, "no": False, "off": False})
        try:
            return known[value.strip().lower()]
        except KeyError:
            raise CoercionError(Detail.UNABLE_TO_CONVERT_STRING) from None
    if vartype in _TIME_VARTYPES:
        raise CoercionError(Detail.INCORRECT_DATA_TYPE)
    return bool(value)


def _number(vartype: int, value: Any) -> int | float:
    if vartype in _TIME_VARTYPES:
        raise CoercionError(Detail.INCORRECT_DATA_TYPE)
    if not isinstance(value, str):
        return value if isinstance(value, (int, float)) else 0
    text = value.strip()
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        raise CoercionError(Detail.UNABLE_TO_CONVERT_STRING) from None
    if not math.isfinite(number):
        raise CoercionError(Detail.UNABLE_TO_CONVERT_STRING)
    return number


def _integer(vartype: int, value: Any) -> int:
    # Halves go to the even neighbour, as VariantChangeType does it.
    number = round(_number(vartype, value))
    if not _INT_MIN <= number <= _INT_MAX:
        raise CoercionError(Detail.OVERFLOW)
    return number


def _real(vartype: int, value: Any, data_type: int) -> float:
    try:
        number = float(_number(vartype, value))
    except OverflowError:
        raise CoercionError(Detail.OVERFLOW) from None
    if data_type == DataType.DOUBLE:
        return number
    if abs(number) > _FLOAT_MAX:
        raise CoercionError(Detail.OVERFLOW)
    return float(struct.unpack("<f", struct.pack("<f", number))[0])


def _time(vartype: int, value: Any) -> int:
    unix_ns = _unix_ns(vartype, value)
    if not _FIRST_TIME_NS <= unix_ns < _END_OF_TIMES_NS:
        raise CoercionError(Detail.OVERFLOW)
    return unix_ns


def _unix_ns(vartype: int, value: Any) -> int:
    if vartype in _TIME_VARTYPES:
        return int(value)
    if vartype in (VarType.VT_I8, VarType.VT_UI8) and value >= 0:
        return filetime_to_ns(value)
    if not isinstance(value, str):
        raise CoercionError(Detail.INCORRECT_DATA_TYPE)
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise CoercionError(Detail.UNABLE_TO_CONVERT_STRING) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    difference = moment - _EPOCH
    return (difference.days * 86400 + difference.seconds) * 10**9 + difference.microseconds * 1000


def _elapsed(vartype: int, value: Any) -> float:
    match = _ELAPSED.fullmatch(value.strip()) if isinstance(value, str) else None
    if match:
        return int(match[1] or 0) * 86400 + int(match[2]) * 3600 + int(match[3]) * 60 + float(match[4])
    return _real(vartype, value, DataType.DOUBLE)


def _ordinal(vartype: int, value: Any, enum: Sequence[str]) -> int:
    # The product refuses a Boolean for an enumeration, although it would take the numbers 0 and 1.
    if isinstance(value, bool) or vartype in _TIME_VARTYPES:
        raise CoercionError(Detail.INCORRECT_DATA_TYPE)
    if isinstance(value, str):
        for ordinal, name in enumerate(enum):
            if name.casefold() == value.strip().casefold():
                return ordinal
    ordinal = _integer(vartype, value)
    if enum and not 0 <= ordinal < len(enum):
        raise CoercionError(Detail.DATA_OUT_OF_RANGE)
    return ordinal
