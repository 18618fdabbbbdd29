"""What may be written to which data type, and what comes back."""

from __future__ import annotations

import math

import pytest
from tests.unit.simulator.conftest import MakeSession
from tests.unit.simulator.plant_session import PlantSession, text

from mxgateway_protocol.variants import VT_ARRAY, DataType, Variant, VarType
from mxgateway_simulator.lmx.coercion import CoercionError, coerce, coerce_array, outward
from mxgateway_simulator.switches import Switches

V = VarType
D = DataType
MOMENT = 1_736_143_200 * 10**9
# A Time is a FILETIME, which begins in 1601; calendars end with the year 9999.
FIRST_TIME, LAST_TIME = -11_644_473_600 * 10**9, 253_402_300_800 * 10**9 - 1


@pytest.mark.parametrize(
    ("data_type", "vartype", "value", "expected"),
    [
        (D.BOOLEAN, V.VT_BOOL, True, True),
        (D.BOOLEAN, V.VT_I4, 2, True),
        (D.BOOLEAN, V.VT_R8, 0.0, False),
        (D.BOOLEAN, V.VT_BSTR, " TRUE ", True),
        (D.BOOLEAN, V.VT_BSTR, "0", False),
        (D.BOOLEAN, V.VT_BSTR, "maybe", 19),
        (D.BOOLEAN, V.VT_DATE, MOMENT, 1005),
        (D.INTEGER, V.VT_I4, -(2**31), -(2**31)),
        (D.INTEGER, V.VT_UI4, 2**31, 20),
        (D.INTEGER, V.VT_I8, 2**31 - 1, 2**31 - 1),
        (D.INTEGER, V.VT_I8, 2**40, 20),
        (D.INTEGER, V.VT_BOOL, True, 1),
        (D.INTEGER, V.VT_R8, 2.5, 2),
        (D.INTEGER, V.VT_R8, 3.5, 4),
        (D.INTEGER, V.VT_R8, math.nan, 1005),
        (D.INTEGER, V.VT_BSTR, "12", 12),
        (D.INTEGER, V.VT_BSTR, "12.6", 13),
        (D.INTEGER, V.VT_BSTR, "1e99", 20),
        (D.INTEGER, V.VT_BSTR, "twelve", 19),
        (D.INTEGER, V.VT_DATE, MOMENT, 1005),
        (D.FLOAT, V.VT_R4, 1.5, 1.5),
        (D.FLOAT, V.VT_R8, 0.1, 0.10000000149011612),
        (D.FLOAT, V.VT_R8, 1e39, 20),
        (D.FLOAT, V.VT_R8, math.inf, 1005),
        (D.FLOAT, V.VT_BSTR, "nan", 19),
        (D.DOUBLE, V.VT_R8, 1e300, 1e300),
        (D.DOUBLE, V.VT_I8, 2**60, float(2**60)),
        (D.DOUBLE, V.VT_BSTR, " 2.5 ", 2.5),
        (D.STRING, V.VT_BSTR, "text", "text"),
        (D.STRING, V.VT_BOOL, True, "true"),
        (D.STRING, V.VT_I4, -5, "-5"),
        (D.STRING, V.VT_R8, 2.0, "2"),
        (D.STRING, V.VT_R8, 2.25, "2.25"),
        (D.STRING, V.VT_DATE, MOMENT, "2025-01-06T06:00:00.000Z"),
        (D.BIG_STRING, V.VT_BSTR, "x" * 100_000, "x" * 100_000),
        (D.INTERNATIONALIZED_STRING, V.VT_BSTR, "Grüße", "Grüße"),
        (D.TIME, V.VT_DATE, MOMENT, MOMENT),
        (D.TIME, V.VT_FILETIME, MOMENT, MOMENT),
        (D.TIME, V.VT_DATE, FIRST_TIME, FIRST_TIME),
        (D.TIME, V.VT_DATE, FIRST_TIME - 1, 20),
        (D.TIME, V.VT_DATE, LAST_TIME, LAST_TIME),
        (D.TIME, V.VT_DATE, LAST_TIME + 1, 20),
        (D.TIME, V.VT_I8, 2**63 - 1, 20),
        (D.TIME, V.VT_BSTR, "1601-01-01T00:00:00Z", FIRST_TIME),
        (D.TIME, V.VT_BSTR, "1600-12-31T23:59:59Z", 20),
        (D.STRING, V.VT_DATE, FIRST_TIME, "1601-01-01T00:00:00.000Z"),
        (D.STRING, V.VT_DATE, LAST_TIME, "9999-12-31T23:59:59.999Z"),
        (D.TIME, V.VT_I8, 133_806_168_000_000_000, MOMENT),
        (D.TIME, V.VT_BSTR, "2025-01-06T07:00:00+01:00", MOMENT),
        (D.TIME, V.VT_BSTR, "soon", 19),
        (D.TIME, V.VT_R8, 1.0, 1005),
        (D.ELAPSED_TIME, V.VT_R8, 1.5, 1.5),
        (D.ELAPSED_TIME, V.VT_I4, 90, 90.0),
        (D.ELAPSED_TIME, V.VT_BSTR, "1 02:03:04.5", 93784.5),
        (D.REFERENCE_TYPE, V.VT_BSTR, "A.B", "A.B"),
        (D.REFERENCE_TYPE, V.VT_I4, 1, 1005),
        (D.STATUS_TYPE, V.VT_I4, 3, 3),
        (D.QUALIFIED_ENUM, V.VT_I4, 1, 1),
        (D.QUALIFIED_ENUM, V.VT_I4, 3, 1004),
        (D.QUALIFIED_ENUM, V.VT_BSTR, "green", 2),
        (D.QUALIFIED_ENUM, V.VT_BSTR, "blue", 19),
        (D.QUALIFIED_ENUM, V.VT_BOOL, True, 1005),
        (D.QUALIFIED_STRUCT, V.VT_BOOL, True, 1005),
        (D.QUALIFIED_STRUCT, V.VT_BSTR, "x", 1005),
        (D.INTEGER, V.VT_RECORD, b"x", 1005),
        (D.INTEGER, VT_ARRAY | V.VT_I4, (1, 2), 1005),
    ],
)
def test_scalars(data_type: int, vartype: int, value: object, expected: object) -> None:
    """Every type takes what it can represent; an expected detail number stands for a refusal."""
    variant = Variant(vartype, value)  # type: ignore[arg-type]
    found: object
    try:
        found = coerce(variant, data_type, ("Red", "Amber", "Green"))
    except CoercionError as error:
        found = int(error.detail)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("data_type", "vartype", "values", "expected"),
    [
        (D.INTEGER, V.VT_I4, (1, 2), (1, 2)),
        (D.INTEGER, V.VT_I2, (1,), (1,)),
        (D.INTEGER, V.VT_R8, (1.0,), 1005),
        (D.FLOAT, V.VT_R8, (1.5,), (1.5,)),
        (D.FLOAT, V.VT_I4, (1,), 1005),
        (D.STRING, V.VT_BSTR, ("a", ""), ("a", "")),
        (D.STRING, V.VT_I4, (1,), 1005),
        (D.STRING, V.VT_VARIANT, ("a",), 1005),
        (D.BOOLEAN, V.VT_BOOL, (True, False), (True, False)),
        (D.TIME, V.VT_DATE, (MOMENT,), (MOMENT,)),
        (D.INTEGER, V.VT_I4, (), ()),
        (D.INTEGER, V.VT_I8, (2**40,), 20),
    ],
)
def test_arrays_are_typed(data_type: int, vartype: int, values: tuple[object, ...], expected: object) -> None:
    """Arrays are SAFEARRAYs of the attribute's family of types, never of VARIANTs."""
    try:
        found: object = coerce_array(Variant(VT_ARRAY | vartype, values), data_type)  # type: ignore[arg-type]
    except CoercionError as error:
        found = error.detail
    assert found == expected


