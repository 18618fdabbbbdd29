"""Values between the contract and VARIANTs: nothing is lost outwards, nothing wrong gets inwards."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.values import ValueConversionError, from_wire, timestamp_from_ns, timestamp_to_ns, to_wire
from mxgateway_protocol.variants import EMPTY, VT_ARRAY, DataType, Scalar, Variant, VarType

VT = VarType
NS = 1_700_000_000_123_456_789

INT32 = st.integers(-(2**31), 2**31 - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
# VT_DATE's years.
TIMES = st.integers(-59011459200 * 10**9, 253402300799 * 10**9)
SCALARS: dict[int, st.SearchStrategy[Scalar]] = {
    VT.VT_BOOL: st.booleans(),
    VT.VT_I4: INT32,
    VT.VT_R4: st.floats(width=32, allow_nan=False, allow_infinity=False),
    VT.VT_R8: st.floats(allow_nan=False, allow_infinity=False),
    VT.VT_BSTR: TEXT,
    VT.VT_DATE: TIMES,
}
DATA_TYPES = {
    VT.VT_BOOL: DataType.BOOLEAN,
    VT.VT_I4: DataType.INTEGER,
    VT.VT_R4: DataType.FLOAT,
    VT.VT_R8: DataType.DOUBLE,
    VT.VT_BSTR: DataType.STRING,
    VT.VT_DATE: DataType.TIME,
}


@st.composite
def variants(draw: st.DrawFn) -> Variant:
    vartype = draw(st.sampled_from(sorted(SCALARS)))
    if draw(st.booleans()):
        return Variant(vartype, draw(SCALARS[vartype]), DATA_TYPES[VarType(vartype)])
    values = tuple(draw(st.lists(SCALARS[vartype], max_size=5)))
    return Variant(VT_ARRAY | vartype, values, DATA_TYPES[VarType(vartype)])


@given(variants())
def test_what_is_read_can_be_written_back(variant: Variant) -> None:
    """Each type's value comes back from the contract as the same VARIANT."""
    message = pb.MxValue.FromString(to_wire(variant).SerializeToString())
    assert from_wire(message) == variant
    assert message.raw_diagnostic == ""


@pytest.mark.parametrize(
    ("vartype", "value", "arm", "expected"),
    [
        (VT.VT_BOOL, False, "bool_value", False),
        (VT.VT_I1, -128, "int32_value", -128),
        (VT.VT_I2, -32768, "int32_value", -32768),
        (VT.VT_UI1, 255, "int32_value", 255),
        (VT.VT_UI2, 65535, "int32_value", 65535),
        (VT.VT_I4, -(2**31), "int32_value", -(2**31)),
        (VT.VT_ERROR, -2147024809, "int32_value", -2147024809),
        (VT.VT_UI4, 2**32 - 1, "int64_value", 2**32 - 1),
        (VT.VT_I8, -(2**63), "int64_value", -(2**63)),
        (VT.VT_UI8, 2**63 - 1, "int64_value", 2**63 - 1),
        (VT.VT_R4, 1.5, "float_value", 1.5),
        (VT.VT_R8, math.inf, "double_value", math.inf),
        (VT.VT_CY, 12.34, "double_value", 12.34),
        (VT.VT_DECIMAL, 12.34, "double_value", 12.34),
        (VT.VT_BSTR, "", "string_value", ""),
        (VT.VT_DATE, NS, "timestamp_value", timestamp_from_ns(NS)),
        (VT.VT_FILETIME, -1, "timestamp_value", timestamp_from_ns(-1)),
        (VT.VT_RECORD, b"\x00\xff", "raw_value", b"\x00\xff"),
    ],
)
def test_each_vartype_has_its_arm(vartype: int, value: Scalar, arm: str, expected: object) -> None:
    """Every VARTYPE's value stands in one arm of MxValue, with the VARTYPE's name beside it."""
    message = to_wire(Variant(vartype, value))
    assert (message.WhichOneof("kind"), getattr(message, arm)) == (arm, expected)
    assert message.variant_type == VarType(vartype).name
    assert message.data_type == pb.MX_DATA_TYPE_UNKNOWN
    assert message.raw_data_type == -1


