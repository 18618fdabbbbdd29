"""Bulk commands: one result per entry, in order, and a failed entry fails nothing else."""

from __future__ import annotations

import pytest
from tests.support.direct_executor import DirectSession
from tests.support.fake_backend import FakeBackend

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract import hresults
from mxgateway_protocol.errors import MxComError

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


def test_items_are_added_advised_unadvised_and_removed_in_order(session: DirectSession) -> None:
    """Each result names handle and tag; an unknown handle fails alone."""
    reply = session.call("add_item_bulk", server_handle=1, tag_addresses=["Tank.Level", "Tank.Count"])
    added = reply.add_item_bulk.results
    assert [(r.item_handle, r.tag_address, r.was_successful) for r in added] == [
        (1, "Tank.Level", True), (2, "Tank.Count", True),
    ]  # fmt: skip
    for arm in ("advise_item_bulk", "un_advise_item_bulk", "remove_item_bulk"):
        results = getattr(session.call(arm, server_handle=1, item_handles=[2, 99, 1]), arm).results
        assert [(r.item_handle, r.tag_address, r.was_successful) for r in results] == [
            (2, "Tank.Count", True), (99, "", False), (1, "Tank.Level", True),
        ]  # fmt: skip
        assert results[1].hresult == hresults.E_INVALIDARG
        assert results[1].error_message


def test_a_bad_server_handle_fails_every_entry_but_not_the_call(session: DirectSession) -> None:
    """The call is OK and each entry says why it failed."""
    reply = session.call("subscribe_bulk", server_handle=7, tag_addresses=["a", "b"])
    assert reply.protocol_status.code == OK
    assert [(r.was_successful, r.item_handle) for r in reply.subscribe_bulk.results] == [(False, 0), (False, 0)]


def test_subscribe_that_cannot_advise_leaves_no_item(session: DirectSession, backend: FakeBackend) -> None:
    """An item whose Advise fails is removed again."""
    calls = backend.advise
    backend.advise = lambda *_: (_ for _ in ()).throw(MxComError(-5))  # type: ignore[method-assign]
    reply = session.call("subscribe_bulk", server_handle=1, tag_addresses=["Tank.Level"])
    assert not reply.subscribe_bulk.results[0].was_successful
    assert backend.servers[1].items == {}
    backend.advise = calls  # type: ignore[method-assign]


def test_unsubscribe_removes_the_items(session: DirectSession, backend: FakeBackend) -> None:
    """UnsubscribeBulk un-advises and removes."""
    handles = subscribe(session, "Tank.Level", "Tank.Count")
    reply = session.call("unsubscribe_bulk", server_handle=1, item_handles=handles)
    assert all(result.was_successful for result in reply.unsubscribe_bulk.results)
    assert backend.servers[1].items == {}


@pytest.mark.parametrize("arm", ["write_bulk", "write2_bulk", "write_secured_bulk", "write_secured2_bulk"])
def test_bulk_writes_answer_each_entry(session: DirectSession, arm: str) -> None:
    """Good, unknown, missing and impossible values side by side."""
    (handle,) = subscribe(session, "Tank.Level")
    session.call("authenticate_user", server_handle=1, verify_user="a")
    good = pb.MxValue(double_value=2.0)
    rest: dict[str, object] = {}
    if "2" in arm:
        rest["timestamp_value"] = pb.MxValue(string_value="now")
    if "secured" in arm:
        rest |= {"current_user_id": 1, "verifier_user_id": 1}
    entries = [
        {"item_handle": handle, "value": good, **rest},
        {"item_handle": 99, "value": good, **rest},
        {"item_handle": handle, **rest},
        {"item_handle": handle, "value": pb.MxValue(raw_value=b"x"), **rest},
    ]
    results = getattr(session.call(arm, server_handle=1, entries=entries), arm).results
    assert [r.was_successful for r in results] == [True, False, False, False]
    assert [r.item_handle for r in results] == [handle, 99, handle, handle]
    assert results[0].HasField("hresult")
    assert results[1].hresult == hresults.E_INVALIDARG
    assert not results[2].HasField("hresult")
    assert "missing" in results[2].error_message
    assert "raw" in results[3].error_message
    assert len([event for event in session.pump() if event.WhichOneof("body") == "on_write_complete"]) == 1


def test_empty_bulk_commands_have_an_empty_result(session: DirectSession) -> None:
    """No entries give the reply's arm without results."""
    for arm in ("add_item_bulk", "advise_item_bulk", "write_bulk", "read_bulk"):
        assert session.call(arm, server_handle=1).WhichOneof("payload") == arm


NUMBERS = [7, 2**32 - 1]


@pytest.mark.parametrize("arm", ["add_item_bulk", "subscribe_bulk"])
def test_events_of_items_carry_the_numbers_that_they_were_added_with(session: DirectSession, arm: str) -> None:
    """Also those that come before the reply: a value that comes inside Advise has the number."""
    tags = ["Tank.Level", "Tank.Count"]
    reply = session.call(arm, server_handle=1, tag_addresses=tags, client_handles=NUMBERS)
    handles = [result.item_handle for result in getattr(reply, arm).results]
    if arm == "add_item_bulk":
        session.call("advise_item_bulk", server_handle=1, item_handles=handles)
    first = {event.item_handle: event.client_handle for event in session.pump()}
    assert first == dict(zip(handles, NUMBERS, strict=True))
    session.call("write", server_handle=1, item_handle=handles[0], value=pb.MxValue(double_value=2.5))
    assert {event.client_handle for event in session.pump()} == {NUMBERS[0]}
    without = subscribe(session, "Tank.Level")
    session.call("write", server_handle=1, item_handle=without[0], value=pb.MxValue(double_value=3.5))
    told = {event.item_handle: event.client_handle for event in session.pump()}
    assert told[without[0]] == 0, "who gives none gets none"


@pytest.mark.parametrize("arm", ["add_item_bulk", "subscribe_bulk"])
def test_numbers_are_for_all_items_or_for_none(session: DirectSession, backend: FakeBackend, arm: str) -> None:
    reply = session.call(arm, server_handle=1, tag_addresses=["Tank.Level", "Tank.Count"], client_handles=[7])
    assert reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
    assert "client_handles has 1 entries" in reply.protocol_status.message
    assert backend.servers[1].items == {}


@pytest.mark.parametrize("arm", ["add_item", "add_item2", "add_buffered_item"])
def test_one_item_has_its_number_too(session: DirectSession, arm: str) -> None:
    reply = session.call(arm, server_handle=1, item_definition="Tank.Level", client_handle=9)
    handle = getattr(reply, arm).item_handle
    session.call("advise", server_handle=1, item_handle=handle)
    assert {event.client_handle for event in session.pump()} == {9}
