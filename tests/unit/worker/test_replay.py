"""Recordings played back as a plant."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.clock import ManualClock
from tests.support.direct_executor import DirectSession

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract import hresults
from mxgateway_worker.backends.replay import ReplayBackend, create_backend

NS = 1_000_000_000
T0 = 1_767_225_600 * NS  # 2026-01-01T00:00:00Z
CSV = """tag,time,value,quality,type
A.PV,2026-01-01T00:00:00Z,1.5,192,VT_R8
B.PV,2026-01-01T00:00:02Z,on,192,string
A.PV,2026-01-01T00:00:01.5Z,2.5,64,VT_R8
A.PV,2026-01-01T00:00:03Z,3.5,192,VT_R8
"""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "recording.csv"
    path.write_text(CSV)
    return path


class Player:
    """A replay under a session, on a manual clock."""

    def __init__(self, recording: Path, **options: object) -> None:
        self.clock = ManualClock()
        backend = ReplayBackend(recording, clock=self.clock, **options)  # type: ignore[arg-type]
        self.session = DirectSession(backend, clock=self.clock)
        self.session.call("register", client_name="test")

    def subscribe(self, *tags: str) -> None:
        self.session.call("subscribe_bulk", server_handle=1, tag_addresses=tags)

    def after(self, seconds: float) -> list[tuple[int, float, int, float]]:
        """Moves on; the events as (item, value, quality, seconds of the source time since the recording's start)."""
        self.clock.advance(seconds)
        return [
            (
                event.item_handle,
                event.value.double_value,
                event.quality,
                (event.source_timestamp.ToNanoseconds() - T0) / NS,
            )
            for event in self.session.pump()
        ]


def test_a_recording_is_played_at_its_own_pace(recording: Path) -> None:
    """Each change comes at its time, with its value, quality and recorded time; after the end all stays."""
    player = Player(recording)
    player.subscribe("a.pv")
    assert player.after(0) == [(1, 1.5, 192, 0.0)]
    assert player.after(1.4) == []
    assert player.after(0.2) == [(1, 2.5, 64, 1.5)]
    assert player.after(10) == [(1, 3.5, 192, 3.0)]
    assert player.after(100) == []


def test_speed_scales_the_pace(recording: Path) -> None:
    """At ten times the speed three seconds take 0.3."""
    player = Player(recording, speed=10.0)
    player.subscribe("A.PV")
    assert player.after(0) == [(1, 1.5, 192, 0.0)]
    assert player.after(0.301) == [(1, 2.5, 64, 1.5), (1, 3.5, 192, 3.0)]


def test_an_advise_in_the_middle_begins_with_the_present_value(recording: Path) -> None:
    """What came before is not replayed."""
    player = Player(recording)
    player.after(2)
    player.subscribe("A.PV")
    assert player.after(0) == [(1, 2.5, 64, 1.5)]


def test_a_loop_starts_again_and_may_shift_its_times(recording: Path) -> None:
    """After the end comes the beginning; with shifted times the source time goes on."""
    player = Player(recording, loop=True, shift_times=True)
    player.subscribe("A.PV")
    player.after(0)
    values = player.after(6.1)
    assert [value for _, value, _, _ in values] == [2.5, 3.5, 1.5, 2.5, 3.5, 1.5]
    times = [time for *_, time in values]
    assert times == sorted(times)
    player = Player(recording, loop=True)
    player.after(3.5)
    player.subscribe("B.PV")
    (event,) = player.session.pump()
    assert event.value.string_value == "on"


def test_reads_fail_or_wait_as_in_a_galaxy(recording: Path) -> None:
    """An unknown tag fails by its status; a tag whose first value is still to come is waited for."""
    player = Player(recording)
    results = player.session.call(
        "read_bulk", server_handle=1, tag_addresses=["A.PV", "No.Such", "B.PV"]
    ).read_bulk.results
    assert [(r.was_successful, r.statuses[0].detail if r.statuses else None) for r in results] == [
        (True, 0), (False, 6), (True, 0),
    ]  # fmt: skip
    assert results[2].value.string_value == "on"


def test_writes_are_refused_by_their_completion(recording: Path) -> None:
    """A recording is read-only: not advised is E_INVALIDARG, advised completes with "not writeable"."""
    player = Player(recording)
    player.subscribe("A.PV")
    write = {"server_handle": 1, "item_handle": 1, "value": pb.MxValue(double_value=1)}
    assert player.session.call("write", **write).hresult == hresults.E_INVALIDARG
    player.session.pump()
    assert player.session.call("write", **write).hresult == 0
    (event,) = player.session.pump()
    assert (event.WhichOneof("body"), event.statuses[0].detail) == ("on_write_complete", 1007)


def test_an_item_behaves_as_in_a_galaxy(recording: Path) -> None:
    """Checks in MXAccess's order; nothing completes for a removed item; a buffered one fails and can be un-advised."""
    player = Player(recording)
    session = player.session
    five = pb.MxValue(int32_value=5)
    unknown = session.call("write_secured", server_handle=1, item_handle=9, value=five)
    assert unknown.hresult == hresults.E_INVALIDARG
    player.subscribe("A.PV")
    player.after(0)
    unsigned = session.call("write_secured", server_handle=1, item_handle=1, value=five)
    assert unsigned.hresult == hresults.E_SECURED_WRITE_REFUSED
    session.call("write", server_handle=1, item_handle=1, value=five)
    session.call("suspend", server_handle=1, item_handle=1)
    assert session.call("suspend", server_handle=1, item_handle=1).suspend.status.raw_category == 0
    session.call("remove_item", server_handle=1, item_handle=1)
    assert session.pump() == []
    session.call("add_buffered_item", server_handle=1, item_definition="No.Such")
    (failed,) = session.pump()
    assert (failed.family, failed.statuses[0].detail) == (pb.MX_EVENT_FAMILY_ON_BUFFERED_DATA_CHANGE, 6)
    session.call("add_buffered_item", server_handle=1, item_definition="A.PV")
    assert len(session.pump()) == 1
    session.call("un_advise", server_handle=1, item_handle=3)
    assert player.after(2) == []


def test_buffered_and_suspended_items(recording: Path) -> None:
    """Buffered items deliver samples; a suspended item is silent until it is activated."""
    player = Player(recording)
    player.session.call("add_buffered_item", server_handle=1, item_definition="A.PV")
    (event,) = player.session.pump()
    assert list(event.value.array_value.double_values.values) == [1.5]
    player.subscribe("A.PV")
    player.session.pump()
    player.session.call("suspend", server_handle=1, item_handle=2)
    assert [event.WhichOneof("body") for event in player.session.pump()] == ["operation_complete"]
    assert [item for item, *_ in player.after(1.6)] == [1]
    player.session.call("activate", server_handle=1, item_handle=2)
    assert [event.WhichOneof("body") for event in player.session.pump()] == ["operation_complete", "on_data_change"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "file"),
        ({"file": "x", "colour": "red"}, "colour"),
        ({"file": "x", "speed": "0"}, "speed"),
        ({"file": "x", "speed": "fast"}, "speed"),
        ({"file": "x", "loop": "maybe"}, "loop"),
        ({"file": "x", "times": "past"}, "times"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, str], named: str) -> None:
    """The text names the option."""
    with pytest.raises(ValueError, match=named):
        create_backend(options)
