"""Values as text that `mxgw-py write` takes back.

| type | form |
|---|---|
| bool, integers | `true`, `-5` |
| float, double | the shortest digits that give the value back |
| string | as it is; in quotes, with JSON's escapes, when it would not be seen or not come back otherwise |
| time | `2026-01-31 10:00:00.000+01:00`, local, to the nanosecond |
| elapsed time | `0:01:30`, `-0:00:00.5`, `2 days 3:00:00` |
| array | `[1, 2, 3]`; texts within it always in quotes |
| null | `-` |

Total: whatever the contract can carry has a text.
"""

from __future__ import annotations

import functools
import json
import math
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

NULL = "-"
CUT = "…"
"""Stands for the elements that a list which was cut short does not show."""
SHOWN = 8
"""Elements of a list that is cut short."""

_DIGITS_OF_FLOAT = 9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400
# Most dimensions of a SAFEARRAY.
_MAX_DIMENSIONS = 60
# Beyond these a clock's form would be longer than anybody reads: seconds with an exponent.
_LONGEST, _SHORTEST = Decimal("1e15"), Decimal("1e-12")


def mx_text(value: pb.MxValue, *, whole: bool = False, encoding: str = "utf-8") -> str:
    """A value for people.

    Args:
        value: any.
        whole: shows all elements of an array; else the first SHOWN.
        encoding: of where the text goes: what it does not have stands as an escape, so that it comes back.
    """
    arm = value.WhichOneof("kind")
    if arm is None or value.is_null:
        return NULL + _diagnostic(value)
    if arm == "raw_value":
        return value.raw_value.hex() + _diagnostic(value)
    if arm == "array_value":
        return _array_text(value.array_value, value.data_type, whole, encoding)
    if arm == "sparse_array_value":
        elements = value.sparse_array_value.elements
        return _joined([f"{each.index}: {mx_text(each.value, whole=whole)}" for each in elements], whole, "{}")
    return _scalar_form(arm.removesuffix("_value"), value.data_type, encoding)(getattr(value, arm))


def _diagnostic(value: pb.MxValue) -> str:
    """What came in words, where no arm could hold it."""
    return f" ({string_text(value.raw_diagnostic)})" if value.raw_diagnostic else ""


def string_text(text: str, encoding: str = "utf-8") -> str:
    """A text as it is, or in quotes when that would hide something or not come back."""
    is_plain = text == text.strip() and text not in ("", NULL) and not (text[0] == text[-1] == '"')
    return text if is_plain and text.isprintable() and _has(encoding, text) else quoted(text, encoding)


def quoted(text: str, encoding: str = "utf-8") -> str:
    """A text as JSON; letters of all scripts stay. What cannot be printed stands as its number, so that a Windows path
    in quotes is never taken for one with control characters."""
    return '"' + "".join(_escaped(char, encoding) for char in text) + '"'


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escaped(char: str, encoding: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable() and _has(encoding, char):
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else json.dumps(char)[1:-1]


def moment_text(stamp: Timestamp, *, local: bool = True) -> str:
    """A time to the millisecond, or as exactly as it is."""
    try:
        moment = _EPOCH + timedelta(seconds=stamp.seconds)
    except OverflowError:
        return f"{stamp.seconds}.{stamp.nanos:09} s after 1970-01-01T00:00:00Z"
    if local:
        try:
            there = moment.astimezone()
        except (OverflowError, OSError, ValueError):
            there = moment
        # Before there were time zones, offsets had seconds, which no form of a time can say.
        moment = there if not (there.utcoffset() or timedelta()).seconds % 60 else moment
    digits = f"{stamp.nanos:09}"
    fraction = digits[:3] if digits.endswith("000000") else digits[:6] if digits.endswith("000") else digits
    return f"{moment.replace(tzinfo=None).isoformat(' ', 'seconds')}.{fraction}{moment.isoformat()[19:]}"


def elapsed_text(seconds: float) -> str:
    """A duration as a clock shows it, exactly."""
    if not math.isfinite(seconds):
        return repr(seconds)
    exact = Decimal(repr(seconds))
    rest = abs(exact)
    if rest >= _LONGEST or 0 < rest < _SHORTEST:
        return f"{_shortest(seconds)} s"
    days, rest = divmod(rest, _DAY)
    minutes, rest = divmod(rest, 60)
    whole, fraction = divmod(rest, 1)
    digits = f"{fraction:f}".partition(".")[2].rstrip("0")
    clock = f"{int(minutes) // 60}:{int(minutes) % 60:02}:{int(whole):02}{'.' + digits if digits else ''}"
    sign = "-" if exact.is_signed() else ""
    return sign + (f"{int(days)} day{'' if days == 1 else 's'} {clock}" if days else clock)


def number_text(value: float) -> str:
    """The shortest digits that give a double back."""
    return _shortest(value)


def float_text(value: float) -> str:
    """The shortest digits that give a 32-bit float back."""
    text = repr(value)
    if math.isfinite(value) and len(text) > _DIGITS_OF_FLOAT:
        candidates = (float(f"{value:.{digits}g}") for digits in range(1, _DIGITS_OF_FLOAT + 1))
        return _shortest(next((each for each in candidates if _narrow(each) == value), value))
    return _shortest(value)


def _narrow(value: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.inf


def _shortest(value: float) -> str:
    return repr(value).removesuffix(".0")


def _bool_text(value: bool) -> str:
    return "true" if value else "false"


_FORMS: dict[str, Callable[[Any], str]] = {
    "bool": _bool_text,
    "int32": str,
    "int64": str,
    "float": float_text,
    "double": number_text,
    "timestamp": moment_text,
    "raw": bytes.hex,
}


def _scalar_form(name: str, data_type: int, encoding: str) -> Callable[[Any], str]:
    if name == "string":
        return functools.partial(string_text, encoding=encoding)
    if data_type == pb.MX_DATA_TYPE_ELAPSED_TIME and name in ("double", "float"):
        return elapsed_text
    return _FORMS[name]


def _array_text(array: pb.MxArray, data_type: int, whole: bool, encoding: str) -> str:
    arm = array.WhichOneof("values")
    if arm is None:
        return "[]"
    name = arm.removesuffix("_values")
    is_elapsed = pb.MX_DATA_TYPE_ELAPSED_TIME in (array.element_data_type, data_type)
    form = _scalar_form(name, pb.MX_DATA_TYPE_ELAPSED_TIME if is_elapsed else data_type, encoding)
    if name == "string":
        form = functools.partial(quoted, encoding=encoding)
    return _nested(getattr(array, arm).values, list(array.dimensions), form, whole)


def _nested(elements: Sequence[Any], dimensions: list[int], form: Callable[[Any], str], whole: bool) -> str:
    """Rows in brackets of their own where there is more than one dimension."""
    # Dimensions that do not describe the elements are not believed.
    if elements and 1 < len(dimensions) <= _MAX_DIMENSIONS and math.prod(dimensions) == len(elements):
        width = math.prod(dimensions[1:])
        shown = dimensions[0] if whole else min(dimensions[0], SHOWN + 1)
        rows = [elements[row * width : (row + 1) * width] for row in range(shown)]
        return _joined([_nested(row, dimensions[1:], form, whole) for row in rows], whole)
    few = elements if whole else elements[: SHOWN + 1]
    return _joined([form(each) for each in few], whole)


def _joined(texts: list[str], whole: bool, brackets: str = "[]") -> str:
    if not whole and len(texts) > SHOWN:
        texts = [*texts[:SHOWN], CUT]
    return f"{brackets[0]}{', '.join(texts)}{brackets[1]}"
