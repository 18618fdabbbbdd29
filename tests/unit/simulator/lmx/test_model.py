"""LMXProxyServer as the simulator models it: handles, advise, writes."""

from __future__ import annotations

import itertools

import pytest
from tests.unit.simulator.conftest import MakeSession
from tests.unit.simulator.plant_session import Change, Completion, PlantSession, array, i4, text

from mxgateway_contract import hresults
from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.variants import VT_ARRAY, DataType, Variant, VarType

OK_WRITE = (-1, 0, 5, 0)


def hresult(call: object, *arguments: object) -> int:
    with pytest.raises(MxComError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.hresult


def test_handles_count_from_one_and_are_not_used_again(session: PlantSession) -> None:
    """Server and item handles start at 1; a removed item's handle never comes back."""
    assert session.server == 1
    first = session.item("TestChildObject.TestInt")
    session.backend.remove_item(1, first)
    assert (first, session.item("TestChildObject.TestInt")) == (1, 2)
    assert session.backend.register("another") == 2


def test_add_item_takes_any_text(session: PlantSession) -> None:
    """A reference that leads nowhere gets a handle, and its failure comes by OnDataChange alone."""
    handle = session.item("NoSuchObject_999.NoSuchAttr")
    session.backend.advise(1, handle)
    (event,) = session.pump()
    assert (event.item, event.variant.vartype, event.quality) == (handle, VarType.VT_EMPTY, 4)
    assert tuple(event.status) == (0, 4, 1, 6)


def test_bare_array_name_fails_with_1003(session: PlantSession) -> None:
    """An array without brackets cannot be read; with them it is a typed SAFEARRAY."""
    assert tuple(session.read("MESReceiver_001.MoveInPartNumbers").status) == (0, 4, 1, 1003)
    whole = session.read("MESReceiver_001.MoveInPartNumbers[]")
    assert whole.variant.vartype == VT_ARRAY | VarType.VT_BSTR
    assert len(whole.value) == 50
    assert tuple(session.read("MESReceiver_001.MoveInPartNumbers[0]").status) == (0, 4, 1, 1003)


@pytest.mark.parametrize("call", ["advise", "un_advise", "remove_item", "advise_supervisory", "suspend", "activate"])
def test_bad_handles_are_e_invalidarg(session: PlantSession, call: str) -> None:
    """Neither an unknown server handle nor an unknown item handle is taken."""
    method = getattr(session.backend, call)
    assert hresult(method, 1, 99) == hresults.E_INVALIDARG
    assert hresult(method, 99, 1) == hresults.E_INVALIDARG


def test_a_write_before_the_type_is_known_is_e_invalidarg(session: PlantSession) -> None:
    """Write needs an advised item whose first callback has come."""
    handle = session.item("TestChildObject.TestInt")
    write = session.backend.write
    assert hresult(write, 1, handle, i4(1), 0) == hresults.E_INVALIDARG
    session.backend.advise(1, handle)
    assert hresult(write, 1, handle, i4(1), 0) == hresults.E_INVALIDARG
    session.pump()
    assert session.outcome(handle, i4(1)) == OK_WRITE


def test_a_write_to_a_bad_reference_is_e_invalidarg(session: PlantSession) -> None:
    """No type ever resolves, so no write is ever taken."""
    handle = session.advised("No.Such")
    assert hresult(session.backend.write, 1, handle, i4(1), 0) == hresults.E_INVALIDARG


@pytest.mark.parametrize("vartype", [VarType.VT_EMPTY, VarType.VT_NULL])
def test_empty_values_are_e_invalidarg(session: PlantSession, vartype: int) -> None:
    """VT_EMPTY and VT_NULL are no values."""
    handle = session.advised("TestChildObject.TestInt")
    assert hresult(session.backend.write, 1, handle, Variant(vartype, None), 0) == hresults.E_INVALIDARG


def test_completion_comes_before_the_echo(session: PlantSession) -> None:
    """A write ends in one OnWriteComplete and then one OnDataChange with the written value, stamped with now."""
    handle = session.advised("TestChildObject.TestInt")
    completion, echo = session.write(handle, i4(4711))
    assert isinstance(completion, Completion)
    assert tuple(completion.status) == OK_WRITE
    assert isinstance(echo, Change)
    assert (echo.variant, echo.quality) == (Variant(VarType.VT_I4, 4711, DataType.INTEGER), 192)
    assert echo.timestamp_ns == session.clock.unix_ns()


def test_echo_may_come_first_by_switch(make_session: MakeSession) -> None:
    """Switch write_completion_first=false turns the order round."""
    session = make_session(switches={"write_completion_first": "false"})
    handle = session.advised("TestChildObject.TestInt")
    assert [type(event) for event in session.write(handle, i4(1))] == [Change, Completion]


def test_each_write_of_one_item_has_its_own_echo(session: PlantSession) -> None:
    """Two writes in one go are completed and shown one after the other."""
    handle = session.advised("TestChildObject.TestInt")
    session.backend.write(1, handle, i4(1), 0)
    session.backend.write(1, handle, i4(2), 0)
    events = session.pump()
    assert [type(event) for event in events] == [Completion, Change, Completion, Change]
    assert [event.value for event in events if isinstance(event, Change)] == [1, 2]


def test_write2_sets_the_source_time(session: PlantSession) -> None:
    """The echo of Write2 carries the time that was written."""
    handle = session.advised("TestChildObject.TestInt")
    moment = 1_600_000_000 * 10**9
    session.backend.write2(1, handle, i4(5), Variant(VarType.VT_DATE, moment), 0)
    assert session.pump()[-1].timestamp_ns == moment


def test_a_time_beyond_the_calendar_is_no_time(session: PlantSession) -> None:
    """Write2 refuses at once what would give every subscriber a source time that no calendar has."""
    handle = session.advised("TestChildObject.TestInt")
    with pytest.raises(MxComError) as caught:
        session.backend.write2(1, handle, i4(1), Variant(VarType.VT_I8, 2**63 - 1), 0)
    assert caught.value.hresult == hresults.E_INVALIDARG


def test_whole_array_write_resizes(session: PlantSession) -> None:
    """Writing 25 values to an array of 50 leaves 25; writing 50 restores it; an element beyond the end is gone."""
    handle = session.advised("MESReceiver_001.MoveInPartNumbers[]")
    assert len(session.write(handle, array(VarType.VT_BSTR, *(f"P{n}" for n in range(25))))[-1].value) == 25
    assert session.read("MESReceiver_001.MoveInPartNumbers[25]").value == "P24"
    assert tuple(session.read("MESReceiver_001.MoveInPartNumbers[26]").status) == (0, 4, 1, 1003)
    assert session.read("MESReceiver_001.MoveInPartNumbers.Dimension1").value == 25
    assert len(session.write(handle, array(VarType.VT_BSTR, *[""] * 50))[-1].value) == 50


def test_element_write_changes_one_element(session: PlantSession) -> None:
    """Elements are counted from 1, and others who look at the array see the change."""
    whole = session.advised("TestChildObject.TestStringArray[]")
    element = session.advised("TestChildObject.TestStringArray[2]")
    events = session.write(element, text("zwei"))
    shown = {event.item: event.value for event in events if isinstance(event, Change)}
    assert shown[element] == "zwei"
    assert shown[whole][:3] == ("one", "zwei", "three")


def test_remove_of_an_advised_item_un_advises_it(session: PlantSession) -> None:
    """No event comes for an item after RemoveItem, not even the completion of its write."""
    handle = session.advised("TestMachine_001.TestChangingInt")
    session.backend.write(1, handle, i4(1), 0)
    session.backend.remove_item(1, handle)
    assert session.advance(3) == []


def test_un_advise_and_advise_again(session: PlantSession) -> None:
    """UnAdvise ends either kind of connection, does no harm twice, and Advise brings the value again."""
    handle = session.advised("TestMachine_001.TestChangingInt", supervisory=True)
    session.backend.un_advise(1, handle)
    session.backend.un_advise(1, handle)
    assert session.advance(3) == []
    session.backend.advise(1, handle)
    session.backend.advise(1, handle)
    assert len(session.pump()) == 1


def test_moving_values_come_when_they_change(session: PlantSession) -> None:
    """A counter of one second gives one event a second, stamped with the instant of the change."""
    session.advised("TestMachine_001.TestChangingInt")
    events = session.advance(10)
    assert len(events) == 10
    values = [event.value for event in events]
    assert values == [values[0] + n for n in range(10)]
    assert {b.timestamp_ns - a.timestamp_ns for a, b in itertools.pairwise(events)} == {10**9}
    assert all(event.timestamp_ns <= session.clock.unix_ns() for event in events)


def test_two_sessions_agree_on_moving_values(make_session: MakeSession) -> None:
    """Two workers that look at one tag at one time see the same value with the same source time."""
    one, other = make_session(), make_session()
    for reference in ("TestMachine_003.TestHistoryValue", "TestMachine_003.Speed", "TestMachine_003.State",
                      "TestMachine_003.TestAlarm001.InAlarm", "TestChildObject.TestMovingArray[]"):  # fmt: skip
        first, second = one.read(reference), other.read(reference)
        assert (first.value, first.timestamp_ns) == (second.value, second.timestamp_ns), reference


def test_realistic_profile_takes_its_time(make_session: MakeSession) -> None:
    """The first item binds in 3 to 8 seconds, a later one at once, changes come 100 ms late and writes later still."""
    session = make_session(profile="realistic")
    handle = session.item("TestChildObject.TestInt")
    session.backend.advise(1, handle)
    assert session.advance(2.9) == []
    assert len(session.advance(5.2)) == 1
    warm = session.item("TestChildObject.TestString")
    session.backend.advise(1, warm)
    assert session.advance(0.2) == []
    assert len(session.advance(0.1)) == 1
    assert session.write(handle, i4(3)) == []
    assert [type(event) for event in session.advance(0.5)] == [Completion, Change]


def test_items_advised_together_wait_for_the_first_binding(make_session: MakeSession) -> None:
    """Cold, no item has a value before the session's first reference is bound; warm, each takes a quarter second."""
    session = make_session(profile="realistic")
    for number in range(1, 6):
        session.backend.advise(1, session.item(f"TestMachine_{number:03d}.SiteCode"))
    assert session.advance(2.9) == []
    session.clock.set_unix_ns(session.clock.unix_ns() - 3600 * 10**9)
    events = session.advance(5.2)
    assert [event.value for event in events if isinstance(event, Change)] == ["SITE-1"] * 5
    session.backend.advise(1, session.item("TestMachine_006.SiteCode"))
    assert len(session.advance(0.3)) == 1


@pytest.mark.parametrize(("echoes", "seen"), [("true", [7, 7, 8]), ("false", [7, 8])])
def test_an_equal_value_is_news_by_switch(make_session: MakeSession, echoes: str, seen: list[int]) -> None:
    """Also where changes take their time, and in other sessions."""
    switches = {"write_equal_value_echoes": echoes, "change_latency_ms": "100"}
    writer, reader = make_session(switches=switches), make_session(switches={"write_equal_value_echoes": echoes})
    written, watched = writer.advised("TestChildObject.TestInt"), reader.advised("TestChildObject.TestInt")
    own: list[object] = []
    other: list[object] = []
    for value in (7, 7, 8):
        writer.write(written, i4(value))
        for _ in range(10):
            own += [event.value for event in writer.advance(0.025) if isinstance(event, Change)]
            other += [event.value for event in reader.pump() if isinstance(event, Change)]
    assert (own, other) == (seen, seen)
    assert watched


def test_an_element_that_an_array_no_longer_has_fails(session: PlantSession) -> None:
    """As it fails when it is advised: configuration error 1003; longer again, the array shows it again."""
    element, whole = (
        session.advised("TestChildObject.TestIntArray[4]"),
        session.advised("TestChildObject.TestIntArray[]"),
    )
    short = [event for event in session.write(whole, array(VarType.VT_I4, 7, 8)) if isinstance(event, Change)]
    (gone,) = [event for event in short if event.item == element]
    assert (tuple(gone.status), gone.quality, gone.variant.vartype) == ((0, 4, 1, 1003), 4, VarType.VT_EMPTY)
    assert session.outcome(element, i4(1)) == (0, 4, 5, 1003)
    long = [event for event in session.write(whole, array(VarType.VT_I4, 1, 2, 3, 4)) if isinstance(event, Change)]
    (back,) = [event for event in long if event.item == element]
    assert (tuple(back.status), back.quality, back.value) == ((-1, 0, 0, 0), 192, 4)


def test_unregister_silences_everything(session: PlantSession) -> None:
    """After Unregister nothing is delivered and the handle is unknown."""
    session.advised("TestMachine_001.TestChangingInt")
    session.backend.unregister(1)
    assert session.advance(2) == []
    assert hresult(session.backend.add_item, 1, "x") == hresults.E_INVALIDARG


def test_an_empty_client_name_is_refused(session: PlantSession) -> None:
    """Register needs a name."""
    assert hresult(session.backend.register, "") == hresults.E_INVALIDARG


def test_a_waiting_callback_may_come_first(make_session: MakeSession) -> None:
    """Switch waiting_callback_first=true: an empty callback, pending with detail 11, quality 32, then the value."""
    session = make_session(switches={"waiting_callback_first": "true", "first_callback_cold_max_ms": "1000",
                                     "first_callback_cold_min_ms": "1000"})  # fmt: skip
    session.backend.advise(1, session.item("TestChildObject.TestInt"))
    (waiting,) = session.pump()
    assert (tuple(waiting.status), waiting.quality, waiting.value) == ((-1, 1, 1, 11), 32, None)
    assert [event.value for event in session.advance(1.1)] == [99]


@pytest.mark.parametrize(
    ("switch", "value", "call"),
    [("double_advise", "e_invalidarg", "advise"), ("remove_advised", "e_invalidarg", "remove_item")],
)
def test_strict_choices_refuse_by_switch(make_session: MakeSession, switch: str, value: str, call: str) -> None:
    """What the default takes, the other choice of the switch answers with E_INVALIDARG."""
    session = make_session(switches={switch: value})
    handle = session.advised("TestChildObject.TestInt")
    assert hresult(getattr(session.backend, call), 1, handle) == hresults.E_INVALIDARG


def test_a_pending_completion_may_come_first(make_session: MakeSession) -> None:
    """Switch write_pending_completion_first=true: pending, then the outcome."""
    session = make_session(switches={"write_pending_completion_first": "true"})
    handle = session.advised("TestChildObject.TestInt")
    done = [event for event in session.write(handle, i4(1)) if isinstance(event, Completion)]
    assert [tuple(event.status) for event in done] == [(-1, 1, 0, 0), OK_WRITE]


def test_equal_references_may_share_a_handle(make_session: MakeSession) -> None:
    """Switch equal_references_share_handle=true."""
    session = make_session(switches={"equal_references_share_handle": "true"})
    assert session.item("A.B") == session.item("A.B") == 1
    assert session.item("A.B", "Context") == 2


def test_bare_arrays_may_be_a_communication_error(make_session: MakeSession) -> None:
    """Switch bare_array_category chooses between what two sources report; the detail is 1003 in both."""
    session = make_session(switches={"bare_array_category": "communication"})
    assert tuple(session.read("TestChildObject.TestIntArray").status) == (0, 3, 1, 1003)
