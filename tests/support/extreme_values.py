"""Hypothesis strategies for what a gateway may send: every arm of MxValue, with values at and beyond every edge."""

from __future__ import annotations

import math

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st

from mxgateway.generated import mxaccess_gateway_pb2 as pb

_INT32 = st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31)]) | st.integers(-(2**31), 2**31 - 1)
_INT64 = st.sampled_from([0, 2**63 - 1, -(2**63)]) | st.integers(-(2**63), 2**63 - 1)
_DOUBLE = st.sampled_from([0.0, -0.0, 1e15, -1e15, 8.64e13, 1e308, 5e-324, math.inf, -math.inf, math.nan]) | st.floats()
_FLOAT = st.sampled_from([math.inf, -math.inf, math.nan, 3.4028234663852886e38]) | st.floats(width=32)
_TEXT = (
    st.sampled_from(["", "\x00", "\x1b[31m", "a,b", '"', "\n", "\u2028", "\U0001f600", "=1+1", "x" * 5000]) | st.text()
)
_RAW = st.binary(max_size=20)
_DATA_TYPE = st.sampled_from([*pb.MxDataType.values(), 99, -5])

TIMESTAMPS = st.builds(
    Timestamp,
    seconds=st.sampled_from([0, -62_135_596_800, -62_135_596_801, 253_402_300_799, 253_402_300_800, 2**62, -(2**62)])
    | st.integers(-(2**63), 2**63 - 1),
    nanos=st.sampled_from([0, 999_999_999, 1_000_000_000, -1]) | st.integers(0, 999_999_999) | _INT32,
)
"""Also such as no datetime can hold."""

_ARRAY_ARMS = {
    "bool_values": (pb.BoolArray, st.booleans()),
    "int32_values": (pb.Int32Array, _INT32),
    "int64_values": (pb.Int64Array, _INT64),
    "float_values": (pb.FloatArray, _FLOAT),
    "double_values": (pb.DoubleArray, _DOUBLE),
    "string_values": (pb.StringArray, _TEXT),
    "timestamp_values": (pb.TimestampArray, TIMESTAMPS),
    "raw_values": (pb.RawArray, _RAW),
}
_SCALAR_ARMS = {
    "bool_value": st.booleans(),
    "int32_value": _INT32,
    "int64_value": _INT64,
    "float_value": _FLOAT,
    "double_value": _DOUBLE,
    "string_value": _TEXT,
    "timestamp_value": TIMESTAMPS,
    "raw_value": _RAW,
}


@st.composite
def arrays(draw: st.DrawFn) -> pb.MxArray:
    """Typed arrays whose dimensions may fit, or lie."""
    arm = draw(st.sampled_from([*_ARRAY_ARMS, ""]))
    array = pb.MxArray(element_data_type=draw(_DATA_TYPE))
    dimensions = st.lists(st.sampled_from([0, 1, 2, 3, 2**32 - 1]), max_size=4)
    array.dimensions.extend(draw(dimensions | st.just([1] * 3000)))
    if arm:
        kind, elements = _ARRAY_ARMS[arm]
        getattr(array, arm).CopyFrom(kind(values=draw(st.lists(elements, max_size=6))))
    return array


@st.composite
def mx_values(draw: st.DrawFn, depth: int = 2) -> pb.MxValue:
    """Any value, of any declared type, null and without an arm among them."""
    value = pb.MxValue(data_type=draw(_DATA_TYPE), is_null=draw(st.sampled_from([False, False, False, True])))
    arms = [*_SCALAR_ARMS, "array_value", "sparse_array_value", ""]
    arm = draw(st.sampled_from(arms if depth else [*_SCALAR_ARMS]))
    if arm == "timestamp_value":
        value.timestamp_value.CopyFrom(draw(TIMESTAMPS))
    elif arm == "array_value":
        value.array_value.CopyFrom(draw(arrays()))
    elif arm == "sparse_array_value":
        for index in draw(st.lists(st.integers(0, 2**32 - 1), max_size=3)):
            value.sparse_array_value.elements.add(index=index, value=draw(mx_values(depth=depth - 1)))
        value.sparse_array_value.SetInParent()
    elif arm:
        setattr(value, arm, draw(_SCALAR_ARMS[arm]))
    return value


@st.composite
def statuses(draw: st.DrawFn) -> pb.MxStatusProxy:
    return pb.MxStatusProxy(
        success=draw(_INT32),
        category=draw(st.sampled_from([*pb.MxStatusCategory.values(), 99])),
        detected_by=draw(st.sampled_from([*pb.MxStatusSource.values(), 99])),
        detail=draw(_INT32),
    )


@st.composite
def data_changes(draw: st.DrawFn, item_handle: int = 1) -> pb.MxEvent:
    """OnDataChange events of one item, without a sequence."""
    event = pb.MxEvent(
        family=pb.MX_EVENT_FAMILY_ON_DATA_CHANGE,
        server_handle=1,
        item_handle=item_handle,
        value=draw(mx_values()),
        quality=draw(_INT32),
        statuses=draw(st.lists(statuses(), max_size=2)),
        on_data_change=pb.OnDataChangeEvent(),
    )
    if draw(st.booleans()):
        event.source_timestamp.CopyFrom(draw(TIMESTAMPS))
    return event


@st.composite
def read_results(draw: st.DrawFn) -> pb.BulkReadResult:
    event = draw(data_changes())
    result = pb.BulkReadResult(
        tag_address=draw(_TEXT),
        was_successful=draw(st.booleans()),
        was_cached=draw(st.booleans()),
        value=event.value,
        quality=event.quality,
        statuses=event.statuses,
        error_message=draw(_TEXT),
    )
    if event.HasField("source_timestamp"):
        result.source_timestamp.CopyFrom(event.source_timestamp)
    return result
