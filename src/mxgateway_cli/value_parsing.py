"""Values given as text on the command line."""

from __future__ import annotations

import csv
import functools
import json
import math
import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click
from google.protobuf.timestamp_pb2 import Timestamp

from mxgateway import to_mx_value
from mxgateway_cli.value_lists import Element, elements_of
from mxgateway_cli.value_text import quoted, string_text
from mxgateway_cli.value_types import type_of
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.variants import DataType

SCALAR_TYPES = ("bool", "int32", "int64", "float", "double", "string", "timestamp", "elapsed")
TYPES = (*SCALAR_TYPES, *(f"{name}[]" for name in SCALAR_TYPES))
TYPE = click.Choice(TYPES)

_TRUE, _FALSE = ("true", "1", "on", "yes"), ("false", "0", "off", "no")
_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_RFC3339 = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[Tt ](?P<time>\d{2}:\d{2}:\d{2})(?:\.(?P<fraction>\d{1,9}))? ?"
    r"(?P<zone>[Zz]|[+-]\d{2}:\d{2})"
)
_CLOCK = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<days>\d+) ?(?:d|days?),? )?"
    r"(?P<hours>\d+):(?P<minutes>[0-5]\d):(?P<seconds>[0-5]\d(?:\.\d+)?)"
)
_ISO_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
# Not all of JSON's escapes: a Windows path in quotes must not lose its \\temp.
_SHOWN_IN_QUOTES = re.compile(r'"(?:[^"\\]|\\["\\]|\\u[0-9a-f]{4})*"')
WANTED = {
    "bool": "true or false",
    "int32": "a whole number such as 42",
    "int64": "a whole number such as 42",
    "float": "a number such as 3.5",
    "double": "a number such as 3.5",
    "string": "a text",
    "timestamp": "a time with its zone, such as 2026-01-31T12:00:00Z or 2026-01-31 12:00:00.5+01:00",
    "elapsed": "seconds such as 90, or a duration such as 0:01:30 or 2 days 3:00:00",
}


def parse_value(text: str, type_name: str, flag: str = "--value") -> pb.MxValue:
    """The MxValue of a text: of what `mx_text` shows, and of other forms that can only mean one thing.

    Args:
        text: the value; elements of an array stand in brackets, or with commas between (with CSV quoting).
        type_name: one of TYPES.
        flag: what to name in the error.

    Raises:
        click.BadParameter: the text is no such value, or could mean two; it says which form is wanted. The cause is
            kept.
    """
    scalar = type_name.removesuffix("[]")
    try:
        if type_name != scalar:
            return _array(elements_of(text), scalar)
        parsed = _string(text) if scalar == "string" else _scalar(text, scalar)
        if isinstance(parsed, Timestamp):
            return moment_value(parsed)
        return to_mx_value(parsed, data_type=type_name)
    except (ValueError, TypeError, OverflowError) as error:
        why = str(error) or f"say {WANTED[scalar]}"
        raise click.BadParameter(f"{text!r} is no {type_name}: {why}", param_hint=flag) from error


def parse_like(
    text: str, current: pb.MxValue, flag: str = "VALUE", type_name: str | None = None, data_type: int = 0
) -> pb.MxValue:
    """The MxValue of a text for a tag whose present value is known.

    An enumeration takes the number of one of its states, or its name: then a text is sent, and MXAccess looks it up.

    Args:
        text: the value.
        current: the tag's present value; its type is that of the new one.
        flag: what to name in the error.
        type_name: in place of the type of `current`.
        data_type: the attribute's own type as the Galaxy numbers it, where it is known: over COM a value tells an
            enumeration as a whole number, and a duration as a number. 0 where it is not.

    Raises:
        click.BadParameter: as `parse_value`.
        click.UsageError: the present value does not tell its type.
    """
    type_name = type_name or type_of(current)
    if type_name is None:
        raise click.UsageError("the tag's value does not tell its type; give --type")
    if data_type == DataType.ELAPSED_TIME and type_name in ("double", "double[]"):
        type_name = type_name.replace("double", "elapsed")
    is_enumeration = data_type == DataType.QUALIFIED_ENUM or current.data_type == pb.MX_DATA_TYPE_QUALIFIED_ENUM
    if is_enumeration and type_name in ("int32", "int32[]"):
        is_array = type_name.endswith("[]")
        names = [each.text for each in elements_of(text)] if is_array else [text]
        if not all(_is_whole_number(each) for each in names) and all(each.strip() for each in names):
            return parse_value(text, "string[]" if is_array else "string", flag)
    return parse_value(text, type_name, flag)


def _is_whole_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+", text.strip()) is not None


def _array(elements: list[Element], scalar: str) -> pb.MxValue:
    rows = _parsed_rows(elements, scalar)
    if scalar != "timestamp":
        return to_mx_value(rows, data_type=f"{scalar}[]")
    # Built here: Python's own times end at microseconds.
    stamps = [each for each in rows if isinstance(each, Timestamp)]
    if len(stamps) != len(rows):
        raise ValueError("an array of times has one dimension")
    array = pb.MxArray(
        element_data_type=pb.MX_DATA_TYPE_TIME, variant_type="VT_ARRAY|VT_DATE", dimensions=[len(stamps)]
    )
    array.timestamp_values.SetInParent()
    array.timestamp_values.values.extend(stamps)
    return pb.MxValue(data_type=pb.MX_DATA_TYPE_TIME, variant_type="VT_ARRAY|VT_DATE", array_value=array)


