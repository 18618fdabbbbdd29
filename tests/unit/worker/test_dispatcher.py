"""Every command kind, and what goes wrong with commands."""

from __future__ import annotations

import logging

import pytest
from tests.support.direct_executor import SESSION_ID, DirectSession
from tests.support.fake_backend import FakeBackend

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract import hresults
from mxgateway_contract.commands import COMMANDS, Command, Group
from mxgateway_protocol.contract import CLASS_ID, PROG_ID
from mxgateway_protocol.errors import BackendLostError, MxComError
from mxgateway_worker.executor import ThreadAffinityError

OK = pb.PROTOCOL_STATUS_CODE_OK
INVALID = pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
FAILURE = pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE
REAL = pb.MxValue(double_value=2.5)


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def session(backend: FakeBackend) -> DirectSession:
    return DirectSession(backend)


def make_item(session: DirectSession, tag: str = "Tank.Level") -> tuple[int, int]:
    server = session.call("register", client_name="test").register.server_handle
    item = session.call("add_item", server_handle=server, item_definition=tag).add_item.item_handle
    return server, item


def test_register_answers_as_the_reference_fixture_does(session: DirectSession) -> None:
    """hresult 0, the handle as VT_I4 return value of type Integer, and the register arm."""
    reply = session.call("register", client_name="test")
    assert (reply.session_id, reply.correlation_id, reply.kind) == (SESSION_ID, "c1", pb.MX_COMMAND_KIND_REGISTER)
    assert (reply.protocol_status.code, reply.hresult) == (OK, 0)
    assert reply.HasField("hresult")
    value = reply.return_value
    assert (value.int32_value, value.variant_type, value.data_type) == (1, "VT_I4", pb.MX_DATA_TYPE_INTEGER)
    assert reply.register.server_handle == 1


def test_failure_answers_as_the_reference_fixture_does(session: DirectSession) -> None:
    """MXACCESS_FAILURE, the HRESULT, and a null return value of VT_EMPTY without data."""
    reply = session.call("write", server_handle=1, item_handle=1, value=REAL)
    assert (reply.protocol_status.code, reply.hresult) == (FAILURE, hresults.E_INVALIDARG)
    value = reply.return_value
    assert (value.is_null, value.variant_type, value.data_type) == (True, "VT_EMPTY", pb.MX_DATA_TYPE_NO_DATA)
    assert reply.WhichOneof("payload") is None


def test_the_table_holds_exactly_the_kinds_of_the_catalogue(session: DirectSession) -> None:
    """Every kind has a handler but, unless they are allowed, faults."""
    wanted = {command.kind for command in COMMANDS.values() if command.group is not Group.FAULT}
    assert session.dispatcher.kinds == wanted


@pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda command: command.name)
def test_every_kind_is_answered_under_its_own_kind(session: DirectSession, command: object) -> None:
    """An empty payload of each kind is answered; the refused ones are refused by name."""
    kind = command.kind  # type: ignore[attr-defined]
    message = pb.MxCommand(kind=kind)
    getattr(message, command.payload).SetInParent()  # type: ignore[attr-defined]
    reply = session.command(message)
    assert reply.kind == kind
    assert reply.protocol_status.code != pb.PROTOCOL_STATUS_CODE_UNSPECIFIED
    if command.group is Group.FAULT:  # type: ignore[attr-defined]
        assert reply.protocol_status.code == INVALID
        assert command.name in reply.protocol_status.message  # type: ignore[attr-defined]


def test_unknown_kinds_and_wrong_payloads_are_invalid_requests(session: DirectSession) -> None:
    """The text names the kind and what it needs."""
    reply = session.command(pb.MxCommand(kind=77))  # type: ignore[arg-type]
    assert (reply.protocol_status.code, reply.kind) == (INVALID, 77)
    assert "kind 77" in reply.protocol_status.message
    reply = session.command(pb.MxCommand(kind=pb.MX_COMMAND_KIND_ADVISE))
    assert reply.protocol_status.message == "ADVISE needs the payload advise, not none at all"
    reply = session.command(pb.MxCommand(kind=pb.MX_COMMAND_KIND_ADVISE, ping=pb.PingCommand()))
    assert reply.protocol_status.message == "ADVISE needs the payload advise, not ping"


