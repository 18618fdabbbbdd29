"""Lists of alarms and of changes as tables and DataFrames, whatever stands in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pandas
import pytest

from mxgateway import (
    Alarm,
    AlarmChange,
    AlarmChangeKind,
    AlarmChanges,
    AlarmList,
    AlarmOrigin,
    AlarmState,
    alarm_durations,
)
from mxgateway.alarm_model import alarm_of
from mxgateway.alarm_tables import COLUMNS
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
TIMES = ("raised", "changed", "acknowledged_at", "cleared_at")


def alarm(**facts: object) -> Alarm:
    return Alarm(**{"reference": "Galaxy!Line1.Pump.P.Hi", "priority": 1, "raised": NOON, **facts})  # type: ignore[arg-type]


HOSTILE = [
    alarm(),
    alarm(raised=datetime(1, 1, 1, tzinfo=UTC), changed=datetime.max.replace(tzinfo=UTC)),
    alarm(raised=datetime(2026, 1, 2, 13, tzinfo=timezone(timedelta(hours=1)))),
    alarm(reference="", description="a\x00b\n\x1b[2J\u202e" * 100, comment="=1+1", operator="<script>", area="\ud7ff"),
    alarm(value=[1, 2, [3]], limit=float("nan")),
    alarm(value=b"\xff\x00", limit=10**30),
    alarm(value=True, limit=datetime.max.replace(tzinfo=UTC), priority=0),
    alarm(state=AlarmState.UNKNOWN, area="x" * 10_000),
]


@pytest.mark.parametrize(
    "alarms", [[], HOSTILE, HOSTILE[::-1], [alarm()] * 3], ids=["none", "hostile", "turned", "same"]
)
def test_every_list_is_a_frame_of_the_same_types(alarms: list[Alarm]) -> None:
    frame = AlarmList(alarms).to_dataframe()
    assert list(frame.columns) == list(COLUMNS)
    assert len(frame) == len(alarms)
    assert {str(frame[name].dtype) for name in TIMES} == {"datetime64[ns, UTC]"}
    assert str(frame["priority"].dtype) == "int64"
    assert {str(frame[name].dtype) for name in ("state", "area")} == {"category"}
    assert list(frame["reference"]) == [each.reference for each in alarms]


def test_times_are_utc_and_what_does_not_fit_is_no_time() -> None:
    frame = AlarmList(HOSTILE).to_dataframe()
    assert frame["raised"][0] == frame["raised"][2] == pandas.Timestamp(NOON)
    assert pandas.isna(frame["raised"][1])
    assert pandas.isna(frame["changed"][1])
    assert pandas.isna(frame["changed"][0])


def test_changes_have_kind_origin_and_number() -> None:
    changes = AlarmChanges(
        [
            AlarmChange(AlarmChangeKind.RAISE, each, None, 2**64 - 1 - number, AlarmOrigin.INFERRED)
            for number, each in enumerate(HOSTILE)
        ]
    )
    frame = changes.to_dataframe()
    assert list(frame.columns) == [*COLUMNS, "kind", "origin", "sequence"]
    assert frame["sequence"][0] == 2**64 - 1
    assert set(frame["kind"]) == {"RAISE"}
    assert list(AlarmChanges([]).to_dataframe().columns) == list(frame.columns)


def change(kind: AlarmChangeKind, number: int, **facts: object) -> AlarmChange:
    return AlarmChange(kind, alarm(**facts), None, number, AlarmOrigin.LIVE)


def test_how_long_each_occurrence_lasted() -> None:
    """Whatever the order of the history; an occurrence that goes on has no end, and a new one begins anew."""
    second = timedelta(seconds=1)
    told = [
        change(AlarmChangeKind.RAISE, 1, guid="1"),
        change(AlarmChangeKind.ACKNOWLEDGE, 2, guid="1", acknowledged_at=NOON + 3 * second),
        change(AlarmChangeKind.CLEAR, 3, guid="1", acknowledged_at=NOON + 3 * second, cleared_at=NOON + 60 * second),
        change(AlarmChangeKind.RAISE, 4, guid="2", raised=NOON + 99 * second),
        change(AlarmChangeKind.RAISE, 5, reference="Galaxy!Line1.Other", raised=None),
    ]
    for changes in (told, told[::-1]):
        frame = alarm_durations(AlarmChanges(changes).to_dataframe())
        assert sorted(frame["guid"]) == ["1", "2"]
        first = frame[frame["guid"] == "1"].iloc[0]
        assert (first["in_alarm"], first["to_acknowledge"]) == (pandas.Timedelta("60s"), pandas.Timedelta("3s"))
        assert frame[frame["guid"] == "2"]["in_alarm"].isna().all()
    assert len(alarm_durations(AlarmChanges([]).to_dataframe())) == 0
    assert len(alarm_durations(AlarmChanges([change(AlarmChangeKind.RAISE, 1)] * 2).to_dataframe())) == 1
    with pytest.raises(ValueError, match="kind, sequence"):
        alarm_durations(AlarmList(HOSTILE).to_dataframe())


def test_tables_show_and_escape_whatever_they_hold() -> None:
    for table in (
        AlarmList(HOSTILE),
        AlarmChanges([AlarmChange(AlarmChangeKind.UNKNOWN, each, None, 0, AlarmOrigin.LIVE) for each in HOSTILE]),
    ):
        assert "\x1b" not in repr(table)
        assert "<script>" not in table._repr_html_()


@pytest.mark.parametrize("seconds", [-(2**62), 2**62, 253402300800, -62135596801])
def test_times_beyond_the_calendar_and_numbers_of_a_newer_gateway_are_no_errors(seconds: int) -> None:
    message = pb.OnAlarmTransitionEvent(
        alarm_full_reference="\U0001f600!x",
        state=99,  # type: ignore[arg-type]
        mode=-1,  # type: ignore[arg-type]
        severity=-5,
        transition_kind=12345,  # type: ignore[arg-type]
    )
    message.transition_timestamp.seconds = seconds
    message.original_raise_timestamp.nanos = -1
    found = alarm_of(message)
    assert (found.changed, found.raised, found.state) == (None, None, AlarmState.UNKNOWN)
    assert str(found).startswith("\U0001f600!x UNKNOWN")
    assert len(AlarmList([found]).to_dataframe()) == 1
