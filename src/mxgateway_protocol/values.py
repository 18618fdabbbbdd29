"""Values between the contract's MxValue and the VARIANTs of a backend.

Outwards nothing is lost and nothing raises: what no arm of MxValue holds exactly travels as `raw_value` with a
`raw_diagnostic`. Inwards, which is to say for writes, a value becomes the VARIANT that MXAccess expects, or is refused.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from mxgateway_contract.filetime import NS_PER_SECOND, filetime_to_ns
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.variants import VT_ARRAY, DataType, Scalar, Variant, VarType, vartype_name

_WIRE_OFFSET = 2
# VT_DATE counts days from 1899-12-30 and covers the years 100 to 9999.
_FIRST_DATE, _END_OF_DATES = -59011459200, 253402300800

VT = VarType


def _is_int32(number: int) -> bool:
    return -(2**31) <= number < 2**31


def _is_int64(number: int) -> bool:
    return -(2**63) <= number < 2**63


class ValueConversionError(ValueError):
    """A value of the contract that no VARIANT of MXAccess stands for; the text says why."""


# ---------------------------------------------------------------------------------------------------------- data types


def data_type_to_wire(data_type: int) -> pb.MxDataType.ValueType:
    """The contract's MxDataType: the native number plus 2; UNKNOWN for numbers beyond the list."""
    known = DataType.UNKNOWN <= data_type <= DataType.BIG_STRING
    return pb.MxDataType.ValueType(data_type + _WIRE_OFFSET if known else pb.MX_DATA_TYPE_UNKNOWN)


def data_type_from_wire(data_type: int) -> int:
    """The native number; UNKNOWN for unspecified."""
    return data_type - _WIRE_OFFSET if data_type > pb.MX_DATA_TYPE_UNKNOWN else int(DataType.UNKNOWN)


def timestamp_to_ns(timestamp: Timestamp) -> int:
    return timestamp.seconds * NS_PER_SECOND + timestamp.nanos


def timestamp_from_ns(unix_ns: int) -> Timestamp:
    seconds, nanos = divmod(unix_ns, NS_PER_SECOND)
    return Timestamp(seconds=seconds, nanos=nanos)


# ------------------------------------------------------------------------------------------------------------ outwards

_SIGNED32 = frozenset((VT.VT_I1, VT.VT_I2, VT.VT_I4, VT.VT_UI1, VT.VT_UI2, VT.VT_ERROR))
_SIGNED64 = frozenset((VT.VT_UI4, VT.VT_I8, VT.VT_UI8))
_TIMES = frozenset((VT.VT_DATE, VT.VT_FILETIME))
_DOUBLES = frozenset((VT.VT_R8, VT.VT_CY, VT.VT_DECIMAL))
_NULLS = frozenset((VT.VT_EMPTY, VT.VT_NULL))

# Oneof arms of MxValue and of MxArray, without their endings `_value` and `_values`.
_ARMS: dict[int, str] = {
    **dict.fromkeys(_SIGNED32, "int32"),
    **dict.fromkeys(_SIGNED64, "int64"),
    **dict.fromkeys(_TIMES, "timestamp"),
    **dict.fromkeys(_DOUBLES, "double"),
    VT.VT_R4: "float",
    VT.VT_BOOL: "bool",
    VT.VT_BSTR: "string",
}


def _arm_of(base: int, data_type: int) -> str:
    if base == VT.VT_I8 and data_type == DataType.TIME:
        # FILETIME ticks in a 64-bit integer. Only there: a 32-bit number with type Time stays a number.
        return "filetime"
    return _ARMS.get(base, "raw")