@pytest.mark.parametrize(
    ("attribute", "vartype"),
    [
        ("TestBool", V.VT_BOOL),
        ("TestInt", V.VT_I4),
        ("TestFloat", V.VT_R4),
        ("TestDouble", V.VT_R8),
        ("TestString", V.VT_BSTR),
        ("TestDateTime", V.VT_DATE),
        ("TestDuration", V.VT_R8),
        ("TestReference", V.VT_BSTR),
        ("TestStatus", V.VT_I4),
        ("TestEnum", V.VT_I4),
        ("TestInternationalString", V.VT_BSTR),
        ("TestBigString", V.VT_BSTR),
        ("TestBoolArray[]", VT_ARRAY | V.VT_BOOL),
        ("TestFloatArray[]", VT_ARRAY | V.VT_R4),
        ("TestDateTimeArray[]", VT_ARRAY | V.VT_DATE),
    ],
)
def test_each_data_type_is_delivered_as_its_vartype(reader: PlantSession, attribute: str, vartype: int) -> None:
    """What is read has the VARTYPE of the table, and the Galaxy's own data type beside it."""
    found = reader.read(f"TestChildObject.{attribute}")
    assert found.variant.vartype == vartype
    assert found.variant.data_type > 0


def test_refusals_name_one_detail_unless_switched(make_session: MakeSession) -> None:
    """A text that is no number: software error 1005 by default, 19 with not_coercible_detail=specific."""
    plain = make_session()
    handle = plain.advised("TestChildObject.TestInt")
    assert plain.outcome(handle, text("twelve")) == (0, 7, 5, 1005)
    specific = make_session(switches={"not_coercible_detail": "specific", "not_coercible_category": "operational"})
    handle = specific.advised("TestChildObject.TestInt")
    assert specific.outcome(handle, text("twelve")) == (0, 5, 5, 19)


