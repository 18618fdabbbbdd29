"""Recordings of tag values: what a line says. One form, for whoever writes and whoever plays them.

| column | what |
|---|---|
| `tag` | the reference |
| `time` | when it plays: ISO 8601 (UTC unless it says otherwise), or nanoseconds since 1970 where that has no form |
| `value` | the value, see below; empty is null, except for strings |
| `quality` | OPC quality word; empty is good |
| `type` | VARTYPE, and after a colon the data type where it is not the VARTYPE's own: `VT_R8`, `VT_R8:ElapsedTime` |

A value is `true` or `false`, a number (a duration is its seconds), a text as it is, a time like `time`, or `0x` and
hexadecimal digits for bytes. An array is a JSON list, its type `VT_ARRAY|VT_I4`, with the lengths of its dimensions
behind it where it has more than one: `VT_ARRAY|VT_I4[2x3]`. `null VT_BSTR` is a null of a type that is no null's.

Who writes by hand may say bool, int, float, double, string or time in place of a VARTYPE, or nothing at all: then the
value's look decides. Pure: the files themselves are `recording_files`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from mxgateway_contract.filetime import NS_PER_SECOND, ns_to_filetime
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.quality import GOOD
from mxgateway_contract.variants import VT_ARRAY, DataType, Scalar, Variant, VarType, vartype_name

VT = VarType

COLUMNS = ("tag", "time", "value", "quality", "type")

_WIRE_OFFSET = 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE)
_NANOSECONDS = re.compile(r"-?\d+")
# What `mxgw-py record` wrote for a duration before it wrote seconds.
_CLOCK = re.compile(r"(?:(-?\d+) days?, )?(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_TYPE = re.compile(r"(null )?(VT_ARRAY\|)?(\w+)(?:\[([\dx]*)\])?(?::(-?\w+))?", re.IGNORECASE)
_BYTES = re.compile(r"0x((?:[0-9a-fA-F]{2})*)")
_NULLS = (VT.VT_EMPTY, VT.VT_NULL)

_ALIASES = {
    "bool": VT.VT_BOOL,
    "boolean": VT.VT_BOOL,
    "int": VT.VT_I4,
    "integer": VT.VT_I4,
    "float": VT.VT_R4,
    "double": VT.VT_R8,
    "string": VT.VT_BSTR,
    "time": VT.VT_DATE,
}
_INTEGERS = {
    VT.VT_I1: (-(2**7), 2**7),
    VT.VT_I2: (-(2**15), 2**15),
    VT.VT_I4: (-(2**31), 2**31),
    VT.VT_ERROR: (-(2**31), 2**31),
    VT.VT_I8: (-(2**63), 2**63),
    VT.VT_UI1: (0, 2**8),
    VT.VT_UI2: (0, 2**16),
    VT.VT_UI4: (0, 2**32),
    VT.VT_UI8: (0, 2**64),
}
_REALS = (VT.VT_R4, VT.VT_R8, VT.VT_CY, VT.VT_DECIMAL)
_TIMES = (VT.VT_DATE, VT.VT_FILETIME)
_OWN_DATA_TYPES: dict[int, int] = {
    **dict.fromkeys(_INTEGERS, DataType.INTEGER),
    **dict.fromkeys(_TIMES, DataType.TIME),
    **dict.fromkeys(_NULLS, DataType.NO_DATA),
    VT.VT_ERROR: DataType.UNKNOWN,
    VT.VT_BOOL: DataType.BOOLEAN,
    VT.VT_R4: DataType.FLOAT,
    VT.VT_R8: DataType.DOUBLE,
    VT.VT_BSTR: DataType.STRING,
}
_DATA_TYPE_NAMES = {each.value: each.name.title().replace("_", "") for each in DataType}
_DATA_TYPES = {name.casefold(): number for number, name in _DATA_TYPE_NAMES.items()}
# For a gateway that does not name the VARTYPE.
_VARTYPE_OF_ARM = {
    "bool": "VT_BOOL",
    "int32": "VT_I4",
    "int64": "VT_I8",
    "float": "VT_R4",
    "double": "VT_R8",
    "string": "VT_BSTR",
    "timestamp": "VT_DATE",
    "raw": "VT_RECORD",
}


class Moment(NamedTuple):
    """One recorded value of a tag. `time_ns` is nanoseconds since 1970 UTC."""

    time_ns: int
    value: Variant
    quality: int


# ------------------------------------------------------------------------------------------------------------- writing


def value_cells(value: pb.MxValue) -> tuple[str, str]:
    """The cells `value` and `type`. Total: whatever the contract can carry has some."""
    arm = value.WhichOneof("kind")
    data_type = value.data_type - _WIRE_OFFSET if value.data_type > pb.MX_DATA_TYPE_UNKNOWN else value.raw_data_type
    if value.data_type <= pb.MX_DATA_TYPE_UNKNOWN and not value.raw_data_type:
        data_type = DataType.UNKNOWN
    if arm is None or value.is_null or arm == "sparse_array_value":
        name = value.variant_type or "VT_EMPTY"
        is_null = name.upper() in ("VT_EMPTY", "VT_NULL")
        return "", ("" if is_null else "null ") + _type_cell(name, None, data_type)
    if arm == "array_value":
        array = value.array_value
        elements = array.WhichOneof("values")
        kind = (elements or "").removesuffix("_values")
        name = value.variant_type or array.variant_type or f"VT_ARRAY|{_VARTYPE_OF_ARM.get(kind, 'VT_VARIANT')}"
        values = [_json_form(each) for each in getattr(array, elements).values] if elements else []
        dimensions = None if list(array.dimensions) in ([], [len(values)]) else list(array.dimensions)
        return json.dumps(values, ensure_ascii=False), _type_cell(name, dimensions, data_type)
    name = value.variant_type or _VARTYPE_OF_ARM[arm.removesuffix("_value")]
    return _text(getattr(value, arm)), _type_cell(name, None, data_type)


def line(cells: Iterable[object]) -> str:
    """The cells as a line of CSV with its end: quoted wherever a reader might see something else in a cell."""
    return ",".join(map(_quoted, cells)) + "\n"


def time_cell(time_ns: int) -> str:
    """A time: ISO 8601 with all its digits, or nanoseconds where that has no form."""
    seconds, nanos = divmod(time_ns, NS_PER_SECOND)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return str(time_ns)
    digits = f"{nanos:09}".rstrip("0")
    return moment.replace(tzinfo=None).isoformat() + (f".{digits}" if digits else "") + "Z"


def _quoted(cell: object) -> str:
    text = str(cell)
    if not any(char in text for char in ',"\r\n') and text == text.strip():
        return text
    return '"' + text.replace('"', '""') + '"'


def _type_cell(name: str, dimensions: Sequence[int] | None, data_type: int) -> str:
    lengths = "" if dimensions is None else f"[{'x'.join(map(str, dimensions))}]"
    try:
        _, vartype = _vartype(name)
    except ValueError:
        vartype = VT.VT_VARIANT
    own = _OWN_DATA_TYPES.get(vartype & ~VT_ARRAY, DataType.UNKNOWN)
    return name + lengths + ("" if data_type == own else f":{_DATA_TYPE_NAMES.get(data_type, data_type)}")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Timestamp):
        return time_cell(value.seconds * NS_PER_SECOND + value.nanos)
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def _json_form(value: Any) -> Any:
    return _text(value) if isinstance(value, Timestamp | bytes) else value


# ------------------------------------------------------------------------------------------------------------- reading


def moment_of(row: Mapping[str, Any]) -> Moment:
    """The moment that a line tells.

    Raises:
        ValueError: a cell makes no sense; the text says which and what would.
    """
    if row.get("time") in (None, ""):
        raise ValueError("there is no time")
    quality = row.get("quality")
    try:
        word = GOOD if quality in (None, "") else int(str(quality))
    except ValueError:
        raise ValueError(f"quality {quality!r} is no number such as 192") from None
    return Moment(parse_time(row["time"]), parse_value(row.get("value"), str(row.get("type") or "")), word)


def parse_time(given: object) -> int:
    """A time as nanoseconds since 1970 UTC; a number is that already.

    Raises:
        ValueError: it is no ISO 8601 time.
    """
    if type(given) is int:
        return given
    if isinstance(given, datetime):
        moment = given if given.tzinfo else given.replace(tzinfo=UTC)
        past = moment - _EPOCH
        return (past.days * 86400 + past.seconds) * NS_PER_SECOND + past.microseconds * 1000
    text = str(given).strip()
    if _NANOSECONDS.fullmatch(text):
        return int(text)
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        whole, fraction, zone = match.groups(default="")
        past = datetime.fromisoformat(whole + (zone.upper() if zone else "Z").replace("Z", "+00:00")) - _EPOCH
    except ValueError:
        raise ValueError(f"time {given!r} is not ISO 8601, for example 2026-01-31T12:00:00.5Z") from None
    return (past.days * 86400 + past.seconds) * NS_PER_SECOND + int(fraction.ljust(9, "0") or "0")


def parse_value(given: object, type_name: str) -> Variant:
    """A cell as a VARIANT.

    Raises:
        ValueError: the type is unknown, or the value is not of it.
    """
    dimensions: tuple[int, ...] = ()
    if not type_name.strip():
        vartype = _look(given)
        is_null, data_type = False, _own(vartype)
    else:
        is_null, vartype, dimensions, data_type = _parse_type(type_name)
    base = vartype & ~VT_ARRAY
    if is_null or base in _NULLS:
        return Variant(vartype, None, data_type)
    if given is None or (given == "" and vartype != VT.VT_BSTR):
        return Variant(VT.VT_NULL, None, data_type)
    if vartype & VT_ARRAY:
        # A whole that came as bytes, because its elements were of no one type.
        if isinstance(given, str) and (raw := _BYTES.fullmatch(given)):
            return Variant(vartype, bytes.fromhex(raw[1]), data_type)
        return Variant(vartype, _elements(given, base, data_type), data_type, dimensions)
    return Variant(vartype, _scalar(given, base, data_type), data_type)


def _own(vartype: int) -> int:
    return int(_OWN_DATA_TYPES.get(vartype & ~VT_ARRAY, DataType.UNKNOWN))


def _parse_type(type_name: str) -> tuple[bool, int, tuple[int, ...], int]:
    """Whether it is a null, VARTYPE, dimensions where they are told, data type."""
    match = _TYPE.fullmatch(type_name.strip())
    if match is None:
        raise ValueError(_unknown(type_name))
    null, array, name, lengths, data_name = match.groups()
    _, vartype = _vartype((array or "") + name)
    dimensions = tuple(int(each) for each in lengths.split("x") if each) if lengths else ()
    if lengths is not None and not array:
        raise ValueError(f"type {type_name!r} has dimensions, but is no array: VT_ARRAY|{name}")
    data_type = _own(vartype)
    if data_name is not None:
        try:
            data_type = int(data_name) if data_name.lstrip("-").isdigit() else _DATA_TYPES[data_name.casefold()]
        except KeyError:
            known = ", ".join(_DATA_TYPE_NAMES.values())
            raise ValueError(f"data type {data_name!r} is unknown; there are {known}") from None
    return null is not None, vartype, dimensions, data_type


def _vartype(name: str) -> tuple[str, int]:
    base = name.upper().removeprefix("VT_ARRAY|")
    known = _ALIASES.get(base.casefold())
    if known is None and base in VarType.__members__:
        known = VarType[base]
    number = int(known) if known is not None else int(base[3:]) if re.fullmatch(r"VT_\d+", base) else None
    if number is None:
        raise ValueError(_unknown(name))
    vartype = number | (VT_ARRAY if name.upper().startswith("VT_ARRAY|") else 0)
    return vartype_name(vartype), vartype


def _unknown(name: str) -> str:
    return f"type {name!r} is unknown; say a VARTYPE such as VT_R8 or VT_ARRAY|VT_I4, or one of {', '.join(_ALIASES)}"


def _look(given: object) -> int:
    """The VARTYPE of a value that has no type beside it."""
    if isinstance(given, bool):
        return VT.VT_BOOL
    if isinstance(given, int):
        return VT.VT_I4 if -(2**31) <= given < 2**31 else VT.VT_I8
    if isinstance(given, float):
        return VT.VT_R8
    if isinstance(given, datetime):
        return VT.VT_DATE
    text = str(given or "").strip()
    if not text:
        return VT.VT_NULL
    if text.lower() in ("true", "false"):
        return VT.VT_BOOL
    try:
        return VT.VT_I4 if -(2**31) <= int(text) < 2**31 else VT.VT_I8
    except ValueError:
        pass
    try:
        float(text)
    except ValueError:
        return VT.VT_BSTR
    return VT.VT_R8


def _elements(given: object, base: int, data_type: int) -> tuple[Scalar, ...]:
    try:
        elements = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        elements = None
    if not isinstance(elements, list | tuple):
        raise ValueError(f"value {_shown(given)} is no JSON list such as [1, 2]")  # noqa: TRY004 - a cell, not a type
    if base == VT.VT_VARIANT:
        return tuple(each if not isinstance(each, list | dict) else str(each) for each in elements)
    return tuple(_scalar(each, base, data_type) for each in elements)


def _scalar(given: object, base: int, data_type: int) -> Scalar:
    if base == VT.VT_BSTR:
        return str(given)
    if isinstance(given, str) and (raw := _BYTES.fullmatch(given)):
        return bytes.fromhex(raw[1])
    read = _READERS.get(base)
    if read is None:
        return str(given).encode()
    if base == VT.VT_I8 and data_type == DataType.TIME:
        return ns_to_filetime(parse_time(given))
    try:
        return read(given)
    except ValueError as error:
        is_ours = "invalid literal" not in str(error) and "could not convert" not in str(error)
        raise ValueError(str(error) if is_ours else f"value {_shown(given)} is no {VarType(base).name}") from None


def _shown(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _bool(given: object) -> bool:
    text = str(given).strip().lower()
    if text not in ("true", "false", "1", "0", "-1"):
        raise ValueError(f"value {_shown(given)} is no VT_BOOL; say true or false")
    return text in ("true", "1", "-1")


def _integer(base: VarType) -> Callable[[object], int]:
    least, end = _INTEGERS[base]

    def read(given: object) -> int:
        number = int(str(given))
        if not least <= number < end:
            raise ValueError(f"value {_shown(given)} is beyond {base.name}")
        return number

    return read


def _real(given: object) -> float:
    match = _CLOCK.fullmatch(given.strip()) if isinstance(given, str) else None
    if match is None:
        return float(str(given))
    days, hours, minutes, seconds = match.groups(default="")
    return int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _float(given: object) -> float:
    value = _real(given)
    if math.isfinite(value) and abs(value) > 3.4028235677973366e38:
        raise ValueError(f"value {_shown(given)} is beyond VT_R4")
    return value


_READERS: dict[int, Callable[[object], Scalar]] = {
    VT.VT_BOOL: _bool,
    **{base: _integer(base) for base in _INTEGERS},
    **dict.fromkeys(_REALS, _real),
    VT.VT_R4: _float,
    **dict.fromkeys(_TIMES, parse_time),
}
