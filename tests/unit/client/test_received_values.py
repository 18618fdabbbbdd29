"""What comes from the plant becomes a Python object, whatever it is: no value stops anything, and none is lost."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.extreme_values import TIMESTAMPS, data_changes, mx_values, read_results
from tests.support.fake_gateway import running_fake
from tests.support.waiting import eventually

from mxgateway import (
    DataChanges,
    Events,
    GatewayClient,
    OutOfRangeValue,
    ReadResults,
    SubscriptionState,
    from_mx_value,
    to_dataframe,
    to_mx_value,
)
from mxgateway.data_change import change_of
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.received_values import datetime_of, time_text

ELAPSED = pb.MX_DATA_TYPE_ELAPSED_TIME


@given(mx_values())
def test_every_value_has_a_python_value_that_can_be_shown(value: pb.MxValue) -> None:
    """Conversion, comparison, repr and str never raise."""
    got = from_mx_value(value)
    assert repr(got)
    assert str(got) is not None
    # Twice the same; NaN in any depth is compared by its text.
    assert repr(from_mx_value(value)) == repr(got)


@given(TIMESTAMPS)
def test_every_time_has_a_text_and_a_value(stamp: Timestamp) -> None:
    """A time that Python cannot hold keeps its seconds and nanoseconds."""
    value = from_mx_value(pb.MxValue(timestamp_value=stamp, data_type=pb.MX_DATA_TYPE_TIME))
    if isinstance(value, OutOfRangeValue):
        assert value.raw == stamp
        assert datetime_of(stamp) is None
        assert (str(stamp.seconds) in time_text(stamp)) == (str(stamp.seconds) in str(value))
    else:
        assert value == stamp.ToDatetime(tzinfo=UTC)
        assert time_text(stamp) == stamp.ToJsonString()


@pytest.mark.parametrize("seconds", [1e15, -1e15, 1e308, math.inf, -math.inf, math.nan])
def test_a_duration_beyond_python_is_a_stand_in(seconds: float) -> None:
    """Alone and within an array; the others of the array are what they are."""
    value = from_mx_value(pb.MxValue(double_value=seconds, data_type=ELAPSED))
    assert isinstance(value, OutOfRangeValue)
    assert str(value.raw) == str(seconds)
    array = pb.MxArray(double_values=pb.DoubleArray(values=[1.5, seconds]), element_data_type=ELAPSED)
    got = from_mx_value(pb.MxValue(array_value=array, data_type=ELAPSED))
    assert got == [timedelta(seconds=1.5), value]
    assert hash(got[1]) == hash(value)


@pytest.mark.parametrize(
    "value",
    [
        pb.MxValue(double_value=1e15, data_type=ELAPSED, variant_type="VT_R8"),
        pb.MxValue(timestamp_value=Timestamp(seconds=2**40), data_type=pb.MX_DATA_TYPE_TIME, variant_type="VT_DATE"),
    ],
)
def test_a_stand_in_can_be_written_again(value: pb.MxValue) -> None:
    """What was read can be written, also where Python has no type for it."""
    assert to_mx_value(from_mx_value(value)) == value
    assert from_mx_value(to_mx_value([from_mx_value(value)])) == [from_mx_value(value)]


def test_a_stand_in_tells_what_it_stands_for() -> None:
    """Its text has the raw form, and two are equal when they stand for the same."""
    far = OutOfRangeValue(Timestamp(seconds=2**40, nanos=5))
    assert repr(far) == "<OutOfRangeValue Time 1099511627776 s 5 ns since 1970>"
    assert repr(OutOfRangeValue(1e15)) == "<OutOfRangeValue ElapsedTime 1e+15 s>"
    assert OutOfRangeValue(math.nan) == OutOfRangeValue(math.nan) != OutOfRangeValue(1e15) != far
    assert OutOfRangeValue(1e15) != "1e+15 s"


def test_dimensions_that_lie_are_not_believed() -> None:
    """They neither exhaust the memory nor the stack; the elements come as one list."""
    for dimensions in ([2**32 - 1, 0], [1] * 5000, [2, 2], [0]):
        array = pb.MxArray(int32_values=pb.Int32Array(), dimensions=dimensions)
        assert from_mx_value(pb.MxValue(array_value=array)) == []
    array = pb.MxArray(int32_values=pb.Int32Array(values=[1]), dimensions=[1] * 5000)
    assert from_mx_value(pb.MxValue(array_value=array)) == [1]


@given(st.lists(data_changes(), max_size=3), st.lists(read_results(), max_size=3))
def test_changes_and_tables_show_everything(events: list[pb.MxEvent], results: list[pb.BulkReadResult]) -> None:
    """repr, goodness and the tables of a notebook."""
    changes = DataChanges(change_of("A.B", event) for event in events)
    assert all(repr(change) and change.is_good in (True, False) for change in changes)
    for table in (changes, Events(events), ReadResults(results)):
        assert "<table>" in table._repr_html_()


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(data_changes(), max_size=4), st.lists(read_results(), max_size=4), st.booleans())
def test_data_frames_hold_everything(events: list[pb.MxEvent], results: list[pb.BulkReadResult], wide: bool) -> None:
    """A row for each, whatever its value and time; and it can be shown."""
    everything = [*events, *results, *(change_of("A.B", event) for event in events)]
    frame = to_dataframe(everything, wide=wide)
    if not wide:
        assert len(frame) == len(everything)
        assert str(frame["time"].dtype) == "datetime64[ns, UTC]"
    assert str(frame) is not None


def test_a_frame_keeps_a_value_and_a_time_that_pandas_cannot_hold() -> None:
    """The value is the object that it is elsewhere; the time is NaT, and `raw` of the change has it."""
    far = pb.BulkReadResult(tag_address="A", was_successful=True, quality=192)
    far.value.CopyFrom(pb.MxValue(double_value=1e15, data_type=ELAPSED))
    far.source_timestamp.FromDatetime(datetime(1066, 1, 1, tzinfo=UTC))
    near = pb.BulkReadResult(tag_address="B", was_successful=True, quality=192)
    near.value.CopyFrom(pb.MxValue(timestamp_value=Timestamp(seconds=-60_000_000_000)))
    near.source_timestamp.FromDatetime(datetime(2026, 1, 1, tzinfo=UTC))
    frame = to_dataframe([far, near])
    assert list(frame["value"]) == [OutOfRangeValue(1e15), from_mx_value(near.value)]
    assert [value is not None and value == value for value in frame["time"]] == [False, True]


@pytest.fixture
def examples() -> list[pb.MxEvent]:
    """Changes of one item with every kind of value, numbered."""
    examples: list[pb.MxEvent] = []

    @settings(max_examples=150, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data_changes())
    def collect(event: pb.MxEvent) -> None:
        examples.append(event)

    collect()
    for sequence, event in enumerate(examples, 1):
        event.worker_sequence = sequence
    return examples


@pytest.mark.parametrize("with_handler", [False, True])
async def test_a_subscription_goes_on_past_every_value(examples: list[pb.MxEvent], with_handler: bool) -> None:
    """Iterator and handler get each change, and the state stays CONNECTED: one strange tag stops no other."""
    seen: list[int] = []
    async with running_fake() as gateway:
        gateway.events = [pb.MxEventBatch(events=examples)]
        async with await GatewayClient.connect(endpoint=gateway.endpoint, plaintext=True) as client:
            handler = (lambda change: seen.append(change.worker_sequence)) if with_handler else None
            async with client.subscribe(["A.B"], handler=handler) as subscription:
                while not with_handler and len(seen) < len(examples):
                    seen.append((await subscription.next_change(10)).worker_sequence)
                await eventually(lambda: len(seen) == len(examples))
                assert subscription.state is SubscriptionState.CONNECTED
    assert seen == list(range(1, len(examples) + 1))


def test_a_far_source_time_is_none_and_stays_in_raw() -> None:
    """`source_timestamp` is a datetime or None; the raw event has what came."""
    event = pb.MxEvent(source_timestamp=Timestamp(seconds=2**40), value=pb.MxValue(int32_value=1))
    change = change_of("A.B", event)
    assert change.source_timestamp is None
    assert change.raw.source_timestamp.seconds == 2**40
    assert re.search("no time", repr(change))