def test_enumerations_and_times_may_be_delivered_as_text() -> None:
    """Switches qualified_enum_as and timestamp_vartype choose between what sources report."""
    switches = Switches(qualified_enum_as="string", timestamp_vartype="bstr")
    shown = outward(1, D.QUALIFIED_ENUM, False, switches, ("Red", "Amber"))
    assert (shown.vartype, shown.value) == (V.VT_BSTR, "Amber")
    shown = outward((MOMENT,), D.TIME, True, switches)
    assert (shown.vartype, shown.value) == (VT_ARRAY | V.VT_BSTR, ("2025-01-06T06:00:00.000Z",))


WIDE = [
    ("TestDouble", Variant(VarType.VT_I8, 2**40)),
    ("TestString", Variant(VarType.VT_UI8, 2**40)),
    ("TestDouble", Variant(VarType.VT_UI4, 2**31)),
    ("TestDoubleArray[]", Variant(VT_ARRAY | VarType.VT_I8, (1, 2**40))),
]


@pytest.mark.parametrize(("attribute", "value"), WIDE)
def test_wide_integers_are_refused_unless_switched(make_session: MakeSession, attribute: str, value: Variant) -> None:
    """MXAccess takes 32 bits with a sign, also where the attribute could hold more."""
    strict, lenient = make_session(), make_session(switches={"wide_integers": "coerced"})
    assert strict.outcome(strict.advised(f"TestChildObject.{attribute}"), value) == (0, 7, 5, 1005)
    expected = (-1, 0, 5, 0) if "Array" not in attribute else (0, 7, 5, 1005)
    assert lenient.outcome(lenient.advised(f"TestChildObject.{attribute}"), value) == expected


def test_a_small_unsigned_integer_is_taken(session: PlantSession) -> None:
    handle = session.advised("TestChildObject.TestDouble")
    assert session.outcome(handle, Variant(VarType.VT_UI4, 2**31 - 1)) == (-1, 0, 5, 0)


def test_a_struct_is_read_by_its_members(make_session: MakeSession) -> None:
    """As a whole it gives a failed status, or an empty text by switch; a write completes with 1005."""
    session, lenient = make_session(), make_session(switches={"qualified_struct_as": "text"})
    whole = session.read("TestChildObject.TestStruct")
    assert (tuple(whole.status), whole.quality, whole.variant.vartype) == ((0, 4, 5, 18), 4, VarType.VT_EMPTY)
    assert session.read("TestChildObject.TestStruct.Type").value == DataType.QUALIFIED_STRUCT
    assert session.read("testchildobject.teststruct.CODE").value == 7
    assert session.read("TestChildObject.TestStruct.Text").value == "seven"
    handle = session.advised("TestChildObject.TestStruct")
    assert session.outcome(handle, Variant(VarType.VT_BOOL, True)) == (0, 7, 5, 1005)
    assert lenient.read("TestChildObject.TestStruct").value == ""


def test_nan_is_delivered_and_not_taken(session: PlantSession) -> None:
    """A float that nothing has set yet holds NaN, once; but nobody can write it."""
    first = session.read("TestChildObject.TestNaN")
    assert math.isnan(first.value)
    assert (first.variant.vartype, first.quality) == (VarType.VT_R4, 192)
    handle = session.advised("TestChildObject.TestNaN")
    assert session.advance(1) == []
    assert session.outcome(handle, Variant(VarType.VT_R4, math.nan)) == (0, 7, 5, 1005)
    assert session.outcome(handle, Variant(VarType.VT_R4, 1.5)) == (-1, 0, 5, 0)


@pytest.mark.parametrize(
    ("attribute", "vartype", "exact_too"),
    [
        ("TestFloatArray[]", VarType.VT_R8, False),
        ("TestFloatArray[]", VarType.VT_R4, True),
        ("TestIntArray[]", VarType.VT_I2, False),
        ("TestIntArray[]", VarType.VT_I4, True),
    ],
)
def test_array_elements_may_have_to_be_exact(
    make_session: MakeSession, attribute: str, vartype: int, exact_too: bool
) -> None:
    """A related element type is taken, unless the switch asks for the very one in which the array is delivered."""
    lenient, exact = make_session(), make_session(switches={"array_elements": "exact"})
    value = Variant(VT_ARRAY | vartype, (1, 2))
    assert lenient.outcome(lenient.advised(f"TestChildObject.{attribute}"), value) == (-1, 0, 5, 0)
    expected = (-1, 0, 5, 0) if exact_too else (0, 7, 5, 1005)
    assert exact.outcome(exact.advised(f"TestChildObject.{attribute}"), value) == expected
