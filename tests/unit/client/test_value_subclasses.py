"""What reaches the plant is the value, never the display text of a subclass."""

from __future__ import annotations

import enum
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy
import pandas
import pytest
from tests.support.fake_gateway import FakeGateway

from mxgateway import Session, from_mx_value, to_mx_value

MOMENT = datetime(2026, 1, 31, 12, 30, 15, 123456, tzinfo=UTC)


class Mode(str, enum.Enum):  # noqa: UP042 - this kind, whose str() is no value
    AUTO = "auto"


class Modern(enum.StrEnum):
    AUTO = "auto"


class Level(int, enum.Enum):
    HIGH = 7


class Ratio(float, enum.Enum):
    HALF = 0.5


class Flags(enum.IntFlag):
    BOTH = 3


class LoudText(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "LOUD"

    def __format__(self, _spec: str) -> str:
        return "LOUD"


class LoudInt(int):
    def __int__(self) -> int:
        return -1

    def __index__(self) -> int:
        return -1

    def __str__(self) -> str:
        return "LOUD"

    def __le__(self, _other: object) -> bool:
        return False


class LoudFloat(float):
    def __float__(self) -> float:
        return -1.0


class LoudTime(datetime):
    def utctimetuple(self) -> Any:
        raise NotImplementedError

    def astimezone(self, _tz: Any = None) -> Any:
        raise NotImplementedError

    def __str__(self) -> str:
        return "LOUD"


class LoudSpan(timedelta):
    def total_seconds(self) -> float:
        return -1.0


class LoudBytes(bytes):
    def __bytes__(self) -> bytes:
        return b"LOUD"


SUBCLASSES: list[tuple[Any, Any]] = [
    (Mode.AUTO, "auto"),
    (Modern.AUTO, "auto"),
    (LoudText("text"), "text"),
    (Level.HIGH, 7),
    (Flags.BOTH, 3),
    (LoudInt(7), 7),
    (Ratio.HALF, 0.5),
    (LoudFloat(0.5), 0.5),
    (LoudTime(2026, 1, 31, 12, 30, 15, 123456, tzinfo=UTC), MOMENT),
    (pandas.Timestamp(MOMENT), MOMENT),
    (LoudSpan(seconds=1.5), timedelta(seconds=1.5)),
    (pandas.Timedelta(seconds=1.5), timedelta(seconds=1.5)),
    (LoudBytes(b"\x01"), b"\x01"),
    (numpy.str_("auto"), "auto"),
    (numpy.bytes_(b"\x01"), b"\x01"),
    (numpy.int16(7), 7),
    (numpy.uint8(7), 7),
    (numpy.float64(0.5), 0.5),
    (numpy.longdouble(0.5), 0.5),
    (numpy.bool_(True), True),
    (numpy.datetime64("2026-01-31T12:30:15.123456"), MOMENT),
    (numpy.timedelta64(1500, "ms"), timedelta(seconds=1.5)),
]


@pytest.mark.parametrize(("value", "wanted"), SUBCLASSES, ids=lambda each: type(each).__name__)
def test_the_value_is_sent(value: Any, wanted: Any) -> None:
    """Alone, in a list, in a tuple, in a nested list, and as an object array; and what comes back is a plain type."""
    got = from_mx_value(to_mx_value(value))
    assert got == wanted
    assert type(got) is type(wanted)
    assert from_mx_value(to_mx_value([value, value])) == [wanted, wanted]
    assert from_mx_value(to_mx_value((value,))) == [wanted]
    assert from_mx_value(to_mx_value([[value], [value]])) == [[wanted], [wanted]]
    assert from_mx_value(to_mx_value(numpy.array([value, value], dtype=object))) == [wanted, wanted]
    assert from_mx_value(to_mx_value({"key": value}["key"])) == wanted


def test_arrays_of_numpy_text() -> None:
    """Fixed-width text of numpy, with the enumeration's value and not its name."""
    assert from_mx_value(to_mx_value(numpy.array([Mode.AUTO, "manual"], dtype=object))) == ["auto", "manual"]
    assert from_mx_value(to_mx_value(numpy.array(["auto", "manual"]))) == ["auto", "manual"]


@pytest.mark.parametrize("data_type", ["string", 6])
def test_the_value_is_sent_where_a_type_is_asked_for(data_type: Any) -> None:
    """Asking for a type changes nothing about it."""
    if data_type == "string":
        assert to_mx_value(Mode.AUTO, data_type=data_type).string_value == "auto"
    assert to_mx_value(Level.HIGH, data_type="double").double_value == 7.0
    assert to_mx_value(Ratio.HALF, data_type="float").float_value == 0.5


def test_nanoseconds_of_pandas_are_kept() -> None:
    """The protobuf time has room for them."""
    assert to_mx_value(pandas.Timestamp("2026-01-31T00:00:00.123456789Z")).timestamp_value.nanos == 123_456_789


@pytest.mark.parametrize(
    "value",
    [
        pandas.NaT,
        numpy.datetime64("NaT"),
        numpy.timedelta64("NaT"),
        numpy.datetime64("20000-01-01", "us"),
        [numpy.datetime64("NaT")],
        numpy.array(["2026-01-01", "NaT"], dtype="datetime64[D]"),
        datetime.max.replace(tzinfo=pandas.Timestamp("2026-01-01T00:00:00-05:00").tzinfo),
    ],
)
def test_what_is_no_time_is_refused(value: Any) -> None:
    """NaT never becomes an empty value, nor a number."""
    with pytest.raises(ValueError, match=r"NaT|beyond"):
        to_mx_value(value)


def test_an_enumeration_of_nothing_in_particular_is_refused_with_the_remedy() -> None:
    """A plain Enum is no text and no number."""

    class Plain(enum.Enum):
        AUTO = "auto"

    with pytest.raises(TypeError, match=r"write its \.value"):
        to_mx_value(Plain.AUTO)


async def test_tags_and_names_too(gateway: FakeGateway, session: Session) -> None:
    """References are texts: the value of an enumeration's member is subscribed, read and shown."""

    class Tag(str, enum.Enum):  # noqa: UP042
        LEVEL = "A.B"

    server = await session.register(Tag.LEVEL)
    await session.add_item(server, Tag.LEVEL)
    await session.read_bulk(server, [Tag.LEVEL])
    async with session.subscribe([Tag.LEVEL]) as subscription:
        assert str(subscription.tags) == "('A.B',)"
        await subscription.remove([Tag.LEVEL])
        assert subscription.tags == ()
    sent = [getattr(each.command, str(each.command.WhichOneof("payload"))) for each in gateway.commands]
    assert (sent[0].client_name, sent[1].item_definition, list(sent[2].tag_addresses)) == ("A.B", "A.B", ["A.B"])
