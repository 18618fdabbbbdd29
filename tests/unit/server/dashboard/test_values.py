"""Values as they are shown: the right digits, bounded, and plotted only where a line can be drawn."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.dashboard.values import MAX_TEXT, shown_value


@pytest.mark.parametrize(
    ("fields", "text", "number"),
    [
        ({"int64_value": 2**63 - 1}, "9223372036854775807", None),
        ({"int32_value": -5}, "-5", -5.0),
        ({"double_value": -0.0}, "-0.0", 0.0),
        ({"double_value": 1e308}, "1e+308", 1e308),
        ({"double_value": 0.1}, "0.1", 0.1),
        ({"double_value": math.nan}, "nan", None),
        ({"double_value": -math.inf}, "-inf", None),
        ({"float_value": 19.99}, "19.99", pytest.approx(19.99)),
        ({"float_value": math.inf}, "inf", None),
        ({"bool_value": True}, "true", 1.0),
        ({"string_value": ""}, "", None),
        ({"string_value": "x" * 1_000_000}, "x" * MAX_TEXT + " …", None),
        ({"is_null": True}, "", None),
        ({"raw_value": b"\x00"}, "bytes", None),
        ({}, "", None),
    ],
)
def test_a_value_is_shown_with_its_digits(fields: dict[str, Any], text: str, number: float | None) -> None:
    shown = shown_value(pb.MxValue(**fields))
    assert (shown.text, shown.number) == (text, number)


@pytest.mark.parametrize("year", [1601, 9999])
def test_a_time_is_shown_whatever_its_year(year: int) -> None:
    value = pb.MxValue()
    value.timestamp_value.FromJsonString(f"{year}-01-01T00:00:00Z")
    assert shown_value(value).text == f"{year}-01-01T00:00:00Z"


def test_an_array_is_named_as_such() -> None:
    value = pb.MxValue(data_type=pb.MX_DATA_TYPE_FLOAT)
    value.array_value.SetInParent()
    assert (shown_value(value).kind, shown_value(value).number) == ("Float[]", None)
