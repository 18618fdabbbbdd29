"""DataFrames: columns, times to the nanosecond, quality kept, wide form."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from tests.support.fake_gateway import FakeGateway, data_change, ok, write_complete

from mxgateway import Session, to_dataframe, to_mx_value
from mxgateway.data_change import change_of
from mxgateway.generated import mxaccess_gateway_pb2 as pb

pandas: Any = pytest.importorskip("pandas")


def test_events_become_rows() -> None:
    """OnDataChange events become rows with tag, UTC nanoseconds, value and quality; other events are left out."""
    frame = to_dataframe([data_change(1, 7), write_complete(2, 7), data_change(3, 8, quality=0)], tags={7: "A.B"})
    assert list(frame.columns) == ["tag", "time", "value", "quality", "good"]
    assert list(frame["tag"]) == ["A.B", 8]
    assert frame["time"].iloc[0].value == 1_700_000_000_000_000_001
    assert str(frame["time"].dtype) == "datetime64[ns, UTC]"
    assert list(frame["value"]) == [1, 3]
    assert list(frame["good"]) == [True, False]


def test_changes_become_rows() -> None:
    """Changes of a subscription carry their tag themselves."""
    frame = to_dataframe([change_of("A.B", data_change(5), sequence=5)])
    assert frame.iloc[0][["tag", "value", "quality", "good"]].to_list() == ["A.B", 5, 192, True]


def test_nothing_is_an_empty_frame() -> None:
    """No values give a frame with the columns and no row."""
    assert list(to_dataframe([]).columns) == ["tag", "time", "value", "quality", "good"]


def test_wide_form_has_a_column_for_each_tag() -> None:
    """wide=True gives a row for each time and a column for each tag, of good values only."""
    events = [data_change(1, 1), data_change(2, 2), data_change(3, 1, quality=0), data_change(4, 1)]
    frame = to_dataframe(events, tags={1: "A", 2: "B"}, wide=True)
    assert list(frame.columns) == ["A", "B"]
    assert frame["A"].dropna().to_list() == [1, 4]
    assert frame["B"].dropna().to_list() == [2]


async def test_read_dataframe(gateway: FakeGateway, session: Session) -> None:
    """read_dataframe reads all tags in calls of the allowed size, and says why a tag has no value."""
    frame = await session.read_dataframe([f"T{n}.V" for n in range(1500)])
    assert len(frame) == 1500
    assert len(gateway.commands_of("read_bulk")) == 2
    assert gateway.commands[-1].command.WhichOneof("payload") == "unregister"
    reply = pb.MxCommandReply(protocol_status=ok(), hresult=0)
    reply.read_bulk.results.add(tag_address="A.B", error_message="no such tag", quality=0)
    gateway.answer("read_bulk", reply)
    frame = await session.read_dataframe(["A.B"])
    assert frame["error"].to_list() == ["no such tag"]
    assert frame["good"].to_list() == [False]
    assert frame["time"].isna().all()


async def test_a_frame_of_readings_shows_its_values_on_80_columns(gateway: FakeGateway, session: Session) -> None:
    """A tag is a row's name, and what a narrow terminal leaves out is not the value."""
    reply = pb.MxCommandReply(protocol_status=ok(), hresult=0)
    for number in range(3):
        result = reply.read_bulk.results.add(
            tag_address=f"TestMachine_00{number}.TestHistoryValue", was_successful=True, quality=192
        )
        result.value.CopyFrom(to_mx_value(70.25 + number))
        result.source_timestamp.FromNanoseconds(1_700_000_000_123_000_000)
    gateway.answer("read_bulk", reply)
    tags = [each.tag_address for each in reply.read_bulk.results]
    frame = await session.read_dataframe(tags)
    assert list(frame.index) == tags
    assert frame.loc["TestMachine_001.TestHistoryValue", "value"] == 71.25
    assert list(frame.columns) == ["value", "quality", "good", "time", "error"]
    shown = frame.to_string(line_width=80).splitlines()
    assert [float(line.split()[1]) for line in shown[2:5]] == [70.25, 71.25, 72.25]


def test_without_pandas_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A light install gets the pip line."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .*\[pandas\]"):
        to_dataframe([])
