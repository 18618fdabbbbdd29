"""Python values as MxValue; `received_values` is the way back.

| Python | MxValue arm | VARTYPE | MxDataType |
|---|---|---|---|
| None | none, is_null | VT_EMPTY | NO_DATA |
| bool | bool_value | VT_BOOL | BOOLEAN |
| int within 32 bits | int32_value | VT_I4 | INTEGER |
| int within 64 bits | int64_value | VT_I8 | INTEGER |
| float (`float32` of numpy: float_value, VT_R4, FLOAT) | double_value | VT_R8 | DOUBLE |
| str | string_value | VT_BSTR | STRING |
| aware datetime | timestamp_value | VT_DATE | TIME |
| timedelta | double_value, seconds | VT_R8 | ELAPSED_TIME |
| bytes | raw_value | VT_RECORD | UNKNOWN |
| OutOfRangeValue | what it was made of | | |
| list, tuple, numpy array | array_value of the elements' type | VT_ARRAY and theirs | theirs |

What counts is the value, never its display text: an enumeration that is a str, an int or a float is written as the
text or number that it is, and so is any other subclass.

MXAccess delivers 16- and 32-bit integers, so a value beyond 32 bits is for attributes that are known to take it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp

from mxgateway.received_values import OutOfRangeValue
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

MxPython: TypeAlias = Any
"""bool, int, float, str, bytes, datetime, timedelta, None, or a (nested) list of one of them."""

_INT32 = (-(2**31), 2**31 - 1)
_INT64 = (-(2**63), 2**63 - 1)
_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLOAT_MAX = 3.4028234663852886e38


class _Form(NamedTuple):
    """How one scalar type travels."""

    arm: str
    array: str
    vartype: str
    data_type: pb.MxDataType.ValueType


_FORMS = {
    "bool": _Form("bool_value", "bool_values", "VT_BOOL", pb.MX_DATA_TYPE_BOOLEAN),
    "int32": _Form("int32_value", "int32_values", "VT_I4", pb.MX_DATA_TYPE_INTEGER),
    "int64": _Form("int64_value", "int64_values", "VT_I8", pb.MX_DATA_TYPE_INTEGER),
    "float": _Form("float_value", "float_values", "VT_R4", pb.MX_DATA_TYPE_FLOAT),
    "double": _Form("double_value", "double_values", "VT_R8", pb.MX_DATA_TYPE_DOUBLE),
    "string": _Form("string_value", "string_values", "VT_BSTR", pb.MX_DATA_TYPE_STRING),
    "timestamp": _Form("timestamp_value", "timestamp_values", "VT_DATE", pb.MX_DATA_TYPE_TIME),
    "elapsed": _Form("double_value", "double_values", "VT_R8", pb.MX_DATA_TYPE_ELAPSED_TIME),
    "raw": _Form("raw_value", "raw_values", "VT_RECORD", pb.MX_DATA_TYPE_UNKNOWN),
}

TYPE_NAMES = tuple(name for name in _FORMS if name != "raw")
"""Names that `data_type` takes, each also with `[]` for an array."""

_NAME_OF_DATA_TYPE: dict[int, str] = {
    pb.MX_DATA_TYPE_BOOLEAN: "bool",
    pb.MX_DATA_TYPE_INTEGER: "int",
    pb.MX_DATA_TYPE_FLOAT: "float",
    pb.MX_DATA_TYPE_DOUBLE: "double",
    pb.MX_DATA_TYPE_STRING: "string",
    pb.MX_DATA_TYPE_TIME: "timestamp",
    pb.MX_DATA_TYPE_ELAPSED_TIME: "elapsed",
    pb.MX_DATA_TYPE_REFERENCE_TYPE: "string",
    pb.MX_DATA_TYPE_STATUS_TYPE: "int",
    pb.MX_DATA_TYPE_DATA_TYPE_ENUM: "int",
    pb.MX_DATA_TYPE_SECURITY_CLASSIFICATION_ENUM: "int",
    pb.MX_DATA_TYPE_DATA_QUALITY_TYPE: "int",
    pb.MX_DATA_TYPE_QUALIFIED_ENUM: "int",
    pb.MX_DATA_TYPE_INTERNATIONALIZED_STRING: "string",
    pb.MX_DATA_TYPE_BIG_STRING: "string",
}


def to_mx_value(value: MxPython, *, data_type: str | int | None = None) -> pb.MxValue:
    """The MxValue of a Python value.

    Args:
        value: see the table of this module; an MxValue is returned as it is, an MxSparseArray is wrapped.
        data_type: None takes the type from the value. Else one of TYPE_NAMES (with `[]` for an array), or a number of
            the MxDataType enum; the value has to fit it. Needed for an empty list.

    Raises:
        ValueError: NaN or infinity (MXAccess has no form for them), an integer beyond 64 bits or beyond the asked
            type, a datetime without time zone (it would be ambiguous), an empty list without `data_type`, ragged rows.
        TypeError: a type without a form in MXAccess, or one that does not fit `data_type`; a list of mixed types.
    """
    if isinstance(value, pb.MxValue):
        return value
    if isinstance(value, pb.MxSparseArray):
        return pb.MxValue(data_type=value.element_data_type, sparse_array_value=value)
    value, hinted = _plain(value)
    asked, is_array, number = _asked(data_type)
    if value is None:
        return pb.MxValue(data_type=number or pb.MX_DATA_TYPE_NO_DATA, variant_type="VT_EMPTY", is_null=True)
    if isinstance(value, list | tuple):
        if asked is not None and is_array is False:
            raise TypeError(f"a list does not fit data_type {data_type!r}; {asked}[] is the array")
        return _array(value, asked or hinted, number)
    if is_array:
        raise TypeError(f"data_type {data_type!r} needs a list, not {type(value).__name__}")
    name = _scalar_name(value, asked or hinted)
    form = _FORMS[name]
    result = pb.MxValue(data_type=number or form.data_type, variant_type=form.vartype)
    converted = _convert(value, name)
    if isinstance(converted, Timestamp):
        result.timestamp_value.CopyFrom(converted)
    else:
        setattr(result, form.arm, converted)
    return result


def to_timestamp(moment: datetime) -> Timestamp:
    """The protobuf Timestamp of an aware datetime.

    Raises:
        ValueError: the datetime has no time zone.
    """
    if moment != moment:
        raise ValueError("NaT is no time, so it cannot be written")
    if moment.tzinfo is None:
        raise ValueError(
            f"{moment!r} has no time zone, so its moment is ambiguous; use datetime.now(timezone.utc) or .astimezone()"
        )
    # The methods of datetime itself: a subclass may show another time than it holds.
    try:
        since = datetime.astimezone(moment, UTC) - _EPOCH
    except OverflowError:
        raise ValueError(f"{moment!r} is beyond the years 1 to 9999 in UTC") from None
    nanoseconds = getattr(moment, "nanosecond", 0)
    seconds = since.days * 86_400 + since.seconds
    return Timestamp(seconds=seconds, nanos=since.microseconds * 1000 + nanoseconds)


def _plain(value: Any) -> tuple[Any, str | None]:
    """numpy scalars and arrays as plain Python, with the type name that their dtype asks for; numpy is not imported."""
    if isinstance(value, list | tuple) and any(
        isinstance(element, list | tuple) or hasattr(element, "dtype") for element in value
    ):
        plain_elements, hints = zip(*map(_plain, value), strict=True)
        return list(plain_elements), "float" if all(hint == "float" for hint in hints) else None
    kind = getattr(value, "dtype", None)
    if kind is None or type(value).__module__.partition(".")[0] != "numpy":
        return value, None
    if kind.kind == "M":
        # datetime64 is UTC by definition, it only does not say so.
        return _each(value.astype("datetime64[us]").tolist(), _utc), None
    if kind.kind == "m":
        return _each(value.astype("timedelta64[us]").tolist(), _duration), None
    if kind.kind == "O":
        # Whatever was put into it, numpy's own scalars among them.
        return _plain(value.tolist())
    if kind.kind == "f" and kind.itemsize > 8:
        value = value.astype("float64")
    return value.tolist(), "float" if kind.kind == "f" and kind.itemsize <= 4 else None


def _each(value: Any, convert: Callable[[Any], Any]) -> Any:
    return [_each(element, convert) for element in value] if isinstance(value, list) else convert(value)


def _utc(value: Any) -> datetime:
    # numpy gives None for NaT, and a bare number for what Python cannot hold.
    if not isinstance(value, datetime):
        raise ValueError("NaT or a time beyond the years 1 to 9999 cannot be written")  # noqa: TRY004
    return value.replace(tzinfo=UTC)


def _duration(value: Any) -> timedelta:
    if not isinstance(value, timedelta):
        raise ValueError("NaT or a duration beyond 999,999,999 days cannot be written")  # noqa: TRY004
    return value


def _asked(data_type: str | int | None) -> tuple[str | None, bool | None, pb.MxDataType.ValueType | None]:
    """Type name, whether an array is asked for (None: either), and the MxDataType number when one was given."""
    if data_type is None:
        return None, None, None
    if isinstance(data_type, str):
        name = data_type.removesuffix("[]")
        if name not in _FORMS:
            raise ValueError(f"data_type {data_type!r} is none of {', '.join(TYPE_NAMES)} (with [] for arrays)")
        return name, data_type.endswith("[]"), None
    if data_type not in _NAME_OF_DATA_TYPE:
        raise ValueError(f"data_type {data_type!r} is no MxDataType that can be written")
    return _NAME_OF_DATA_TYPE[data_type], None, pb.MxDataType.ValueType(data_type)


def _scalar_name(value: Any, asked: str | None) -> str:
    natural = _natural_name(value)
    if asked is None:
        return natural
    if asked == "int":
        asked = "int64" if natural == "int64" else "int32"
    fits = {
        "bool": ("bool",),
        "int32": ("int32",),
        "int64": ("int32", "int64"),
        "float": ("double", "int32", "int64"),
        "double": ("double", "int32", "int64"),
        "string": ("string",),
        "timestamp": ("timestamp",),
        "elapsed": ("elapsed", "double", "int32", "int64"),
        "raw": ("raw",),
    }[asked]
    if natural in fits:
        return asked
    if asked == "int32" and natural == "int64":
        raise ValueError(f"{value} is beyond the 32 bits of int32")
    raise TypeError(f"{type(value).__name__} does not fit data_type {asked}")


def _natural_name(value: Any) -> str:
    # bool first: it is an int to Python, but not to MXAccess.
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        value = int.__int__(value)
        if _INT32[0] <= value <= _INT32[1]:
            return "int32"
        if _INT64[0] <= value <= _INT64[1]:
            return "int64"
        raise ValueError(f"{value} is beyond 64 bits")
    for kinds, name in (
        (float, "double"),
        (str, "string"),
        (datetime, "timestamp"),
        (timedelta, "elapsed"),
        ((bytes, bytearray, memoryview), "raw"),
    ):
        if isinstance(value, kinds):
            return name
    if isinstance(value, OutOfRangeValue):
        return "elapsed" if isinstance(value.raw, float) else "timestamp"
    if value is None:
        raise ValueError("None has no place within an array")
    hint = "; write its .value" if isinstance(value, Enum) else ""
    raise TypeError(
        f"{type(value).__name__} has no form in MXAccess{hint}; "
        "use bool, int, float, str, datetime, timedelta, bytes, list"
    )


def _convert(value: Any, name: str) -> Any:
    if isinstance(value, OutOfRangeValue):
        value = value.raw
    if name in ("double", "float", "elapsed"):
        number = _number(value)
        if not math.isfinite(number):
            raise ValueError(f"{number} cannot be written: MXAccess has no form for NaN and infinities")
        if name == "float" and abs(number) > _FLOAT_MAX:
            raise ValueError(f"{number} is beyond the range of a 32-bit float")
        return number
    if name == "timestamp":
        return value if isinstance(value, Timestamp) else to_timestamp(value)
    if name == "raw":
        return bytes(memoryview(value))
    # The methods of the plain types: those of a subclass may give something else than the value.
    return str.__str__(value) if name == "string" else bool(value) if name == "bool" else int.__int__(value)


def _number(value: Any) -> float:
    if isinstance(value, timedelta):
        return timedelta.__truediv__(value, _SECOND)
    return float.__float__(value) if isinstance(value, float) else float(int.__int__(value))


def _array(value: Sequence[Any], asked: str | None, number: pb.MxDataType.ValueType | None) -> pb.MxValue:
    flat, dimensions = _flatten(value)
    if not flat and asked is None:
        raise ValueError("an empty list does not say its type; give data_type, for example data_type='int32[]'")
    names = {_scalar_name(element, asked) for element in flat}
    if names == {"int32", "int64"}:
        names = {"int64"}
    elif asked is None and "double" in names and names <= {"int32", "int64", "double"}:
        names = {"double"}
    if len(names) > 1:
        raise TypeError(f"a list for MXAccess holds one type, not {' and '.join(sorted(names))}")
    name = names.pop() if names else "int32" if asked == "int" else str(asked)
    form = _FORMS[name]
    data_type = number or form.data_type
    array = pb.MxArray(element_data_type=data_type, variant_type=f"VT_ARRAY|{form.vartype}", dimensions=dimensions)
    values = getattr(array, form.array)
    # Marks the arm as chosen also when the list is empty.
    values.SetInParent()
    values.values.extend([_convert(element, name) for element in flat])
    return pb.MxValue(data_type=data_type, variant_type=f"VT_ARRAY|{form.vartype}", array_value=array)


def _flatten(value: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """The elements row by row, and the length of each dimension."""
    if not any(isinstance(element, list | tuple) for element in value):
        return list(value), [len(value)]
    rows = [_flatten(element) if isinstance(element, list | tuple) else ([], [-1]) for element in value]
    inner = rows[0][1]
    if any(dimensions != inner for _, dimensions in rows) or -1 in inner:
        raise ValueError("a nested list needs rows of one length")
    return [element for elements, _ in rows for element in elements], [len(value), *inner]
