"""Value conversion: types, ranges, refusals, arrays, and the way back."""

from __future__ import annotations

import enum
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxgateway import from_mx_value, to_mx_value
from mxgateway.generated import mxaccess_gateway_pb2 as pb

UTC = UTC
MOMENT = datetime(2026, 1, 31, 12, 30, 15, 123456, tzinfo=UTC)


class Mode(enum.IntEnum):
    AUTO = 2


SCALARS: list[tuple[Any, str, str, int]] = [
    (True, "bool_value", "VT_BOOL", pb.MX_DATA_TYPE_BOOLEAN),
    (False, "bool_value", "VT_BOOL", pb.MX_DATA_TYPE_BOOLEAN),
    (0, "int32_value", "VT_I4", pb.MX_DATA_TYPE_INTEGER),
    (-(2**31), "int32_value", "VT_I4", pb.MX_DATA_TYPE_INTEGER),
    (2**31 - 1, "int32_value", "VT_I4", pb.MX_DATA_TYPE_INTEGER),
    (2**31, "int64_value", "VT_I8", pb.MX_DATA_TYPE_INTEGER),
    (-(2**63), "int64_value", "VT_I8", pb.MX_DATA_TYPE_INTEGER),
    (2**63 - 1, "int64_value", "VT_I8", pb.MX_DATA_TYPE_INTEGER),
    (Mode.AUTO, "int32_value", "VT_I4", pb.MX_DATA_TYPE_INTEGER),
    (1.5, "double_value", "VT_R8", pb.MX_DATA_TYPE_DOUBLE),
    ("", "string_value", "VT_BSTR", pb.MX_DATA_TYPE_STRING),
    ("Kühlung", "string_value", "VT_BSTR", pb.MX_DATA_TYPE_STRING),
    (MOMENT, "timestamp_value", "VT_DATE", pb.MX_DATA_TYPE_TIME),
    (timedelta(seconds=1.5), "double_value", "VT_R8", pb.MX_DATA_TYPE_ELAPSED_TIME),
    (b"\x00\xff", "raw_value", "VT_RECORD", pb.MX_DATA_TYPE_UNKNOWN),
]


@pytest.mark.parametrize(("value", "arm", "vartype", "data_type"), SCALARS)
def test_scalar_and_back(value: Any, arm: str, vartype: str, data_type: int) -> None:
    """Each scalar takes its arm, VARTYPE and data type, and comes back equal and of its own kind."""
    sent = to_mx_value(value)
    assert (sent.WhichOneof("kind"), sent.variant_type, sent.data_type) == (arm, vartype, data_type)
    back = from_mx_value(sent)
    assert back == value
    assert isinstance(back, bool) == isinstance(value, bool)


@pytest.mark.parametrize(("value", "arm", "vartype", "data_type"), [s for s in SCALARS if s[0] is not Mode.AUTO])
def test_array_and_back(value: Any, arm: str, vartype: str, data_type: int) -> None:
    """A list of one type becomes the typed array of it, with its dimension, and comes back."""
    sent = to_mx_value([value, value])
    assert sent.variant_type == f"VT_ARRAY|{vartype}"
    assert list(sent.array_value.dimensions) == [2]
    assert sent.array_value.element_data_type == data_type
    assert from_mx_value(sent) == [value, value]


def test_none_is_null() -> None:
    """None is the null VARIANT; a null of any type comes back as None."""
    assert to_mx_value(None).is_null
    assert to_mx_value(None).variant_type == "VT_EMPTY"
    assert from_mx_value(to_mx_value(None)) is None
    assert from_mx_value(pb.MxValue(data_type=pb.MX_DATA_TYPE_INTEGER, is_null=True)) is None
    assert from_mx_value(pb.MxValue()) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_non_finite_floats_are_refused(value: float) -> None:
    """NaN and infinities are ValueErrors, alone, in lists, as numpy scalars and for every floating type."""
    for attempt in (value, [1.0, value], numpy.float32(value), numpy.array([value])):
        with pytest.raises(ValueError, match="NaN and infinities"):
            to_mx_value(attempt)
    for data_type in ("float", "double", "elapsed"):
        with pytest.raises(ValueError, match="NaN and infinities"):
            to_mx_value(value, data_type=data_type)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (2**63, ValueError, "64 bits"),
        (-(2**63) - 1, ValueError, "64 bits"),
        (datetime(2026, 1, 1), ValueError, "time zone"),
        ([], ValueError, "data_type"),
        ([1, None], ValueError, "None"),
        ([[1, 2], [3]], ValueError, "one length"),
        ([[1], 2], ValueError, "one length"),
        ([1, "x"], TypeError, "one type"),
        ([True, 1], TypeError, "one type"),
        (object(), TypeError, "no form"),
        ({"a": 1}, TypeError, "no form"),
        (1 + 2j, TypeError, "no form"),
    ],
)
def test_what_has_no_form_is_refused(value: Any, error: type[Exception], text: str) -> None:
    """What MXAccess cannot hold raises before anything is sent, with the cause."""
    with pytest.raises(error, match=text):
        to_mx_value(value)