def test_values_that_are_missing_or_cannot_be_written_are_refused(session: DirectSession, backend: FakeBackend) -> None:
    """MXAccess does not see them; VT_EMPTY, in contrast, reaches it and is refused there."""
    server, item = make_item(session)
    assert "value is missing" in session.call("write", server_handle=server, item_handle=item).protocol_status.message
    reply = session.call("write2", server_handle=server, item_handle=item, value=REAL)
    assert "timestamp_value is missing" in reply.protocol_status.message
    reply = session.call("write", server_handle=server, item_handle=item, value=pb.MxValue(double_value=float("nan")))
    assert "NaN" in reply.protocol_status.message
    assert "write" not in backend.calls
    reply = session.call("write", server_handle=server, item_handle=item, value=pb.MxValue(is_null=True))
    assert (reply.protocol_status.code, reply.hresult) == (FAILURE, hresults.E_INVALIDARG)


def test_the_life_of_an_item(session: DirectSession) -> None:
    """Advise, write, suspend, activate, un-advise, remove and unregister each answer and deliver."""
    server, item = make_item(session)
    handles = {"server_handle": server, "item_handle": item}
    assert session.call("advise", **handles).return_value.is_null
    assert session.pump()[0].value.double_value == 1.5
    for arm, fields in (
        ("write", {"value": REAL}),
        ("write2", {"value": REAL, "timestamp_value": pb.MxValue(string_value="now")}),
    ):
        assert session.call(arm, **handles, **fields).protocol_status.code == OK
    assert [event.WhichOneof("body") for event in session.pump()] == [
        "on_write_complete", "on_data_change", "on_write_complete", "on_data_change",
    ]  # fmt: skip
    reply = session.call("suspend", **handles)
    assert reply.suspend.status == reply.statuses[0]
    assert (reply.suspend.status.success, reply.suspend.status.raw_category) == (-1, 1)
    assert session.pump()[0].WhichOneof("body") == "operation_complete"
    assert session.call("activate", **handles).activate.status.raw_category == 1
    assert session.call("authenticate_user", server_handle=server, verify_user="a").authenticate_user.user_id == 1
    secured = {"current_user_id": 1, "verifier_user_id": 1, "value": REAL}
    assert session.call("write_secured", **handles, **secured).protocol_status.code == OK
    assert session.call("write_secured2", **handles, **secured, timestamp_value=REAL).protocol_status.code == OK
    assert session.call("un_advise", **handles).hresult == 0
    assert session.call("remove_item", **handles).hresult == 0
    assert session.call("unregister", server_handle=server).hresult == 0
    assert session.call("unregister", server_handle=server).hresult == hresults.E_INVALIDARG


def test_buffered_items_deliver_their_own_event(session: DirectSession) -> None:
    """AddBufferedItem answers its handle, and samples come as OnBufferedDataChange."""
    server, _ = make_item(session)
    reply = session.call("add_buffered_item", server_handle=server, item_definition="Tank.Count", item_context="")
    assert reply.add_buffered_item.item_handle == 2
    (event,) = session.pump()
    assert list(event.value.array_value.int32_values.values) == [7]
    reply = session.call("set_buffered_update_interval", server_handle=server, update_interval_milliseconds=150)
    assert (reply.protocol_status.code, reply.WhichOneof("payload")) == (OK, None)


def test_control_commands(session: DirectSession) -> None:
    """Ping echoes, the state is ready, worker info names the backend, shutdown hands on its grace."""
    assert session.call("ping", message="x").diagnostic_message == "x"
    assert session.call("get_session_state").get_session_state.state == pb.SESSION_STATE_READY
    info = session.call("get_worker_info").get_worker_info
    assert (info.mxaccess_progid, info.mxaccess_clsid, info.backend_name) == (PROG_ID, CLASS_ID, "fake")
    command = pb.MxCommand(kind=pb.MX_COMMAND_KIND_SHUTDOWN_WORKER)
    command.shutdown_worker.grace_period.FromSeconds(3)
    assert session.command(command).protocol_status.code == OK
    assert session.shutdowns == [3.0]
    # What no system call takes, and what makes no sense.
    for seconds, expected in ((2**60, 3600.0), (-5, 0.0), (315_576_000_000, 3600.0)):
        command.shutdown_worker.grace_period.seconds = seconds
        assert session.command(command).protocol_status.code == OK
        assert session.shutdowns[-1] == expected


