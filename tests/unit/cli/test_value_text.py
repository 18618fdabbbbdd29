"""Values as text: for people, total, and such that `write` takes them back."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mxgateway import to_mx_value
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.value_parsing import TYPES, parse_like, parse_value
from mxgateway_cli.value_text import elapsed_text, mx_text
from mxgateway_cli.value_types import type_of

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
# What a protobuf string can hold: no lone surrogates.
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.text("\\\"[], -\n\t…'{}", max_size=8)
SCALARS = {
    "bool": st.booleans(),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float": FLOATS,
    "double": DOUBLES,
    "string": TEXTS,
    "timestamp": st.tuples(st.integers(-62135596800, 253402300799), st.integers(0, 999_999_999)),
    "elapsed": DOUBLES,
}


def mx(value: object, type_name: str) -> pb.MxValue:
    """A value as it comes from a gateway; a time is seconds and nanoseconds."""
    if type_name == "timestamp":
        result = pb.MxValue(data_type=pb.MX_DATA_TYPE_TIME, variant_type="VT_DATE")
        result.timestamp_value.seconds, result.timestamp_value.nanos = value  # type: ignore[misc]
        return result
    if type_name == "timestamp[]":
        result = pb.MxValue(data_type=pb.MX_DATA_TYPE_TIME, variant_type="VT_ARRAY|VT_DATE")
        result.array_value.element_data_type = pb.MX_DATA_TYPE_TIME
        result.array_value.variant_type = "VT_ARRAY|VT_DATE"
        result.array_value.timestamp_values.SetInParent()
        for seconds, nanos in value:  # type: ignore[attr-defined]
            result.array_value.timestamp_values.values.add(seconds=seconds, nanos=nanos)
        result.array_value.dimensions.append(len(result.array_value.timestamp_values.values))
        return result
    return to_mx_value(value, data_type=type_name)


@pytest.fixture(params=["UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "NST3:30", "Europe/Amsterdam"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The local time of several places, one of which once had seconds in its offset."""
    if not hasattr(time, "tzset"):
        pytest.skip("the zone of a process can be set on Unix only")
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    os.environ.setdefault("TZ", "UTC0") if "TZ" in os.environ else None
    time.tzset()


@pytest.mark.parametrize("type_name", TYPES)
def test_what_read_shows_write_takes(type_name: str) -> None:
    """For every type: the text of any value, parsed as the type of that value, is that value to the last bit."""
    scalar = type_name.removesuffix("[]")
    strategy = SCALARS[scalar] if type_name == scalar else st.lists(SCALARS[scalar], max_size=12)

    @given(strategy)
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def goes_round(value: object) -> None:
        shown = mx(value, type_name)
        assert type_of(shown) == type_name
        text = mx_text(shown, whole=True)
        assert text.isprintable()
        back = parse_like(text, shown)
        assert back.SerializeToString(deterministic=True) == shown.SerializeToString(deterministic=True), text

    goes_round()


def test_times_go_round_in_every_zone(zone: str) -> None:
    """Local time with its offset, before there were zones and at the ends of the calendar."""
    for seconds in (-62135596800, -5_000_000_000, -1, 0, 1_700_000_000, 1_711_846_799, 253402300799):
        for nanos in (0, 1_000_000, 123_456_000, 999_999_999):
            shown = mx((seconds, nanos), "timestamp")
            assert parse_value(mx_text(shown), "timestamp") == shown


