"""Events that are longer than a frame, and handles that no command added."""

from __future__ import annotations

import pytest
from tests.support.direct_executor import DirectSession
from tests.support.fake_backend import GOOD, FakeBackend

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.constants import MAX_BULK_ITEMS
from mxgateway_protocol.backend import Sample
from mxgateway_protocol.variants import DataType, Variant, VarType
from mxgateway_worker.items import Items, TrackedItem, item_key

TEXT = DataType.STRING


@pytest.fixture
def session() -> DirectSession:
    made = DirectSession(FakeBackend())
    made.sink.longest_event = 1000
    return made


def text(length: int) -> Variant:
    return Variant(VarType.VT_BSTR, "x" * length, TEXT)


def test_a_value_that_no_frame_holds_is_replaced_and_says_so(session: DirectSession) -> None:
    """The event comes, with quality, time and status, and a raw value that tells what was left out."""
    session.sink.on_data_change(1, 1, text(2000), 192, 5, GOOD)
    (event,) = session.pump()
    assert event.value.raw_value.startswith(b"VT_BSTR left out")
    assert event.value.raw_diagnostic
    assert (event.quality, event.value.raw_data_type) == (192, TEXT)


def test_long_buffers_are_split(session: DirectSession) -> None:
    """Samples that do not fit one event come in several, in order; a sample that fits none is replaced."""
    samples = [Sample(text(300), number, number) for number in range(5)]
    session.sink.on_buffered_data_change(1, 1, TEXT, samples, GOOD)
    qualities = [
        quality
        for event in session.pump()
        for quality in event.on_buffered_data_change.quality_values.int32_values.values
    ]
    assert qualities == [0, 1, 2, 3, 4]
    session.sink.on_buffered_data_change(1, 1, TEXT, [Sample(text(2000), 192, 5)], GOOD)
    (event,) = session.pump()
    assert event.value.array_value.raw_values.values[0].startswith(b"VT_BSTR left out")


def test_events_of_handles_that_no_command_added_are_delivered(session: DirectSession) -> None:
    """A late event after RemoveItem is still an event of the stream."""
    session.sink.on_data_change(3, 7, text(5), 192, 5, GOOD)
    session.sink.on_write_complete(3, 7, GOOD)
    change, write = session.pump()
    assert (change.server_handle, change.item_handle, change.value.string_value) == (3, 7, "xxxxx")
    assert write.family == pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE


def test_the_session_id_changes_only_before_the_first_item(session: DirectSession) -> None:
    """An assigned session's id is in every event; later it can not change any more."""
    session.sink.session_id = "session-new"
    session.sink.track(1, 1, "x")
    session.sink.on_data_change(1, 1, text(5), 192, 5, GOOD)
    assert session.pump()[0].session_id == "session-new"
    with pytest.raises(RuntimeError):
        session.sink.session_id = "session-other"


def test_the_temporary_items_of_a_whole_bulk_are_remembered_and_not_for_ever() -> None:
    """Their late events go nowhere; in days of reads the memory of them must not grow."""
    items = Items()
    for key in range(10 * MAX_BULK_ITEMS):
        items.retire(key)
    assert all(items.is_retired(key) for key in range(8 * MAX_BULK_ITEMS, 10 * MAX_BULK_ITEMS))
    assert sum(map(items.is_retired, range(10 * MAX_BULK_ITEMS))) == 8 * MAX_BULK_ITEMS


def test_a_handle_that_becomes_an_items_own_is_retired_no_more() -> None:
    """Else the last events of that item, once it is removed, would go nowhere."""
    items = Items()
    items.retire(item_key(1, 9))
    items.add(TrackedItem("session", 1, 9, "A.B"))
    items.discard(1, 9)
    assert not items.is_retired(item_key(1, 9))


def test_an_event_inside_add_buffered_item_is_delivered_also_under_a_handle_of_a_temporary_item() -> None:
    """MXAccess may take a handle again, and AddBufferedItem subscribes before it returns."""

    class Hasty(FakeBackend):
        def add_buffered_item(self, server_handle: int, item_definition: str, item_context: str) -> int:
            samples = [Sample(text(3), 192, 5)]
            session.sink.on_buffered_data_change(server_handle, 9, TEXT, samples, GOOD)
            return 9

    session = DirectSession(Hasty())
    server = session.call("register", client_name="x").register.server_handle
    session.sink.items.retire(item_key(server, 9))
    session.sink.on_data_change(server, 9, text(3), 192, 5, GOOD)
    assert session.pump() == [], "a late event of the temporary item"
    reply = session.call("add_buffered_item", server_handle=server, item_definition="A.B", item_context="")
    assert reply.add_buffered_item.item_handle == 9
    (event,) = session.pump()
    assert (event.item_handle, event.HasField("on_buffered_data_change")) == (9, True)
    session.sink.items.discard(server, 9)
    session.sink.items.retire(item_key(server, 9))
    session.sink.on_data_change(server, 9, text(3), 192, 5, GOOD)
    assert session.pump() == []