@pytest.mark.parametrize("data_type", list(DataType))
def test_data_types_are_the_native_numbers_plus_two(data_type: DataType) -> None:
    """The contract's MxDataType is shifted by two and the native number travels beside it."""
    message = to_wire(Variant(VT.VT_I4, 1, data_type))
    assert (message.data_type, message.raw_data_type) == (data_type + 2, data_type)
    assert pb.MxDataType.Name(message.data_type) == f"MX_DATA_TYPE_{data_type.name}"
    assert from_wire(message).data_type == data_type


def test_null_keeps_its_types() -> None:
    """An empty or null VARIANT is a null with its VARTYPE's name and its data type."""
    message = to_wire(EMPTY)
    assert (message.is_null, message.variant_type, message.data_type) == (True, "VT_EMPTY", pb.MX_DATA_TYPE_NO_DATA)
    assert message.WhichOneof("kind") is None
    null = to_wire(Variant(VT.VT_NULL, None, DataType.STRING))
    assert (null.is_null, null.variant_type, null.data_type) == (True, "VT_NULL", pb.MX_DATA_TYPE_STRING)
    assert from_wire(null) == Variant(VT.VT_NULL, None, DataType.STRING)


@pytest.mark.parametrize(
    "variant",
    [
        Variant(VT.VT_I4, "text"),
        Variant(VT.VT_I4, 2**31),
        Variant(VT.VT_UI8, 2**64 - 1),
        Variant(VT.VT_R4, 1e300),
        Variant(VT.VT_BSTR, "\ud800"),
        Variant(VT.VT_BSTR, 5),
        Variant(99, 5),
        Variant(VT.VT_I4, (1, 2)),
        Variant(VT_ARRAY | VT.VT_I4, 5),
        Variant(VT.VT_DATE, 2**200),
    ],
)
def test_values_without_an_exact_form_keep_raw_bytes_and_say_so(variant: Variant) -> None:
    """What no arm holds never raises: it travels raw, and the diagnostic names the VARTYPE."""
    message = to_wire(variant)
    assert message.WhichOneof("kind") == "raw_value"
    assert message.raw_value
    assert "has no exact form" in message.raw_diagnostic


