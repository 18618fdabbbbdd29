"""Coercion as COM's VariantChangeType does it; the ring holds the same against oleaut32 itself."""

from __future__ import annotations

import math

import pytest
from tests.unit.simulator.conftest import MakeSession
from tests.unit.simulator.plant_session import Change

from mxgateway_protocol.variants import VT_ARRAY, DataType, Variant, VarType
from mxgateway_simulator.lmx.automation import by_automation, days_of
from mxgateway_simulator.lmx.coercion import CoercionError

V = VarType
D = DataType
SECOND = 10**9
MOMENT = 1_700_000_000 * SECOND
MIDNIGHT = 1_699_920_000 * SECOND


@pytest.mark.parametrize(
    ("data_type", "vartype", "value", "expected"),
    [
        (D.INTEGER, V.VT_BOOL, True, -1),
        (D.INTEGER, V.VT_BOOL, False, 0),
        (D.INTEGER, V.VT_R8, 2.5, 2),
        (D.INTEGER, V.VT_R8, 3.5, 4),
        (D.INTEGER, V.VT_BSTR, " 7 ", 7),
        (D.INTEGER, V.VT_BSTR, "1e2", 100),
        (D.INTEGER, V.VT_DATE, MIDNIGHT, 45_244),
        (D.DOUBLE, V.VT_BOOL, True, -1.0),
        (D.DOUBLE, V.VT_DATE, MIDNIGHT + 43_200 * SECOND, 45_244.5),
        (D.FLOAT, V.VT_I4, 7, 7.0),
        (D.BOOLEAN, V.VT_R8, 0.25, True),
        (D.BOOLEAN, V.VT_BSTR, "True", True),
        (D.BOOLEAN, V.VT_BSTR, "#FALSE#", False),
        (D.BOOLEAN, V.VT_BSTR, "0", False),
        (D.BOOLEAN, V.VT_DATE, MOMENT, True),
        (D.STRING, V.VT_BOOL, True, "-1"),
        (D.STRING, V.VT_R8, 1e300, "1E+300"),
        (D.STRING, V.VT_R8, 0.1, "0.1"),
        (D.STRING, V.VT_R4, 0.5, "0.5"),
        (D.STRING, V.VT_I4, -3, "-3"),
        (D.STRING, V.VT_DATE, MOMENT, "11/14/2023 22:13:20"),
        (D.STRING, V.VT_DATE, MIDNIGHT, "11/14/2023"),
        (D.BIG_STRING, V.VT_BSTR, "as it is", "as it is"),
        (D.TIME, V.VT_I4, 45_244, MIDNIGHT),
        (D.TIME, V.VT_R8, 45_244.5, MIDNIGHT + 43_200 * SECOND),
        (D.TIME, V.VT_BSTR, "11/14/2023 22:13:20", MOMENT),
        (D.TIME, V.VT_BSTR, "2023-11-14", MIDNIGHT),
        (D.TIME, V.VT_DATE, MOMENT, MOMENT),
    ],
)
def test_what_a_value_becomes(data_type: int, vartype: int, value: object, expected: object) -> None:
    made = by_automation(Variant(vartype, value), data_type)  # type: ignore[arg-type]
    assert (type(made), made) == (type(expected), expected)


@pytest.mark.parametrize(
    ("data_type", "vartype", "value"),
    [
        (D.INTEGER, V.VT_BSTR, "abc"),
        (D.INTEGER, V.VT_R8, 1e300),
        (D.FLOAT, V.VT_R8, 1e300),
        (D.DOUBLE, V.VT_R8, math.nan),
        (D.TIME, V.VT_BSTR, "yesterday"),
        (D.TIME, V.VT_BSTR, "13/40/2023"),
        (D.TIME, V.VT_R8, 1e9),
        (D.STRING, V.VT_EMPTY, None),
        (D.INTEGER, VT_ARRAY | V.VT_I4, (1, 2)),
    ],
)
def test_what_fails(data_type: int, vartype: int, value: object) -> None:
    with pytest.raises(CoercionError):
        by_automation(Variant(vartype, value), data_type)  # type: ignore[arg-type]


@pytest.mark.parametrize(("unix_days", "days"), [(0, 25_569.0), (-25_570.75, -2.25), (-25_568.5, 0.5)])
def test_dates_before_1899_count_their_fraction_away_from_zero(unix_days: float, days: float) -> None:
    assert days_of(round(unix_days * 86_400) * SECOND) == days


@pytest.mark.parametrize(("coercion", "kept"), [("galaxy", 1), ("automation", -1)])
def test_the_switch_chooses(make_session: MakeSession, coercion: str, kept: int) -> None:
    session = make_session(switches={"coercion": coercion})
    item = session.backend.add_item(1, "TestChildObject.TestInt")
    session.backend.advise(1, item)
    session.pump()
    session.backend.write(1, item, Variant(V.VT_BOOL, True), 0)
    change = session.pump()[-1]
    assert isinstance(change, Change)
    assert change.value == kept
