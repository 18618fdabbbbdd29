"""ReadBulk: last values of advised items, a look at all others, and nothing left behind."""

from __future__ import annotations

import pytest
from tests.support.direct_executor import DirectSession
from tests.support.fake_backend import GOOD, FakeBackend

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.status import PENDING, MxStatus
from mxgateway_protocol.variants import EMPTY, DataType, Variant, VarType

OK = pb.PROTOCOL_STATUS_CODE_OK


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def session(backend: FakeBackend) -> DirectSession:
    session = DirectSession(backend)
    session.call("register", client_name="test")
    return session


def subscribe(session: DirectSession, *tags: str) -> list[int]:
    reply = session.call("subscribe_bulk", server_handle=1, tag_addresses=tags)
    session.pump()
    return [result.item_handle for result in reply.subscribe_bulk.results]


def read(session: DirectSession, *tags: str, timeout_ms: int = 0) -> list[pb.BulkReadResult]:
    reply = session.call("read_bulk", server_handle=1, tag_addresses=tags, timeout_ms=timeout_ms)
    assert reply.protocol_status.code == OK
    return list(reply.read_bulk.results)


def test_advised_tags_are_read_from_the_last_change(session: DirectSession, backend: FakeBackend) -> None:
    """was_cached is set, names match without case, and the subscription stays as it was."""
    (handle,) = subscribe(session, "Tank.Level")
    backend.change("Tank.Level", Variant(VarType.VT_R8, 9.5, DataType.DOUBLE), quality=64)
    (event,) = session.pump()
    before = list(backend.calls)
    (result,) = read(session, "TANK.level")
    assert (result.was_successful, result.was_cached, result.item_handle) == (True, True, handle)
    assert (result.value, result.quality) == (event.value, 64)
    assert (result.source_timestamp, list(result.statuses)) == (event.source_timestamp, list(event.statuses))
    assert (result.tag_address, result.server_handle, result.error_message) == ("TANK.level", 1, "")
    assert backend.calls == before


def test_an_advised_tag_that_failed_is_answered_from_its_failure(session: DirectSession, backend: FakeBackend) -> None:
    """The last OnDataChange said why there is no value; another look would say the same."""
    (handle,) = subscribe(session, "Tank.Nothing")
    before = list(backend.calls)
    (result,) = read(session, "Tank.Nothing")
    assert (result.was_successful, result.was_cached, result.item_handle) == (False, False, handle)
    assert (result.HasField("value"), result.quality, result.statuses[0].detail) == (False, 4, 6)
    assert "detail 6" in result.error_message
    assert backend.calls == before


def test_a_pending_change_is_no_answer(session: DirectSession, backend: FakeBackend) -> None:
    """While an advised item only says "pending", a read looks for itself."""
    handle = session.call("add_item", server_handle=1, item_definition="Tank.Level").add_item.item_handle
    session.call("advise", server_handle=1, item_handle=handle)
    backend.queue.clear()
    session.sink.on_data_change(1, handle, EMPTY, 32, 5, (PENDING,))
    (result,) = read(session, "Tank.Level")
    assert (result.was_successful, result.was_cached, result.value.double_value) == (True, False, 1.5)


def test_other_tags_are_looked_at_together_and_leave_no_trace(session: DirectSession, backend: FakeBackend) -> None:
    """All are advised before any is awaited; no item, no event and no sequence remains."""
    results = read(session, "Tank.Level", "Tank.Count", "Tank.Nothing", "Tank.Name")
    assert [r.was_successful for r in results] == [True, True, False, True]
    assert [r.was_cached for r in results] == [False] * 4
    assert (results[0].value.double_value, results[1].value.int32_value) == (1.5, 7)
    assert results[3].value.string_value == "T1"
    failed = results[2]
    assert (failed.statuses[0].detail, failed.HasField("value"), failed.HasField("source_timestamp")) == (
        6,
        False,
        False,
    )
    assert "detail 6" in failed.error_message
    assert backend.calls.index("un_advise") > max(n for n, call in enumerate(backend.calls) if call == "advise")
    assert backend.servers[1].items == {}
    assert session.pump() == []
    assert session.events.sequence == 0


def test_a_tag_may_stand_twice_in_one_read(session: DirectSession, backend: FakeBackend) -> None:
    """Both entries get the value of one look."""
    results = read(session, "Tank.Level", "tank.LEVEL", "Tank.Level")
    assert [(r.tag_address, r.value.double_value) for r in results] == [
        ("Tank.Level", 1.5), ("tank.LEVEL", 1.5), ("Tank.Level", 1.5),
    ]  # fmt: skip
    assert backend.calls.count("add_item") == 1