def test_a_number_of_type_time_is_a_filetime_only_in_64_bits() -> None:
    """A 64-bit integer with type Time is FILETIME ticks; a 32-bit one stays a number."""
    ticks = (NS // 100) + 116_444_736_000_000_000
    assert timestamp_to_ns(to_wire(Variant(VT.VT_I8, ticks, DataType.TIME)).timestamp_value) == NS // 100 * 100
    assert to_wire(Variant(VT.VT_I4, 5, DataType.TIME)).int32_value == 5


@pytest.mark.parametrize(
    ("variant", "arm"),
    [
        (Variant(VT_ARRAY | VT.VT_VARIANT, (1, 2)), "int32_values"),
        (Variant(VT_ARRAY | VT.VT_VARIANT, (1, 2**40)), "int64_values"),
        (Variant(VT_ARRAY | VT.VT_VARIANT, (True, False)), "bool_values"),
        (Variant(VT_ARRAY | VT.VT_VARIANT, ("a", None)), "string_values"),
        (Variant(VT_ARRAY | VT.VT_VARIANT, ("a", 1)), "raw_values"),
        (Variant(VT_ARRAY | VT.VT_RECORD, (b"a", b"b")), "raw_values"),
        (Variant(VT_ARRAY | VT.VT_I4, ()), "int32_values"),
        (Variant(VT_ARRAY | VT.VT_DATE, ()), "timestamp_values"),
    ],
)
def test_arrays_find_the_arm_of_their_elements(variant: Variant, arm: str) -> None:
    """An array is typed by its elements, an array of VARIANTs by what they have in common."""
    array = to_wire(variant).array_value
    assert array.WhichOneof("values") == arm
    assert list(array.dimensions) == [len(variant.value)]  # type: ignore[arg-type]


def test_null_elements_stand_as_the_default_and_are_counted() -> None:
    """A typed array has no place for a null, so the diagnostic says how many there were."""
    array = to_wire(Variant(VT_ARRAY | VT.VT_BSTR, ("a", None, "b"))).array_value
    assert list(array.string_values.values) == ["a", "", "b"]
    assert "1 elements are null" in array.raw_diagnostic


def test_more_dimensions_travel_both_ways() -> None:
    """Lengths per dimension are kept; they must fit the number of elements."""
    variant = Variant(VT_ARRAY | VT.VT_I4, (1, 2, 3, 4, 5, 6), DataType.INTEGER, (2, 3))
    message = to_wire(variant)
    assert list(message.array_value.dimensions) == [2, 3]
    assert from_wire(message) == variant
    message.array_value.dimensions.append(2)
    with pytest.raises(ValueConversionError, match="dimensions"):
        from_wire(message)


@pytest.mark.parametrize(
    ("message", "vartype"),
    [
        (pb.MxValue(int64_value=5), VT.VT_I4),
        (pb.MxValue(int64_value=2**31), VT.VT_I8),
        (pb.MxValue(int64_value=2**31, variant_type="VT_UI4"), VT.VT_UI4),
        (pb.MxValue(int32_value=5, variant_type="VT_I2"), VT.VT_I2),
        (pb.MxValue(int32_value=70000, variant_type="VT_I2"), VT.VT_I4),
        (pb.MxValue(int32_value=5, variant_type="VT_BSTR"), VT.VT_I4),
        (pb.MxValue(float_value=1), VT.VT_R4),
        (pb.MxValue(), VT.VT_EMPTY),
        (pb.MxValue(is_null=True, int32_value=5), VT.VT_EMPTY),
        (pb.MxValue(array_value=pb.MxArray(int64_values=pb.Int64Array(values=[1, 2]))), VT_ARRAY | VT.VT_I4),
        (pb.MxValue(array_value=pb.MxArray(int64_values=pb.Int64Array(values=[1, 2**40]))), VT_ARRAY | VT.VT_I8),
    ],
)
def test_written_values_become_the_variant_that_mxaccess_takes(message: pb.MxValue, vartype: int) -> None:
    """Integers narrow to 32 bits wherever they fit, null becomes VT_EMPTY, wishes that do not fit are ignored."""
    assert from_wire(message).vartype == vartype


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (pb.MxValue(double_value=math.nan), "NaN"),
        (pb.MxValue(float_value=math.inf), "infinities"),
        (pb.MxValue(array_value=pb.MxArray(double_values=pb.DoubleArray(values=[1, -math.inf]))), "infinities"),
        (pb.MxValue(raw_value=b"x"), "raw"),
        (pb.MxValue(sparse_array_value=pb.MxSparseArray(total_length=2)), "sparse"),
        (pb.MxValue(array_value=pb.MxArray()), "without elements"),
        (pb.MxValue(array_value=pb.MxArray(raw_values=pb.RawArray(values=[b"x"]))), "raw"),
        (pb.MxValue(timestamp_value=timestamp_from_ns(10**30 // 1000)), "years"),
    ],
)
def test_values_that_cannot_be_written_are_refused(message: pb.MxValue, why: str) -> None:
    """The text of the refusal names the reason."""
    with pytest.raises(ValueConversionError, match=why):
        from_wire(message)


def test_float_values_are_the_32_bit_ones() -> None:
    """A VT_R4 keeps exactly its 32 bits."""
    value = struct.unpack("<f", struct.pack("<f", 0.1))[0]
    assert to_wire(Variant(VT.VT_R4, value, DataType.FLOAT)).float_value == value