def _parsed_rows(elements: list[Element], scalar: str) -> list[Any]:
    return [_parsed_rows(each.row, scalar) if each.row is not None else _element(each, scalar) for each in elements]


def _element(element: Element, scalar: str) -> Any:
    if scalar == "string":
        return element.text
    if not element.text.strip():
        raise ValueError(f"an element is empty; say {WANTED[scalar]}")
    return _scalar(element.text, scalar)


def parse_timestamp(text: str) -> Timestamp:
    """The Timestamp of an RFC 3339 text, with up to nine digits of a second, Z or an offset; a blank may stand for the
    T and before the zone.

    Raises:
        ValueError: the text is none, or lacks its zone.
    """
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no RFC 3339 time such as 2026-01-31T12:00:00Z or …12:00:00.123456789+01:00")
    zone = "+00:00" if match["zone"] in "Zz" else match["zone"]
    whole = datetime.fromisoformat(f"{match['date']}T{match['time']}{zone}").astimezone(UTC)
    stamp = Timestamp()
    stamp.FromDatetime(whole)
    stamp.nanos = int((match["fraction"] or "0").ljust(9, "0"))
    return stamp


def parse_elapsed(text: str) -> float:
    """Seconds of a duration: a number, with or without `s`, a clock's form with days before it, or ISO 8601.

    Raises:
        ValueError: it is none.
    """
    text = text.strip()
    match = _CLOCK.fullmatch(text) or _ISO_DURATION.fullmatch(text.upper())
    if match is None:
        return _number(text.removesuffix("s").rstrip())
    parts = match.groupdict()
    found = [parts[name] for name in ("days", "hours", "minutes", "seconds")]
    if not any(found):
        raise ValueError
    # Decimal, so that what was shown exactly comes back exactly.
    seconds = float(sum(Decimal(each or 0) * unit for each, unit in zip(found, (86_400, 3_600, 60, 1), strict=True)))
    return -seconds if parts["sign"] == "-" else seconds


if TYPE_CHECKING:
    _Parameter = click.ParamType[Any]
else:
    # Generic for type checkers only: older versions of click are not, and run all the same.
    _Parameter = click.ParamType


class TimestampParameter(_Parameter):
    """An RFC 3339 time as a protobuf Timestamp."""

    name = "RFC3339"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return parse_timestamp(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx=ctx, param=param) from error


TIMESTAMP = TimestampParameter()


def moment_value(stamp: Timestamp) -> pb.MxValue:
    """A time as a value, to the nanosecond."""
    return pb.MxValue(data_type=pb.MX_DATA_TYPE_TIME, variant_type="VT_DATE", timestamp_value=stamp)


def split_list(text: str) -> list[str]:
    """The elements of a comma-separated text, with CSV quoting; nothing for an empty text."""
    if not text:
        return []
    return [element.strip() for element in next(csv.reader([text], skipinitialspace=True))]


def split_handles(text: str, flag: str = "--item-handles") -> list[int]:
    """Comma-separated handles.

    Raises:
        click.BadParameter: an element is no integer.
    """
    try:
        return [int(element) for element in split_list(text)]
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no list of handles such as 1,2,3", param_hint=flag) from error


def split_references(text: str, flag: str = "--items") -> list[str]:
    """Comma-separated references.

    Raises:
        click.BadParameter: an element is empty.
    """
    references = split_list(text)
    if not all(references):
        raise click.BadParameter(f"{text!r} has an empty reference between its commas", param_hint=flag)
    return references


def _string(text: str) -> str:
    if not (len(text) > 1 and text[0] == text[-1] == '"'):
        return text
    inner = json.loads(text) if _SHOWN_IN_QUOTES.fullmatch(text) else None
    # Quotes without need would be somebody's own: nobody knows whether they belong to the value.
    if inner is not None and ("\\" in text or string_text(inner) == text):
        return str(inner)
    raise ValueError(f"it stands in quotes; say {string_text(text[1:-1])} without them, or {quoted(text)} with them")


def _scalar(text: str, type_name: str) -> Any:
    text = text.strip()
    try:
        return _SCALARS[type_name](text)
    except OverflowError:
        raise
    except ValueError as error:
        # What int() and float() say only repeats the text.
        is_ours = str(error) and "invalid literal" not in str(error) and "could not convert" not in str(error)
        raise ValueError(str(error) if is_ours else f"say {WANTED[type_name]}") from error


def _bool(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError


def _whole_number(text: str, type_name: str) -> int:
    number = int(text, 0)
    low, high = _RANGES[type_name]
    if not low <= number <= high:
        raise ValueError(f"it is not within {low} and {high}")
    return number


def _number(text: str) -> float:
    if re.fullmatch(r"[+-]?\d+,\d+", text):
        raise ValueError(f"a comma separates the elements of an array; say {text.replace(',', '.')} with a point")
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("MXAccess has no form for NaN and infinities")
    return value


def _float(text: str) -> float:
    value = _number(text)
    try:
        # The nearest that there is: the shortest digits of the greatest one are a little above it.
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        raise ValueError("it is beyond the range of a 32-bit float") from None


_SCALARS: dict[str, Callable[[str], Any]] = {
    "bool": _bool,
    "int32": functools.partial(_whole_number, type_name="int32"),
    "int64": functools.partial(_whole_number, type_name="int64"),
    "float": _float,
    "double": _number,
    "timestamp": parse_timestamp,
    "elapsed": parse_elapsed,
}
