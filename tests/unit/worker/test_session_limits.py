"""What a session may hold: items, registrations, and the bytes of one reply."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.direct_executor import DirectSession
from tests.support.fake_backend import FakeBackend

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.variants import DataType, Variant, VarType
from mxgateway_worker import memory
from mxgateway_worker.calls import SessionLimits

OK, EXHAUSTED = pb.PROTOCOL_STATUS_CODE_OK, pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED


class Ended(BaseException):
    """Where the process would have ended."""


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def session(backend: FakeBackend) -> DirectSession:
    session = DirectSession(backend, limits=SessionLimits(items=3, registrations=2), max_frame_bytes=1 << 20)
    session.call("register", client_name="first")
    session.call("add_item_bulk", server_handle=1, tag_addresses=["Tank.Level", "Tank.Count"])
    return session


ADDS: list[tuple[str, dict[str, Any], int]] = [
    ("add_item", {"item_definition": "Tank.Name"}, 1),
    ("add_item2", {"item_definition": "Name", "item_context": "Tank"}, 1),
    ("add_buffered_item", {"item_definition": "Tank.Name"}, 1),
    ("add_item_bulk", {"tag_addresses": ["Tank.Name"]}, 1),
    ("subscribe_bulk", {"tag_addresses": ["Tank.Name"]}, 1),
]


@pytest.mark.parametrize(("payload", "fields", "count"), ADDS, ids=[each[0] for each in ADDS])
def test_no_way_of_adding_leads_beyond_the_items_that_a_session_may_hold(
    session: DirectSession, backend: FakeBackend, payload: str, fields: dict[str, Any], count: int
) -> None:
    assert session.call(payload, server_handle=1, **fields).protocol_status.code == OK
    before = list(backend.calls)
    reply = session.call(payload, server_handle=1, **fields)
    assert reply.protocol_status.code == EXHAUSTED
    assert "3 items" in reply.protocol_status.message
    assert "sessions.max_items_per_session" in reply.protocol_status.message
    assert backend.calls == before, "MXAccess sees nothing of it"
    session.call("remove_item", server_handle=1, item_handle=1)
    assert session.call(payload, server_handle=1, **fields).protocol_status.code == OK


def test_a_bulk_command_is_refused_as_a_whole_and_not_half_way(session: DirectSession, backend: FakeBackend) -> None:
    before = list(backend.calls)
    reply = session.call("add_item_bulk", server_handle=1, tag_addresses=["Tank.Name", "Tank.Open"])
    assert (reply.protocol_status.code, list(reply.add_item_bulk.results)) == (EXHAUSTED, [])
    assert backend.calls == before


def test_items_of_a_handle_that_is_unregistered_make_room(session: DirectSession) -> None:
    session.call("unregister", server_handle=1)
    server = session.call("register", client_name="again").register.server_handle
    reply = session.call("add_item_bulk", server_handle=server, tag_addresses=["Tank.Name"] * 3)
    assert reply.protocol_status.code == OK


def test_registrations_are_bounded_and_unregister_makes_room(session: DirectSession) -> None:
    assert session.call("register", client_name="second").protocol_status.code == OK
    reply = session.call("register", client_name="third")
    assert reply.protocol_status.code == EXHAUSTED
    assert "sessions.max_registrations_per_session" in reply.protocol_status.message
    # One that fails gives nothing back, and takes nothing.
    session.call("unregister", server_handle=77)
    assert session.call("register", client_name="third").protocol_status.code == EXHAUSTED
    session.call("unregister", server_handle=2)
    assert session.call("register", client_name="third").protocol_status.code == OK


def test_a_read_looks_at_more_tags_than_items_may_be_held(session: DirectSession) -> None:
    """What it adds for the look is gone with it."""
    reply = session.call("read_bulk", server_handle=1, tag_addresses=["Tank.Level", "Tank.Name"] * 5)
    assert [each.was_successful for each in reply.read_bulk.results] == [True] * 10


@pytest.mark.parametrize("is_advised", [True, False], ids=["last values", "first values"])
def test_values_that_are_more_than_a_reply_may_have_are_found_out_before_they_are_put_together(
    session: DirectSession, backend: FakeBackend, is_advised: bool
) -> None:
    backend.values["tank.name"] = Variant(VarType.VT_BSTR, "x" * 300_000, DataType.STRING)
    if is_advised:
        session.call("subscribe_bulk", server_handle=1, tag_addresses=["Tank.Name"])
        session.pump()
    reply = session.call("read_bulk", server_handle=1, tag_addresses=["Tank.Name"] * 1000)
    assert reply.protocol_status.code == EXHAUSTED
    assert "protocol.max_grpc_message_bytes" in reply.protocol_status.message
    # Found at the fourth: 1,000 of them would be 300 MB.
    assert 1 << 20 < int(reply.protocol_status.message.split()[5]) < 1 << 21
    reply = session.call("read_bulk", server_handle=1, tag_addresses=["Tank.Name"])
    assert len(reply.read_bulk.results[0].value.string_value) == 300_000


@pytest.mark.parametrize(
    ("payload", "fields"),
    [
        ("register", {"client_name": "x"}),
        ("add_item_bulk", {"server_handle": 1, "tag_addresses": ["Tank.Name"]}),
        ("read_bulk", {"server_handle": 1, "tag_addresses": ["Tank.Name"]}),
    ],
)
def test_without_memory_the_process_ends_and_is_no_failed_entry(
    session: DirectSession, monkeypatch: pytest.MonkeyPatch, payload: str, fields: dict[str, Any]
) -> None:
    def fail(*_: Any) -> int:
        raise MemoryError

    def end() -> None:
        raise Ended

    monkeypatch.setattr(memory, "end_out_of_memory", end)
    for name in ("register", "add_item"):
        monkeypatch.setattr(session.backend, name, fail, raising=False)
    with pytest.raises(Ended):
        session.call(payload, **fields)