def test_silent_tags_time_out_together(session: DirectSession, backend: FakeBackend) -> None:
    """The wait is the time given, once for all; without one it is the default; the rest still has its values."""
    start = session.clock.monotonic()
    results = read(session, "silent.a", "Tank.Level", "silent.b", timeout_ms=1500)
    assert session.clock.monotonic() - start == pytest.approx(1.5, abs=0.1)
    assert [r.was_successful for r in results] == [False, True, False]
    assert results[0].error_message == "no value within 1500 ms"
    assert backend.servers[1].items == {}
    start = session.clock.monotonic()
    read(session, "silent.a")
    assert session.clock.monotonic() - start == pytest.approx(5.0, abs=0.1)


def test_a_read_does_not_outlast_its_caller(session: DirectSession) -> None:
    """A caller that stops waiting after one second ends the wait, whatever timeout_ms says."""
    start = session.clock.monotonic()
    command = pb.MxCommand(
        kind=pb.MX_COMMAND_KIND_READ_BULK,
        read_bulk=pb.ReadBulkCommand(server_handle=1, tag_addresses=["silent.a"], timeout_ms=60_000),
    )
    assert not session.command(command, expires=start + 1).read_bulk.results[0].was_successful
    assert session.clock.monotonic() - start == pytest.approx(1.0, abs=0.1)


def test_late_events_of_a_temporary_item_go_nowhere(session: DirectSession) -> None:
    """What was under way when the look ended does not reach the stream; a new item of the handle's number does."""
    read(session, "Tank.Level")
    session.sink.on_data_change(1, 1, Variant(VarType.VT_R8, 1.0), 192, 5, GOOD)
    session.sink.on_write_complete(1, 1, GOOD)
    assert session.pump() == []
    session.sink.track(1, 1, "Again")
    session.sink.on_data_change(1, 1, Variant(VarType.VT_R8, 1.0), 192, 5, GOOD)
    assert len(session.pump()) == 1


def test_no_value_of_an_old_life_is_served(session: DirectSession, backend: FakeBackend) -> None:
    """UnAdvise, RemoveItem and Unregister forget the last value; a new advise waits for a new one."""
    (handle,) = subscribe(session, "Tank.Level")
    session.call("un_advise", server_handle=1, item_handle=handle)
    assert not read(session, "Tank.Level")[0].was_cached
    session.call("advise", server_handle=1, item_handle=handle)
    assert not read(session, "Tank.Level")[0].was_cached
    assert read(session, "Tank.Level")[0].was_cached
    session.call("remove_item", server_handle=1, item_handle=handle)
    assert not read(session, "Tank.Level")[0].was_cached
    subscribe(session, "Tank.Level")
    assert read(session, "Tank.Level")[0].was_cached
    session.call("unregister", server_handle=1)
    result = read(session, "Tank.Level")[0]
    assert (result.was_successful, bool(result.error_message)) == (False, True)


def test_an_item_with_a_context_does_not_answer_for_its_bare_name(session: DirectSession) -> None:
    """Relative references mean nothing without their context."""
    item = session.call("add_item2", server_handle=1, item_definition="Tank.Level", item_context="Area")
    session.call("advise", server_handle=1, item_handle=item.add_item2.item_handle)
    session.pump()
    assert not read(session, "Tank.Level")[0].was_cached


def test_a_repeated_read_shows_each_change(session: DirectSession) -> None:
    """A read of an item that did not change is the same again; value, quality, time or spelling make it another one."""
    (handle,) = subscribe(session, "Tank.Level")
    changes = [(1.0, 192, 5), (1.0, 192, 5), (2.0, 192, 5), (2.0, 64, 5), (2.0, 64, 6), (3.0, 64, 7)]
    for value, quality, at in changes:
        session.sink.on_data_change(1, handle, Variant(VarType.VT_R8, value), quality, at, GOOD)
        for tag in ("Tank.Level", "Tank.Level", "TANK.LEVEL"):
            (result,) = read(session, tag)
            assert (result.tag_address, result.was_cached, result.item_handle) == (tag, True, handle)
            assert (result.value.double_value, result.quality, result.source_timestamp.nanos) == (value, quality, at)
    session.sink.on_data_change(1, handle, EMPTY, 8, 8, (MxStatus(0, 4, 1, 6),))
    assert (read(session, "Tank.Level")[0].was_successful, read(session, "Tank.Level")[0].quality) == (False, 8)
