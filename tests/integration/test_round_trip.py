"""Every data type and its extremes: client → gateway → worker → model → event → client is the identity, or the
documented coercion or refusal."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.shared_gateway import shared_gateway

from mxgateway import GatewayClient, MxAccessError, Session, from_mx_value
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.testing import LocalGateway

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow]

INT_MAX, INT_MIN = 2**31 - 1, -(2**31)
FLOAT_MAX = 3.4028234663852886e38
DOUBLE_MAX = 1.7976931348623157e308
FLOAT_LEAST = 1.401298464324817e-45
FIRST_TIME, LAST_TIME = datetime(1601, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
MOMENT = datetime(2026, 2, 28, 23, 59, 59, 123000, tzinfo=UTC)

# attribute of TestChildObject, what is written, what comes back, its VARTYPE
IDENTITIES: list[tuple[str, Any, str]] = [
    ("TestBool", True, "VT_BOOL"),
    ("TestBool", False, "VT_BOOL"),
    ("TestInt", 0, "VT_I4"),
    ("TestInt", INT_MAX, "VT_I4"),
    ("TestInt", INT_MIN, "VT_I4"),
    ("TestFloat", 0.5, "VT_R4"),
    ("TestFloat", FLOAT_MAX, "VT_R4"),
    ("TestFloat", -FLOAT_MAX, "VT_R4"),
    ("TestFloat", FLOAT_LEAST, "VT_R4"),
    ("TestFloat", -0.0, "VT_R4"),
    ("TestDouble", DOUBLE_MAX, "VT_R8"),
    ("TestDouble", -DOUBLE_MAX, "VT_R8"),
    ("TestDouble", 5e-324, "VT_R8"),
    ("TestDouble", -0.0, "VT_R8"),
    ("TestString", "", "VT_BSTR"),
    ("TestString", "Grüße 漢字 🏭\r\n\t'\"", "VT_BSTR"),
    ("TestString", "x" * 1_000_000, "VT_BSTR"),
    ("TestDateTime", MOMENT, "VT_DATE"),
    ("TestDateTime", FIRST_TIME, "VT_DATE"),
    ("TestDateTime", LAST_TIME, "VT_DATE"),
    ("TestStatus", INT_MAX, "VT_I4"),
    ("TestDataTypeEnum", 16, "VT_I4"),
    ("TestSecurityEnum", 6, "VT_I4"),
    ("TestQualityType", INT_MIN, "VT_I4"),
    ("TestReference", "TestMachine_002", "VT_BSTR"),
    ("TestEnum", 2, "VT_I4"),
    ("TestInternationalString", "Ünïcode", "VT_BSTR"),
    ("TestBigString", "x" * 200_000, "VT_BSTR"),
    ("TestBoolArray[]", [True, False] * 5, "VT_ARRAY|VT_BOOL"),
    ("TestIntArray[]", [INT_MAX, INT_MIN, 0] * 10, "VT_ARRAY|VT_I4"),
    ("TestFloatArray[]", [FLOAT_MAX, -0.5, 1.0], "VT_ARRAY|VT_R4"),
    ("TestDoubleArray[]", [DOUBLE_MAX, 5e-324, -1.5], "VT_ARRAY|VT_R8"),
    ("TestStringArray[]", ["", "a", "漢字", "x" * 5000], "VT_ARRAY|VT_BSTR"),
    ("TestDateTimeArray[]", [MOMENT, datetime(1970, 1, 1, tzinfo=UTC)], "VT_ARRAY|VT_DATE"),
    ("TestDateTimeArray[]", [FIRST_TIME, LAST_TIME], "VT_ARRAY|VT_DATE"),
    ("TestDoubleArray[]", [-0.0, DOUBLE_MAX], "VT_ARRAY|VT_R8"),
    ("TestBoolArray[]", [True], "VT_ARRAY|VT_BOOL"),
    ("TestStringArray[]", ["x" * 1_000_000], "VT_ARRAY|VT_BSTR"),
    ("TestIntArray[]", list(range(-16_000, 16_767)), "VT_ARRAY|VT_I4"),
    ("TestIntArray[3]", 77, "VT_I4"),
    ("TestStringArray[1]", "first", "VT_BSTR"),
]

# written, what comes back
COERCIONS: list[tuple[str, Any, Any]] = [
    ("TestInt", "123", 123),
    ("TestInt", True, 1),
    ("TestFloat", 7, 7.0),
    ("TestDouble", "2.5", 2.5),
    ("TestString", 42, "42"),
    ("TestBool", 1, True),
    # OnDataChange carries no data type, so nothing tells seconds from a Double.
    ("TestDuration", timedelta(days=1, milliseconds=250), 86_400.25),
    ("TestDurationArray[]", [timedelta(0), timedelta(days=10_000, microseconds=500)], [0.0, 864_000_000.0005]),
]

# written, detail of the failed completion
REFUSALS: list[tuple[str, Any, int]] = [
    ("TestInt", "no number", 1005),
    ("TestInt", 2**31, 1005),
    ("TestDouble", 2**40, 1005),
    ("TestFloat", 1e39, 1005),
    ("TestDateTime", datetime(1600, 12, 31, tzinfo=UTC), 1005),
    ("TestBool", "perhaps", 1005),
    ("TestEnum", 3, 1004),
    ("TestIntArray[]", ["1"], 1005),
    ("TestIntArray[]", 1, 1005),
    ("TestInt", [1], 1005),
    ("TestStruct.Code", "x", 1005),
    ("RangedValue", 101, 1004),
    ("CategoryConstant", 1, 1007),
]


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with shared_gateway("reference") as running:
        yield running


@pytest.fixture
async def client(gateway: LocalGateway) -> AsyncIterator[GatewayClient]:
    async with await gateway.connect() as connected:
        yield connected


@pytest.fixture
async def session(client: GatewayClient) -> AsyncIterator[Session]:
    async with await client.open_session() as opened:
        yield opened


async def written_and_seen(session: Session, attribute: str, value: Any) -> pb.MxEvent:
    """Writes a tag and returns the OnDataChange with which a new subscription begins.

    Raises:
        MxAccessError: the write was refused or failed.
    """
    tag = f"TestChildObject.{attribute}"
    await session.write_and_confirm(tag, value, timeout=30)
    async with session.subscribe([tag]) as changes:
        raw = (await changes.next_change(30)).raw
    assert isinstance(raw, pb.MxEvent)
    return raw


@pytest.mark.parametrize(("attribute", "value", "vartype"), IDENTITIES, ids=lambda v: str(v)[:24])
async def test_what_is_written_comes_back(session: Session, attribute: str, value: Any, vartype: str) -> None:
    event = await written_and_seen(session, attribute, value)
    found = from_mx_value(event.value)
    assert found == value
    assert repr(found) == repr(value)  # tells -0.0 from 0.0, and an int from a float
    assert event.value.variant_type == vartype
    assert event.quality == 192
    assert event.statuses[0].category == pb.MX_STATUS_CATEGORY_OK


@pytest.mark.parametrize(("attribute", "value", "result"), COERCIONS, ids=lambda v: str(v)[:24])
async def test_what_is_coerced_comes_back_as_documented(
    session: Session, attribute: str, value: Any, result: Any
) -> None:
    event = await written_and_seen(session, attribute, value)
    assert from_mx_value(event.value) == result
    assert type(from_mx_value(event.value)) is type(result)


@pytest.mark.parametrize(("attribute", "value", "detail"), REFUSALS, ids=lambda v: str(v)[:24])
async def test_what_is_refused_says_so_with_its_detail(
    session: Session, attribute: str, value: Any, detail: int
) -> None:
    with pytest.raises(MxAccessError) as caught:
        await written_and_seen(session, attribute, value)
    assert [status.detail for status in caught.value.statuses] == [detail]


async def test_an_empty_value_is_an_invalid_argument_of_the_call(session: Session) -> None:
    with pytest.raises(MxAccessError) as caught:
        await written_and_seen(session, "TestInt", None)
    assert caught.value.hresult == -2147024809


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
async def test_numbers_without_a_form_never_leave_the_client(session: Session, value: float) -> None:
    with pytest.raises(ValueError, match=r"finite|NaN|infinit"):
        await written_and_seen(session, "TestDouble", value)


@pytest.mark.parametrize(
    ("attribute", "empty"),
    [
        ("TestBoolArray", pb.MxArray(bool_values=pb.BoolArray())),
        ("TestIntArray", pb.MxArray(int32_values=pb.Int32Array())),
        ("TestFloatArray", pb.MxArray(float_values=pb.FloatArray())),
        ("TestDoubleArray", pb.MxArray(double_values=pb.DoubleArray())),
        ("TestStringArray", pb.MxArray(string_values=pb.StringArray())),
        ("TestDateTimeArray", pb.MxArray(timestamp_values=pb.TimestampArray())),
    ],
)
async def test_an_empty_array_comes_back_empty(session: Session, attribute: str, empty: pb.MxArray) -> None:
    """A whole-array write without elements leaves an array without elements, still of its type."""
    event = await written_and_seen(session, f"{attribute}[]", pb.MxValue(array_value=empty))
    assert from_mx_value(event.value) == []
    assert event.value.array_value.WhichOneof("values") == empty.WhichOneof("values")
    assert list(event.value.array_value.dimensions) == [0]


async def test_times_keep_their_ticks(session: Session) -> None:
    """A time finer than a microsecond is delivered as it was written, though Python's datetime cannot show it."""
    fine = pb.MxValue(data_type=pb.MX_DATA_TYPE_TIME)
    fine.timestamp_value.seconds, fine.timestamp_value.nanos = 1_700_000_000, 123_456_700
    event = await written_and_seen(session, "TestDateTime", fine)
    assert event.value.timestamp_value == fine.timestamp_value