def test_drain_takes_events_that_were_not_sent(session: DirectSession) -> None:
    """The reply holds complete events; the stream goes on after them."""
    server, item = make_item(session)
    session.call("advise", server_handle=server, item_handle=item)
    session.backend.pump()
    reply = session.call("drain_events")
    assert [(event.worker_sequence, event.value.double_value) for event in reply.drain_events.events] == [(1, 1.5)]
    assert session.call("drain_events").WhichOneof("payload") == "drain_events"
    assert session.pump() == []


def test_unexpected_errors_of_the_backend_are_answered_and_logged(
    session: DirectSession, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in a backend fails the call, with its traceback in the log, and the next call works."""
    backend.fail_next = RuntimeError("boom")
    with caplog.at_level(logging.ERROR):
        reply = session.call("register", client_name="x")
    assert reply.protocol_status.code == FAILURE
    assert reply.diagnostic_message == "RuntimeError: boom"
    assert not reply.HasField("hresult")
    assert "Traceback" in caplog.text
    assert session.call("register", client_name="x").protocol_status.code == OK


def test_a_lost_backend_is_no_reply(session: DirectSession, backend: FakeBackend) -> None:
    """BackendLostError is the one exception that leaves the dispatcher."""
    backend.fail_next = BackendLostError("the apartment is gone")
    with pytest.raises(BackendLostError):
        session.call("register", client_name="x")


@pytest.mark.parametrize("error", [RuntimeError("the word: sentinel"), MxComError(-1, "sentinel is wrong")])
def test_passwords_reach_neither_reply_nor_log(
    session: DirectSession, backend: FakeBackend, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the backend says about a password, it goes nowhere."""
    make_item(session)
    backend.fail_next = error
    with caplog.at_level(logging.DEBUG):
        reply = session.call("authenticate_user", server_handle=1, verify_user="u", verify_user_password="sentinel")
    assert reply.protocol_status.code == FAILURE
    assert "sentinel" not in str(reply) + caplog.text


def test_texts_that_protobuf_does_not_take_are_mended(session: DirectSession, backend: FakeBackend) -> None:
    """A lone surrogate in an error's text does not break the reply."""
    backend.fail_next = MxComError(-1, "bad \ud800 text")
    assert session.call("register", client_name="x").diagnostic_message == "bad ? text"


def test_commands_off_the_executor_thread_are_refused() -> None:
    """Nothing touches the backend from another thread."""
    session = DirectSession(FakeBackend())
    session.executor._thread_id = 0
    with pytest.raises(ThreadAffinityError):
        session.call("ping")


FIELDS = {
    "client_name": "x",
    "item_definition": "Tank.Level",
    "update_interval_milliseconds": 100,
    "value": REAL,
    "timestamp_value": pb.MxValue(string_value="now"),
    "message": "x",
    "current_user_id": 1,
    "verifier_user_id": 1,
}


@pytest.mark.parametrize(
    "command",
    [command for command in COMMANDS.values() if command.group in (Group.COM, Group.BULK, Group.CONTROL)],
    ids=lambda command: command.name,
)
def test_a_kind_ends_a_handle_exactly_when_the_catalogue_says_that_it_frees_handles(
    session: DirectSession, command: Command
) -> None:
    """The gateway forgets by the catalogue what a handle stood for: a freed one may come back as another tag's."""
    server, item = make_item(session)
    session.call("advise", server_handle=server, item_handle=item)
    session.call("authenticate_user", server_handle=server, verify_user="a")
    given = FIELDS | {"server_handle": server, "item_handle": item, "item_handles": [item]}
    fields: dict[str, object] = {name: value for name, value in given.items() if name in command.fields}
    if "entries" in command.fields:
        payload = getattr(pb.MxCommand(), command.payload)
        entry = payload.entries.add(item_handle=item, value=REAL)
        if "timestamp_value" in command.values:
            entry.timestamp_value.CopyFrom(REAL)
        fields["entries"] = [entry]
    assert session.call(command.payload, **fields).protocol_status.code == OK
    is_gone = session.call("suspend", server_handle=server, item_handle=item).hresult == hresults.E_INVALIDARG
    assert is_gone == command.frees_handles
