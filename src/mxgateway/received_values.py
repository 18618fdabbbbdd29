"""Received values and times as Python objects. Total: whatever came, there is an answer and never an exception."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

_MAX_DIMENSIONS = 60
"""Most dimensions of a SAFEARRAY."""
_MAX_EMPTY_ROWS = 1_000_000
_AS_THEY_ARE = frozenset({"bool_value", "int32_value", "int64_value", "string_value", "raw_value"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OutOfRangeValue:
    """Stands for a received time or duration that Python's `datetime` or `timedelta` cannot hold.

    `to_mx_value` makes the same MXAccess value of it again.

    Attributes:
        raw: seconds, for an ElapsedTime (beyond 999,999,999 days, NaN or infinite); the protobuf Timestamp, for a Time
            (before the year 1 or after 9999, or with impossible nanoseconds).
    """

    raw: float | Timestamp

    def __str__(self) -> str:
        return f"{self.raw:g} s" if isinstance(self.raw, float) else time_text(self.raw)

    def __repr__(self) -> str:
        kind = "ElapsedTime" if isinstance(self.raw, float) else "Time"
        return f"<OutOfRangeValue {kind} {self}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OutOfRangeValue):
            return NotImplemented
        # NaN is the same stand-in as NaN: what came is compared, not what it measures.
        return str(self.raw) == str(other.raw) and type(self.raw) is type(other.raw)

    def __hash__(self) -> int:
        return hash(str(self.raw))


def from_mx_value(value: pb.MxValue) -> Any:
    """The Python value of an MxValue: the inverse of `to_mx_value`. Never raises.

    Times become aware UTC datetimes (microseconds; the nanoseconds stay in the MxValue), elapsed times timedeltas,
    arrays lists (nested for more than one dimension), a sparse array a dict of index and value, a VARIANT without a
    form of its own bytes (`raw_diagnostic` and `variant_type` of the MxValue say what it was), null None. A time or an
    elapsed time that Python cannot hold becomes an OutOfRangeValue with its raw form.
    """
    kind = value.WhichOneof("kind")
    if kind is None or value.is_null:
        return None
    if kind in _AS_THEY_ARE:
        return getattr(value, kind)
    if kind == "timestamp_value":
        return time_value(value.timestamp_value)
    if kind == "array_value":
        return _from_array(value.array_value, value.data_type)
    if kind == "sparse_array_value":
        return {element.index: from_mx_value(element.value) for element in value.sparse_array_value.elements}
    plain = getattr(value, kind)
    if value.data_type == pb.MX_DATA_TYPE_ELAPSED_TIME and kind in ("double_value", "float_value"):
        return duration_value(plain)
    return plain


def duration_value(seconds: float) -> timedelta | OutOfRangeValue:
    """Seconds as a timedelta, where it can hold them."""
    try:
        return timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return OutOfRangeValue(seconds)


def time_value(stamp: Timestamp) -> datetime | OutOfRangeValue:
    """A protobuf Timestamp as an aware datetime in UTC, where it can hold it."""
    time = datetime_of(stamp)
    return OutOfRangeValue(stamp) if time is None else time


def datetime_of(stamp: Timestamp) -> datetime | None:
    """A protobuf Timestamp as an aware datetime in UTC; None where Python cannot hold it."""
    nanos = stamp.nanos
    if not 0 <= nanos < 1_000_000_000:
        return None
    try:
        return _EPOCH + timedelta(0, stamp.seconds, nanos // 1000)
    except OverflowError:
        return None


def time_text(stamp: Timestamp) -> str:
    """A protobuf Timestamp as RFC 3339 with all its digits; where that has no form, seconds and nanoseconds."""
    if datetime_of(stamp) is None:
        return f"{stamp.seconds} s {stamp.nanos} ns since 1970"
    return str(stamp.ToJsonString())


def _from_array(array: pb.MxArray, data_type: int) -> list[Any]:
    kind = array.WhichOneof("values")
    if kind is None:
        return []
    flat: list[Any] = list(getattr(array, kind).values)
    if kind == "timestamp_values":
        flat = [time_value(stamp) for stamp in flat]
    elif kind in ("double_values", "float_values") and pb.MX_DATA_TYPE_ELAPSED_TIME in (
        array.element_data_type,
        data_type,
    ):
        flat = [duration_value(seconds) for seconds in flat]
    dimensions = list(array.dimensions)
    # Dimensions that do not describe the elements are not believed.
    if not 2 <= len(dimensions) <= _MAX_DIMENSIONS or math.prod(dimensions) != len(flat):
        return flat
    if not flat and math.prod(dimensions[: dimensions.index(0)]) > _MAX_EMPTY_ROWS:
        return flat
    return _nest(flat, dimensions)


def _nest(flat: list[Any], dimensions: list[int]) -> list[Any]:
    if len(dimensions) < 2:
        return flat
    width = math.prod(dimensions[1:])
    rows = range(dimensions[0])
    return [_nest(flat[row * width : (row + 1) * width], dimensions[1:]) for row in rows]