def _is_time(value: Scalar) -> bool:
    return type(value) is int and _is_int64(value // NS_PER_SECOND)


def _is_utf8(value: Scalar) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_float32(value: Scalar) -> bool:
    if not isinstance(value, float):
        return False
    try:
        struct.pack("<f", value)
    except OverflowError:
        return False
    return True


_FITS: dict[str, Callable[[Scalar], bool]] = {
    "bool": lambda value: isinstance(value, bool),
    "int32": lambda value: type(value) is int and _is_int32(value),
    "int64": lambda value: type(value) is int and _is_int64(value),
    "filetime": lambda value: type(value) is int and _is_int64(value),
    "float": _is_float32,
    "double": lambda value: isinstance(value, float),
    "string": _is_utf8,
    "timestamp": _is_time,
    "raw": lambda value: isinstance(value, bytes),
}


def raw_bytes(value: Scalar) -> bytes:
    """A value that no arm holds, as bytes: bytes as they are, everything else as UTF-8 text."""
    if isinstance(value, bytes):
        return value
    return str(value).encode(errors="backslashreplace")


def _diagnosis(vartype: int, value: object) -> str:
    return f"{vartype_name(vartype)} with a {type(value).__name__} has no exact form in the contract"


def to_wire(variant: Variant) -> pb.MxValue:
    """The contract's form of a VARIANT; never raises."""
    vartype, data_type = variant.vartype, variant.data_type
    message = pb.MxValue(
        data_type=data_type_to_wire(data_type), variant_type=vartype_name(vartype), raw_data_type=_int32(data_type)
    )
    value = variant.value
    if vartype in _NULLS or value is None:
        message.is_null = True
        return message
    if variant.is_array:
        if isinstance(value, tuple):
            message.array_value.CopyFrom(array_to_wire(variant, value))
        else:
            message.raw_value = raw_bytes(value)
            message.raw_diagnostic = _diagnosis(vartype, value)
        return message
    if isinstance(value, tuple):
        message.raw_value = repr(value).encode(errors="backslashreplace")
        message.raw_diagnostic = _diagnosis(vartype, value)
        return message
    arm = _arm_of(vartype, data_type)
    if not _FITS[arm](value):
        arm = "raw"
    if arm == "raw":
        message.raw_value = raw_bytes(value)
        message.raw_diagnostic = _diagnosis(vartype, value)
    elif arm in ("timestamp", "filetime"):
        assert isinstance(value, int)
        message.timestamp_value.CopyFrom(timestamp_from_ns(filetime_to_ns(value) if arm == "filetime" else value))
    else:
        setattr(message, f"{arm}_value", value)
    return message


def _int32(number: int) -> int:
    return number if _is_int32(number) else -1


_DEFAULTS: dict[str, Scalar] = {"bool": False, "int32": 0, "int64": 0, "float": 0.0, "double": 0.0, "string": ""}


def array_to_wire(variant: Variant, values: tuple[Scalar, ...]) -> pb.MxArray:
    data_type = variant.data_type
    message = pb.MxArray(
        element_data_type=data_type_to_wire(data_type),
        variant_type=vartype_name(variant.vartype),
        dimensions=variant.dimensions or [len(values)],
        raw_element_data_type=_int32(data_type),
    )
    base = variant.vartype & ~VT_ARRAY
    arm = _arm_of_variants(values) if base == VT.VT_VARIANT else _arm_of(base, data_type)
    fits = _FITS[arm]
    if not all(map(fits, values)):
        missing = values.count(None)
        default = _DEFAULTS.get(arm)
        if missing and default is not None and all(value is None or fits(value) for value in values):
            message.raw_diagnostic = f"{missing} elements are null and stand as the type's default"
            values = tuple(default if value is None else value for value in values)
        else:
            arm = "raw"
            message.raw_diagnostic = f"{vartype_name(variant.vartype)} with elements of no one type of the contract"
    if arm == "raw":
        message.raw_values.values.extend(map(raw_bytes, values))
    elif arm in ("timestamp", "filetime"):
        convert = filetime_to_ns if arm == "filetime" else int
        # An empty array still sets its arm.
        message.timestamp_values.SetInParent()
        message.timestamp_values.values.extend(timestamp_from_ns(convert(value)) for value in values)  # type: ignore[arg-type]
    else:
        target = getattr(message, f"{arm}_values")
        target.SetInParent()
        target.values.extend(values)
    return message


def _arm_of_variants(values: tuple[Scalar, ...]) -> str:
    """The one arm for a SAFEARRAY of VARIANTs, when its elements have one."""
    for arm in ("bool", "int32", "int64", "double", "string"):
        if all(value is None or _FITS[arm](value) for value in values):
            return arm
    return "raw"


# ------------------------------------------------------------------------------------------------------------- inwards

# VARTYPEs that a value may ask for by its variant_type, beside the one its arm stands for.
_NARROW: dict[str, tuple[int, int]] = {
    "VT_I1": (-(2**7), 2**7),
    "VT_I2": (-(2**15), 2**15),
    "VT_UI1": (0, 2**8),
    "VT_UI2": (0, 2**16),
}
_BY_NAME = {vartype_name(vartype): vartype for vartype in VarType}


def from_wire(message: pb.MxValue) -> Variant:
    """The VARIANT that a value to be written becomes.

    Integers become VT_I4 wherever they fit, also when they came as 64 bits, because MXAccess takes no VT_I8; larger
    ones stay VT_I8 (or VT_UI4 when they say so) and MXAccess answers. Null and unset become VT_EMPTY or VT_NULL, which
    MXAccess refuses itself.

    Raises:
        ValueConversionError: NaN, infinities, raw and sparse values, times beyond VT_DATE, arrays that contradict
            themselves.
    """
    data_type = data_type_from_wire(message.data_type)
    arm = message.WhichOneof("kind")
    if arm is None or message.is_null:
        vartype = VT.VT_NULL if message.variant_type == "VT_NULL" else VT.VT_EMPTY
        return Variant(vartype, None, data_type)
    if arm == "array_value":
        return _array_from_wire(message.array_value, data_type)
    if arm == "sparse_array_value":
        raise ValueConversionError("a sparse array is expanded by the gateway and has no VARIANT of its own")
    if arm == "raw_value":
        raise ValueConversionError("a raw value cannot be written; give it a type")
    value: Any = getattr(message, arm)
    return _scalar_from_wire(arm.removesuffix("_value"), value, message.variant_type, data_type)


def _scalar_from_wire(arm: str, value: Any, wanted: str, data_type: int) -> Variant:
    if arm in ("int32", "int64"):
        return Variant(_integer_type((value,), wanted), value, data_type)
    if arm == "timestamp":
        return Variant(VT.VT_FILETIME if wanted == "VT_FILETIME" else VT.VT_DATE, _checked_time(value), data_type)
    if arm in ("float", "double"):
        _check_finite((value,))
        return Variant(VT.VT_R4 if arm == "float" else VT.VT_R8, value, data_type)
    return Variant(VT.VT_BOOL if arm == "bool" else VT.VT_BSTR, value, data_type)


def _integer_type(values: Sequence[int], wanted: str) -> int:
    """The VARTYPE for integers: the wanted narrow one, else 32 bits, else 64 when any needs them."""
    narrow = _NARROW.get(wanted)
    if narrow is not None and all(narrow[0] <= value < narrow[1] for value in values):
        return _BY_NAME[wanted]
    if all(map(_is_int32, values)):
        return VT.VT_I4
    if wanted == "VT_UI4" and all(0 <= value < 2**32 for value in values):
        return VT.VT_UI4
    return VT.VT_I8


def _check_finite(values: Sequence[float]) -> None:
    if not all(map(math.isfinite, values)):
        raise ValueConversionError("NaN and infinities cannot be written")


def _checked_time(timestamp: Timestamp) -> int:
    if not _FIRST_DATE <= timestamp.seconds < _END_OF_DATES or not 0 <= timestamp.nanos < NS_PER_SECOND:
        raise ValueConversionError("a time outside the years 100 to 9999 cannot be written")
    return timestamp_to_ns(timestamp)


def _array_from_wire(message: pb.MxArray, outer_data_type: int) -> Variant:
    data_type = data_type_from_wire(message.element_data_type)
    if data_type == DataType.UNKNOWN:
        data_type = outer_data_type
    arm = message.WhichOneof("values")
    if arm is None:
        raise ValueConversionError("an array without elements of any type; set one of its value lists")
    if arm == "raw_values":
        raise ValueConversionError("raw values cannot be written; give them a type")
    values: tuple[Any, ...] = tuple(getattr(message, arm).values)
    dimensions = tuple(message.dimensions)
    if dimensions and math.prod(dimensions) != len(values):
        raise ValueConversionError(f"an array of {len(values)} elements with the dimensions {list(dimensions)}")
    kind = arm.removesuffix("_values")
    wanted = message.variant_type.rpartition("|")[2]
    if kind in ("int32", "int64"):
        base = _integer_type(values, wanted)
    elif kind == "timestamp":
        base = VT.VT_FILETIME if wanted == "VT_FILETIME" else VT.VT_DATE
        values = tuple(map(_checked_time, values))
    elif kind in ("float", "double"):
        _check_finite(values)
        base = VT.VT_R4 if kind == "float" else VT.VT_R8
    else:
        base = VT.VT_BOOL if kind == "bool" else VT.VT_BSTR
    return Variant(VT_ARRAY | base, values, data_type, dimensions if len(dimensions) > 1 else ())
