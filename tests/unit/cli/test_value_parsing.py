"""Values as people type them: forms that mean one thing are taken, those that could mean two are refused."""

from __future__ import annotations

import click
import pytest

from mxgateway import from_mx_value, to_mx_value
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.value_parsing import parse_elapsed, parse_like, parse_timestamp, parse_value


@pytest.mark.parametrize(
    ("text", "type_name", "value"),
    [
        ("on", "bool", True),
        ("OFF", "bool", False),
        ("-5", "int32", -5),
        ("0x1F", "int32", 31),
        (" 7 ", "int64", 7),
        ("-.5", "double", -0.5),
        ("3", "double", 3.0),
        ("hello world", "string", "hello world"),
        ("", "string", ""),
        ('""', "string", ""),
        ("[1]", "string", "[1]"),
        ("1,2,3", "int32[]", [1, 2, 3]),
        ("[1, 2, 3]", "int32[]", [1, 2, 3]),
        (" [ 1 ,2 ] ", "int32[]", [1, 2]),
        ("[]", "int32[]", []),
        ("[[1, 2], [3, 4]]", "int32[]", [[1, 2], [3, 4]]),
        ('a, "b, c",""', "string[]", ["a", "b, c", ""]),
        ('"say ""hi""",b', "string[]", ['say "hi"', "b"]),
        ('["a", "b, c", ""]', "string[]", ["a", "b, c", ""]),
        ("[a, b c]", "string[]", ["a", "b c"]),
        (r'["tab\tquote\""]', "string[]", ['tab\tquote"']),
        ("x]", "string[]", ["x]"]),
        ("true,false", "bool[]", [True, False]),
    ],
)
def test_forms_that_mean_one_thing(text: str, type_name: str, value: object) -> None:
    assert from_mx_value(parse_value(text, type_name)) == value


@pytest.mark.parametrize(
    ("text", "type_name", "wanted"),
    [
        ("", "int32[]", "say []"),
        ("   ", "string[]", "say []"),
        ("", "int32", "a whole number"),
        ("5.5", "int32", "a whole number"),
        ("3,5", "double", "3.5 with a point"),
        ("maybe", "bool", "true or false"),
        ("1e400", "double", "NaN and infinities"),
        ("1e39", "float", "32-bit float"),
        ("1,,2", "int32[]", "element is empty"),
        (",", "string[]", 'say "" for an empty text'),
        ("a,,b", "string[]", 'say "" for an empty text'),
        ("1,2,", "int32[]", "element is empty"),
        ("[1, 2", "int32[]", "brackets with commas between"),
        ("[1, 2] 3", "int32[]", "behind the last bracket"),
        ("[1, 2, …]", "int32[]", "cut short"),
        ("1,…", "int32[]", "cut short"),
        ("['a', 'b']", "string[]", "double quotes"),
        ('["a]', "string[]", "not closed"),
        ('"a,b', "string[]", "not closed"),
        (r'["C:\qemp"]', "string[]", "escape"),
        ("[[1], 2]", "int32[]", ""),
        ('"hello"', "string", r'say hello without them, or "\"hello\"" with them'),
        (r'"C:\temp"', "string", "with them"),
        ("2026-01-31 12:00:00", "timestamp", "such as 2026-01-31T12:00:00Z"),
        ("12:00", "timestamp", "such as 2026-01-31T12:00:00Z"),
        ("1:30", "elapsed", "0:01:30"),
        ("1:75:00", "elapsed", "0:01:30"),
        ("P", "elapsed", "0:01:30"),
        ("soon", "elapsed", "0:01:30"),
        ("nan", "elapsed", "NaN"),
    ],
)
def test_what_could_mean_two_things_is_refused_with_the_wanted_form(text: str, type_name: str, wanted: str) -> None:
    with pytest.raises(click.BadParameter) as refusal:
        parse_value(text, type_name, "VALUE")
    assert wanted in refusal.value.message
    assert type_name in refusal.value.message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        ("90 s", 90.0),
        ("1.5s", 1.5),
        ("-90", -90.0),
        ("0:01:30", 90.0),
        ("-0:01:30.25", -90.25),
        ("100:00:00", 360_000.0),
        ("1 day, 0:01:30", 86_490.0),
        ("2 days 0:00:01", 172_801.0),
        ("2d 0:00:01", 172_801.0),
        ("PT1M30S", 90.0),
        ("-P1DT0.5S", -86_400.5),
        ("1e+15 s", 1e15),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_elapsed(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00.5Z",
        "2026-01-31 12:00:00.500Z",
        "2026-01-31 13:00:00.5+01:00",
        "2026-01-31 13:00:00.5 +01:00",
        "2026-01-31t12:00:00.500000000z",
    ],
)
def test_times_with_a_blank_or_a_t(text: str) -> None:
    assert parse_timestamp(text).ToJsonString() == "2026-01-31T12:00:00.500Z"


def enumeration(value: object) -> pb.MxValue:
    mx = to_mx_value(value)
    mx.data_type = pb.MX_DATA_TYPE_QUALIFIED_ENUM
    return mx


def test_an_enumeration_takes_number_or_name() -> None:
    """A name goes as a text, which MXAccess looks up; a number as one. What is empty is neither."""
    assert parse_like("2", enumeration(1)).int32_value == 2
    assert parse_like("Green", enumeration(1)).string_value == "Green"
    assert list(parse_like("Red,Green", enumeration([0, 1])).array_value.string_values.values) == ["Red", "Green"]
    assert list(parse_like("[1, 2]", enumeration([0, 1])).array_value.int32_values.values) == [1, 2]
    with pytest.raises(click.BadParameter):
        parse_like("", enumeration(1))
    with pytest.raises(click.BadParameter):
        parse_like("Green", to_mx_value(1))


def test_a_value_without_a_type_asks_for_one() -> None:
    with pytest.raises(click.UsageError, match="--type"):
        parse_like("5", to_mx_value(None))
    assert parse_like("5", to_mx_value(None), type_name="int32").int32_value == 5


def test_an_empty_array_keeps_its_type() -> None:
    """Some backends send no arm with an array without elements; its data type says what it holds."""
    empty = pb.MxValue(data_type=pb.MX_DATA_TYPE_INTEGER, array_value=pb.MxArray())
    assert list(parse_like("1,2", empty).array_value.int32_values.values) == [1, 2]