@pytest.mark.parametrize(
    ("value", "data_type", "arm"),
    [
        (1, "double", "double_value"),
        (1, "float", "float_value"),
        (1, "int64", "int64_value"),
        (2.5, "float", "float_value"),
        (90, "elapsed", "double_value"),
        (5, pb.MX_DATA_TYPE_QUALIFIED_ENUM, "int32_value"),
        ("x", pb.MX_DATA_TYPE_BIG_STRING, "string_value"),
        (timedelta(seconds=2), pb.MX_DATA_TYPE_ELAPSED_TIME, "double_value"),
        (2**40, pb.MX_DATA_TYPE_INTEGER, "int64_value"),
    ],
)
def test_explicit_type(value: Any, data_type: str | int, arm: str) -> None:
    """data_type chooses the form where the value fits it; a number of the enum stays in the value."""
    sent = to_mx_value(value, data_type=data_type)
    assert sent.WhichOneof("kind") == arm
    if isinstance(data_type, int):
        assert sent.data_type == data_type


@pytest.mark.parametrize(
    ("value", "data_type", "error"),
    [
        (2**31, "int32", ValueError),
        (True, "int32", TypeError),
        (1, "bool", TypeError),
        (1, "string", TypeError),
        ("1", "int32", TypeError),
        (1.5, "int32", TypeError),
        (1e39, "float", ValueError),
        ([1], "int32", TypeError),
        (1, "int32[]", TypeError),
        (1, "nonsense", ValueError),
        (1, 99, ValueError),
    ],
)
def test_value_that_does_not_fit_its_type(value: Any, data_type: str | int, error: type[Exception]) -> None:
    """A value that does not fit the asked type is refused, never bent."""
    with pytest.raises(error):
        to_mx_value(value, data_type=data_type)


def test_mixed_numbers_widen() -> None:
    """Integers of both widths become 64-bit ones, integers and floats doubles."""
    assert to_mx_value([1, 2**40]).array_value.WhichOneof("values") == "int64_values"
    assert from_mx_value(to_mx_value([1, 2.5])) == [1.0, 2.5]


def test_empty_array_with_a_type() -> None:
    """An empty list with data_type is an empty array of that type."""
    sent = to_mx_value([], data_type="double[]")
    assert sent.array_value.WhichOneof("values") == "double_values"
    assert from_mx_value(sent) == []


def test_two_dimensions() -> None:
    """Rows of one length travel row by row with both dimensions, and come back nested."""
    sent = to_mx_value([[1, 2, 3], [4, 5, 6]])
    assert list(sent.array_value.dimensions) == [2, 3]
    assert list(sent.array_value.int32_values.values) == [1, 2, 3, 4, 5, 6]
    assert from_mx_value(sent) == [[1, 2, 3], [4, 5, 6]]


def test_times_are_converted_to_utc() -> None:
    """An aware time of another zone arrives as the same moment in UTC."""
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert from_mx_value(to_mx_value(elsewhere)) == MOMENT
    assert from_mx_value(to_mx_value(elsewhere)).tzinfo == UTC


@pytest.mark.parametrize(
    ("value", "arm", "back"),
    [
        (numpy.int16(5), "int32_value", 5),
        (numpy.int64(2**40), "int64_value", 2**40),
        (numpy.bool_(True), "bool_value", True),
        (numpy.float32(1.5), "float_value", 1.5),
        (numpy.float64(1.5), "double_value", 1.5),
        (numpy.str_("x"), "string_value", "x"),
        (numpy.datetime64("2026-01-31T12:30:15.123456789"), "timestamp_value", MOMENT),
        (numpy.timedelta64(1500, "ms"), "double_value", timedelta(seconds=1.5)),
        (numpy.array([1, 2], dtype="int32"), "array_value", [1, 2]),
        (numpy.array([[1.5], [2.5]]), "array_value", [[1.5], [2.5]]),
    ],
)
def test_numpy(value: Any, arm: str, back: Any) -> None:
    """numpy scalars and arrays convert like their Python forms; float32 keeps its width."""
    sent = to_mx_value(value)
    assert sent.WhichOneof("kind") == arm
    assert from_mx_value(sent) == back


def test_generated_values_pass_through() -> None:
    """An MxValue is sent as it is, a sparse array is wrapped."""
    own = pb.MxValue(int32_value=1, raw_diagnostic="mine")
    assert to_mx_value(own) is own
    sparse = pb.MxSparseArray(element_data_type=pb.MX_DATA_TYPE_INTEGER, total_length=5)
    sparse.elements.add(index=3, value=to_mx_value(7))
    assert to_mx_value(sparse).sparse_array_value.total_length == 5
    assert from_mx_value(to_mx_value(sparse)) == {3: 7}


def test_unknown_variant_stays_reachable() -> None:
    """A VARIANT without a form comes back as its bytes; what it was stays in the MxValue."""
    raw = pb.MxValue(raw_value=b"\x01", variant_type="VT_UNKNOWN", raw_diagnostic="an interface", raw_data_type=14)
    assert from_mx_value(raw) == b"\x01"


finite = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    finite,
    st.text(),
    st.binary(),
    st.datetimes(min_value=datetime(1601, 1, 1), max_value=datetime(9999, 1, 1), timezones=st.just(UTC)),
)


@given(scalars)
def test_round_trip_is_the_identity(value: Any) -> None:
    """Every scalar that is taken comes back as it was, also over the wire."""
    sent = pb.MxValue.FromString(to_mx_value(value).SerializeToString())
    back = from_mx_value(sent)
    assert back == value
    assert type(back) is type(value)


def test_a_list_of_numpy_scalars_is_an_array() -> None:
    """`list(frame["x"])` holds numpy scalars; 32-bit floats stay such."""
    assert from_mx_value(to_mx_value([numpy.int64(1), numpy.int64(2)])) == [1, 2]
    assert to_mx_value([numpy.float32(1.5)]).variant_type == "VT_ARRAY|VT_R4"
    assert to_mx_value([numpy.float32(1.5), 2.5]).variant_type == "VT_ARRAY|VT_R8"
