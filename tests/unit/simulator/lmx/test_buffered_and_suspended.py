"""Buffered items, Suspend and Activate."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.simulator.conftest import MakeSession
from tests.unit.simulator.plant_session import Buffered, Change, Completion, PlantSession

from mxgateway_contract import hresults
from mxgateway_protocol.errors import MxComError
from mxgateway_simulator.plant.operation import PlantOperation


def test_a_buffered_item_subscribes_by_itself(session: PlantSession) -> None:
    """AddBufferedItem delivers by OnBufferedDataChange only, one sample each, without any Advise."""
    handle = session.backend.add_buffered_item(1, "TestMachine_001.TestChangingInt", "")
    events = session.pump() + session.advance(3.2)
    assert {type(event) for event in events} == {Buffered}
    assert [len(event.samples) for event in events] == [1] * 4
    assert {(event.item, event.data_type) for event in events} == {(handle, 2)}


def test_samples_of_an_interval_come_together_by_switch(make_session: MakeSession) -> None:
    """With buffered_batch=true one event carries all samples of the interval, oldest first."""
    session = make_session(switches={"buffered_batch": "true"})
    session.backend.set_buffered_update_interval(1, 2900)
    session.backend.add_buffered_item(1, "TestMachine_001.TestChangingInt", "")
    events = session.pump() + session.advance(6.1)
    sizes = [len(event.samples) for event in events]
    assert sizes[0] == 1
    assert max(sizes[1:]) == 3
    times = [sample.timestamp_ns for event in events for sample in event.samples]
    assert times == sorted(times)


def test_samples_that_wait_come_before_a_failure(
    make_session: MakeSession, reference_galaxy: Path, tmp_path: Path
) -> None:
    """When the engine stops within an interval, what was sampled in it still comes first."""
    session = make_session()
    session.backend.set_buffered_update_interval(1, 60_000)
    session.backend.add_buffered_item(1, "TestMachine_001.TestChangingInt", "")
    session.advance(3.2)
    PlantOperation(reference_galaxy, tmp_path / "board.db").set_running("DevAppEngine", False, session.clock.unix_ns())
    events = session.advance(0.1)
    assert [event.status.success for event in events if isinstance(event, Buffered)] == [-1, -1, -1, 0]
    assert session.advance(70) == []


def test_attributes_without_a_buffer_fail_with_1002(session: PlantSession) -> None:
    """Not every attribute keeps samples."""
    session.backend.add_buffered_item(1, "TestChildObject.TestInt", "")
    (event,) = session.pump()
    assert isinstance(event, Buffered)
    assert tuple(event.status) == (0, 4, 1, 1002)


@pytest.mark.parametrize(("wanted", "kept"), [(1, 100), (100, 100), (101, 200), (1000, 1000)])
def test_intervals_are_rounded_up_to_100_ms(session: PlantSession, wanted: int, kept: int) -> None:
    """SetBufferedUpdateInterval knows steps of 100 ms only."""
    session.backend.set_buffered_update_interval(1, wanted)
    server = session.backend._lmx._servers[1]
    assert server.buffered_interval_ns == kept * 10**6


@pytest.mark.parametrize("interval", [0, -1])
def test_an_interval_of_nothing_is_e_invalidarg(session: PlantSession, interval: int) -> None:
    """There is no interval of zero or less."""
    with pytest.raises(MxComError) as caught:
        session.backend.set_buffered_update_interval(1, interval)
    assert caught.value.hresult == hresults.E_INVALIDARG


def test_suspend_is_pending_and_completes_later(session: PlantSession) -> None:
    """Suspend answers Pending; after 230 ms come OperationComplete and quality 32, and then no changes."""
    handle = session.advised("TestMachine_001.TestChangingInt")
    assert tuple(session.backend.suspend(1, handle)) == (-1, 1, 0, 0)
    assert session.advance(0.2) == []
    completion, waiting = session.advance(0.05)
    assert completion == Completion("operation", 1, handle, (-1, 0, 0, 0))  # type: ignore[arg-type]
    assert isinstance(waiting, Change)
    assert waiting.quality == 32
    assert session.advance(5) == []


def test_activate_resumes_with_the_current_value(session: PlantSession) -> None:
    """Activate of a suspended item completes by event, too, and the present value is sent again."""
    handle = session.advised("TestMachine_001.TestChangingInt")
    session.backend.suspend(1, handle)
    session.advance(2)
    assert tuple(session.backend.activate(1, handle)) == (-1, 1, 0, 0)
    events = session.advance(0.25)
    assert [type(event) for event in events[:2]] == [Completion, Change]
    assert events[1].quality == 192
    assert len(session.advance(2)) == 2


def test_activate_of_an_active_item_is_nothing(session: PlantSession) -> None:
    """It answers success, and no event follows."""
    handle = session.advised("TestChildObject.TestInt")
    assert tuple(session.backend.activate(1, handle)) == (-1, 0, 0, 0)
    assert session.advance(1) == []


def test_suspend_of_an_item_that_is_not_advised_fails_in_its_status(session: PlantSession) -> None:
    """The call succeeds; the status that it gives out says that it did not work."""
    handle = session.item("TestChildObject.TestInt")
    assert tuple(session.backend.suspend(1, handle)) == (0, 4, 0, 0)


@pytest.mark.parametrize(("switch", "status"), [("ok", (-1, 0, 0, 0)), ("pending", (-1, 1, 0, 0))])
def test_suspending_twice_answers_by_switch(make_session: MakeSession, switch: str, status: tuple[int, ...]) -> None:
    session = make_session(switches={"suspend_again": switch})
    item = session.backend.add_item(1, "TestChildObject.TestInt")
    session.backend.advise(1, item)
    session.pump()
    session.backend.suspend(1, item)
    assert tuple(session.backend.suspend(1, item)) == status


@pytest.mark.parametrize("tells", [False, True])
def test_a_failed_reference_tells_its_failure_again_by_switch(make_session: MakeSession, tells: bool) -> None:
    session = make_session(switches={"suspend_failed_callback": str(tells)})
    item = session.backend.add_item(1, "No.Such")
    session.backend.advise(1, item)
    (failed,) = session.pump()
    for operate in (session.backend.suspend, session.backend.activate):
        operate(1, item)
        events = session.advance(0.5)
        assert [type(event) for event in events] == [Completion, Change][: 1 + tells]
        assert [event.status for event in events[1:]] == ([failed.status] if tells else [])