async def test_nan_and_nothing_are_read_as_such(session: Session) -> None:
    """What cannot be written can still be read: NaN, and the null of a reference that leads nowhere."""
    server = await session.register("odd values")
    results = await session.read_bulk(server, ["TestChildObject.TestNaN", "TestChildObject.Nothing"])
    assert math.isnan(from_mx_value(results[0].value))
    assert results[0].was_successful
    assert (results[1].was_successful, results[1].statuses[0].detail) == (False, 6)
    async with session.subscribe(["TestChildObject.Nothing"]) as changes:
        raw = (await changes.next_change(30)).raw
    assert raw.value.is_null
    assert raw.value.variant_type == "VT_EMPTY"


async def test_every_attribute_of_the_type_zoo_is_readable(session: Session) -> None:
    """Each data type delivers a value or its documented failure, never a broken event."""
    server = await session.register("zoo")
    tags = [
        *(
            "TestStatus",
            "TestDataTypeEnum",
            "TestSecurityEnum",
            "TestQualityType",
            "TestLongArray[]",
            "TestStruct.Code",
        ),
        *("TestDurationArray[]", "TestMovingArray[]", "ClassViewOnly", "LockedValue", "TestStruct"),
    ]
    *results, struct = await session.read_bulk(server, [f"TestChildObject.{tag}" for tag in tags])
    # A struct has no whole value; its members have.
    assert (struct.was_successful, struct.statuses[0].detail) == (False, 18)
    assert [r.tag_address for r in results if not r.was_successful] == []
    assert all(r.value.variant_type.startswith("VT_") for r in results)


async def test_two_sessions_see_one_plant_and_a_restart_keeps_it(gateway: LocalGateway, client: GatewayClient) -> None:
    """What one session writes the other sees as a change; a new worker finds the value again."""
    tag = "SpareChildObject.TestInt"
    async with (
        await client.open_session() as writer,
        await client.open_session() as reader,
        reader.subscribe([tag]) as changes,
    ):
        first = (await changes.next_change(30)).value
        await writer.write_and_confirm(tag, first + 1)
        assert (await changes.next_change(30)).value == first + 1
    async with await client.open_session() as later:
        server = await later.register("later")
        (result,) = await later.read_bulk(server, [tag])
        assert from_mx_value(result.value) == first + 1