@given(st.lists(st.lists(st.integers(-9, 9), min_size=2, max_size=2), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_arrays_of_two_dimensions_go_round(rows: list[list[int]]) -> None:
    shown = to_mx_value(rows, data_type="int32[]")
    assert parse_like(mx_text(shown, whole=True), shown) == shown


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(pb.MxValue(timestamp_value={"seconds": 2**62}).SerializeToString())
@example(pb.MxValue(timestamp_value={"seconds": 5, "nanos": -1}).SerializeToString())
@example(pb.MxValue(double_value=1e308, data_type=pb.MX_DATA_TYPE_ELAPSED_TIME).SerializeToString())
@example(pb.MxValue(double_value=float("nan"), data_type=pb.MX_DATA_TYPE_ELAPSED_TIME).SerializeToString())
@example(pb.MxValue(float_value=float("-inf")).SerializeToString())
@example(pb.MxValue(raw_value=b"\0\xff", raw_diagnostic="VT_DISPATCH").SerializeToString())
@example(pb.MxValue(is_null=True, raw_diagnostic="line\none").SerializeToString())
@example(pb.MxValue(sparse_array_value={"elements": [{"index": 3, "value": {"int32_value": 7}}]}).SerializeToString())
@example(pb.MxValue(array_value={"dimensions": [0, 5], "int32_values": {}}).SerializeToString())
@example(pb.MxValue(array_value={"dimensions": [2, 5], "int32_values": {"values": [1]}}).SerializeToString())
@example(pb.MxValue(array_value={"raw_values": {"values": [b"1"]}}).SerializeToString())
def test_whatever_comes_has_a_text(message: bytes) -> None:
    """Nothing that the contract can carry raises, and nothing can break a line."""
    try:
        value = pb.MxValue.FromString(message)
    except DecodeError:
        return
    assert mx_text(value).isprintable()
    assert mx_text(value, whole=True).isprintable()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12345678.9, "12345678.9"),
        (1234567.0, "1234567"),
        (0.1, "0.1"),
        (1e-300, "1e-300"),
        (1e300, "1e+300"),
        (-0.0, "-0"),
        (1e16, "1e+16"),
        (2.0**53, "9007199254740992"),
    ],
)
def test_numbers_are_shown_in_full(value: float, text: str) -> None:
    """A totaliser keeps all its digits."""
    assert mx_text(to_mx_value(value)) == text


@pytest.mark.parametrize(("value", "text"), [(7.78, "7.78"), (1234567.9, "1234567.9"), (3.4028235e38, "3.4028235e+38")])
def test_a_float_has_no_digits_that_it_does_not_carry(value: float, text: str) -> None:
    narrow = struct.unpack("<f", struct.pack("<f", value))[0]
    assert mx_text(to_mx_value(narrow, data_type="float")) == text
    # As a double the same number is another one, and says so.
    assert len(mx_text(to_mx_value(narrow))) >= len(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("hello", "hello"),
        ("Kühlmaschine 冷", "Kühlmaschine 冷"),
        ("", '""'),
        ("-", '"-"'),
        (" padded ", '" padded "'),
        ('"in quotes"', r'"\"in quotes\""'),
        ("a\nb\t\x1b[2Jc", r'"a\u000ab\u0009\u001b[2Jc"'),
        (r"C:\temp", r"C:\temp"),
        ("[1, 2]", "[1, 2]"),
    ],
)
def test_texts_are_plain_where_they_can_be(value: str, text: str) -> None:
    """Quotes and escapes stand only where something would be hidden; nothing can command the terminal."""
    assert mx_text(to_mx_value(value)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (90.0, "0:01:30"),
        (0.0, "0:00:00"),
        (-0.5, "-0:00:00.5"),
        (86400.0, "1 day 0:00:00"),
        (200000.25, "2 days 7:33:20.25"),
        (1e16, "1e+16 s"),
        (5e-324, "5e-324 s"),
    ],
)
def test_durations_read_like_a_clock(seconds: float, text: str) -> None:
    assert elapsed_text(seconds) == text


def test_a_long_list_is_cut_short_for_people_and_whole_for_scripts() -> None:
    value = to_mx_value(list(range(20)))
    assert mx_text(value) == "[0, 1, 2, 3, 4, 5, 6, 7, …]"
    assert mx_text(value, whole=True).count(",") == 19
    assert mx_text(to_mx_value(["a", "b, c", 'say "d"'])) == r'["a", "b, c", "say \"d\""]'
    assert mx_text(to_mx_value(None)) == "-"
