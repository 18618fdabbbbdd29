"""Values given as text on the command line."""

from __future__ import annotations

import csv
import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

SCALAR_TYPES = ("bool", "int32", "int64", "float", "double", "string", "timestamp", "elapsed")
TYPES = (*SCALAR_TYPES, *(f"{name}[]" for name in SCALAR_TYPES))
TYPE = click.Choice(TYPES)

_TRUE, _FALSE = ("true", "1", "on", "yes"), ("false", "0", "off", "no")
_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_RFC3339 = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[Tt ](?P<time>\d{2}:\d{2}:\d{2})(?:\.(?P<fraction>\d{1,9}))?"
    r"(?P<zone>[Zz]|[+-]\d{2}:\d{2})"
)


def parse_value(text: str, type_name: str, flag: str = "--value") -> pb.MxValue:
    """The MxValue of a text.

    Args:
        text: the value; elements of an array are separated by commas, with CSV quoting.
        type_name: one of TYPES.
        flag: what to name in the error.

    Raises:
        click.BadParameter: the text is no such value; the cause is kept.
    """
    from mxgateway import to_mx_value

    try:
        if type_name.endswith("[]"):
            scalar = type_name.removesuffix("[]")
            elements = [_parse(element, scalar) for element in split_list(text)]
            return to_mx_value(elements, data_type=type_name)
        if type_name == "timestamp":
            from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

            stamp = parse_timestamp(text)
            return pb.MxValue(data_type=pb.MX_DATA_TYPE_TIME, variant_type="VT_DATE", timestamp_value=stamp)
        return to_mx_value(_parse(text, type_name), data_type=type_name)
    except (ValueError, TypeError, OverflowError) as error:
        # What int() and float() say only repeats the text.
        why = "" if "invalid literal" in str(error) or "could not convert" in str(error) else f": {error}"
        raise click.BadParameter(f"{text!r} is no {type_name}{why}", param_hint=flag) from error


def parse_timestamp(text: str) -> Timestamp:
    """The Timestamp of an RFC 3339 text, with up to nine digits of a second, Z or an offset.

    Raises:
        ValueError: the text is none, or lacks its zone.
    """
    from google.protobuf.timestamp_pb2 import Timestamp

    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no RFC 3339 time such as 2026-01-31T12:00:00Z or …12:00:00.123456789+01:00")
    zone = "+00:00" if match["zone"] in "Zz" else match["zone"]
    whole = datetime.fromisoformat(f"{match['date']}T{match['time']}{zone}").astimezone(UTC)
    stamp = Timestamp()
    stamp.FromDatetime(whole)
    stamp.nanos = int((match["fraction"] or "0").ljust(9, "0"))
    return stamp


class TimestampParameter(click.ParamType[Any]):
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
    """The time of a timestamped write, to the nanosecond."""
    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

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


def _parse(text: str, type_name: str) -> Any:
    if type_name == "string":
        return text
    if type_name == "bool":
        if text.lower() in _TRUE:
            return True
        if text.lower() in _FALSE:
            return False
        raise ValueError(f"say {' or '.join((_TRUE[0], _FALSE[0]))}")
    if type_name in _RANGES:
        number = int(text, 0)
        low, high = _RANGES[type_name]
        if not low <= number <= high:
            raise ValueError(f"it is not within {low} and {high}")
        return number
    if type_name == "timestamp":
        return parse_timestamp(text).ToDatetime(tzinfo=UTC)
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("MXAccess has no form for NaN and infinities")
    return value
