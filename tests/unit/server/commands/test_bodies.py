"""Long requests are judged and counted before they are parsed; short ones are told the same."""

from __future__ import annotations

from typing import Any, cast

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from tests.support.gateway import command

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.commands import kind_name
from mxgateway_contract.constants import MAX_BULK_ITEMS, MAX_REQUEST_BYTES
from mxgateway_contract.varints import varint
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.authenticator import Caller
from mxgateway_server.access.callers import CallInfo
from mxgateway_server.access.constraints import Constraints, NoLookup
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.access.scopes import Scope
from mxgateway_server.access.shares import LARGE_BODY
from mxgateway_server.commands import bodies
from mxgateway_server.commands.bodies import batch_of, command_request, glance, streamed_command
from mxgateway_server.commands.command_audit import CommandAudit
from mxgateway_server.commands.gate import CommandGate
from mxgateway_server.errors import InvalidRequestError, MessageLimitError, PermissionDeniedError

SESSION = "session-" + "0" * 32
LONG = "x" * LARGE_BODY
# Two bytes each, hundreds of bytes when parsed.
ENTRIES = 500_000


class FakeAudit:
    has_room = True

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def add_denial(self, record: AuditRecord) -> None:
        self.records.append(record)


@pytest.fixture
def audit() -> FakeAudit:
    return FakeAudit()


@pytest.fixture
def gate(audit: FakeAudit) -> CommandGate:
    return CommandGate(
        NoLookup(),
        CommandAudit(cast(AuditLog, audit), audits_writes=True, audits_values=False),
        allow_fault_injection=True,
        max_timeout=600,
        completes_array_names=True,
        max_reply_bytes=1024 * 1024,
    )


def call_of(*scopes: Scope) -> CallInfo:
    caller = Caller(key_id="key", scopes=frozenset(scopes))
    return CallInfo(caller=caller, address="127.0.0.1", method="/m", correlation_id="call")


def empty_entries(kind: str, field: str) -> bytes:
    """A request with a list of empty entries, as bytes that nobody should parse."""
    made = command(kind)
    arm = pb.MxCommand.DESCRIPTOR.fields_by_name[kind.lower()]
    number = arm.message_type.fields_by_name[field].number
    payload = (varint(number << 3 | 2) + b"\0") * ENTRIES
    made.ClearField(arm.name)
    return wrapped(3, made.SerializeToString() + wrapped(arm.number, payload))


def wrapped(number: int, inner: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(inner)) + inner


@pytest.fixture
def nothing_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise AssertionError("parsed what should have been refused as bytes")

    monkeypatch.setattr(bodies, "parsed", fail)


@pytest.mark.usefixtures("nothing_is_parsed")
async def test_of_a_long_command_the_scope_is_asked_before_anything_in_it_is_looked_at(
    gate: CommandGate, audit: FakeAudit
) -> None:
    for kind, field in (("WRITE_BULK", "entries"), ("WRITE_SECURED_BULK", "entries"), ("READ_BULK", "tag_addresses")):
        with pytest.raises(PermissionDeniedError, match=f"{kind} needs the scope"):
            await command_request(empty_entries(kind, field), gate, call_of(Scope.EVENTS_READ))
    assert [record.target for record in audit.records] == ["WRITE_BULK", "WRITE_SECURED_BULK", "READ_BULK"]


@pytest.mark.usefixtures("nothing_is_parsed")
async def test_too_many_entries_are_refused_as_bytes(gate: CommandGate) -> None:
    for kind, field in (
        ("WRITE_BULK", "entries"),
        ("READ_BULK", "tag_addresses"),
        ("ADVISE_ITEM_BULK", "item_handles"),
    ):
        with pytest.raises(InvalidRequestError, match=f"{field} has more than {MAX_BULK_ITEMS} entries"):
            await command_request(empty_entries(kind, field), gate, call_of(*Scope))


@pytest.mark.usefixtures("nothing_is_parsed")
async def test_only_writes_and_bulk_commands_may_have_the_whole_message(gate: CommandGate) -> None:
    text = "x" * (MAX_REQUEST_BYTES + 1)
    for made in (command("PING", message=text), command("REGISTER", client_name=text)):
        data = pb.MxCommandRequest(session_id=SESSION, command=made).SerializeToString()
        with pytest.raises(MessageLimitError, match=r"protocol\.max_request_bytes"):
            await command_request(data, gate, call_of(*Scope))


async def test_a_long_write_comes_through_whole(gate: CommandGate) -> None:
    value = pb.MxValue(string_value="x" * (4 * MAX_REQUEST_BYTES))
    request = pb.MxCommandRequest(session_id=SESSION, command=command("WRITE", item_handle=1, value=value))
    assert await command_request(request.SerializeToString(), gate, call_of(*Scope)) == request


@pytest.mark.parametrize("tail", [b"", b"\0" * LARGE_BODY], ids=["short", "long"])
async def test_bytes_that_are_no_message_are_told_so_and_no_error_keeps_them(gate: CommandGate, tail: bytes) -> None:
    for make in (command_request, streamed_command):
        with pytest.raises(InvalidRequestError, match="not the message") as caught:
            await make(b"\xff\xff\xff" + tail, gate, call_of(*Scope))
        assert caught.value.__context__ is None
    with pytest.raises(InvalidRequestError, match="not the message") as caught:
        batch_of(b"\xff\xff\xff" + tail)
    assert caught.value.__context__ is None


COMMANDS = st.builds(
    pb.MxStreamCommand,
    correlation_id=st.text(max_size=5),
    command=st.builds(lambda text: command("PING", message=text), st.text(max_size=20)),
)


@given(st.text(max_size=10), st.lists(COMMANDS, max_size=5), st.lists(st.text(max_size=5), max_size=3))
def test_a_long_batch_is_taken_apart_as_it_would_be_parsed(
    session_id: str, commands: list[pb.MxStreamCommand], cancels: list[str]
) -> None:
    batch = pb.MxCommandBatch(session_id=session_id, commands=commands, cancel_correlation_ids=cancels)
    data = batch.SerializeToString()
    short = batch_of(data)
    long = bodies._split(data)
    parsed = [
        each if isinstance(each, pb.MxStreamCommand) else pb.MxStreamCommand.FromString(each) for each in long.commands
    ]
    assert (long.session_id, parsed, list(long.cancel_correlation_ids)) == (session_id, commands, cancels)
    assert (short.session_id, list(short.commands), list(short.cancel_correlation_ids)) == (
        session_id,
        commands,
        cancels,
    )
    for each in long.commands:
        assert isinstance(each, bytes)
        made = pb.MxStreamCommand.FromString(each)
        assert glance(each) == (made.correlation_id, made.command.kind)


@given(st.binary(max_size=40))
def test_a_batch_that_cannot_be_parsed_is_refused_whether_it_is_long_or_short(data: bytes) -> None:
    try:
        pb.MxCommandBatch.FromString(data)
    except DecodeError:
        with pytest.raises(InvalidRequestError):
            batch_of(data)
    glance(data)


@pytest.mark.parametrize("size", [0, 100], ids=["short", "long"])
@pytest.mark.parametrize("field", ["commands", "cancel_correlation_ids"])
def test_a_batch_may_hold_a_thousand_and_no_more(size: int, field: str) -> None:
    text = "x" * size
    one: Any = text if field == "cancel_correlation_ids" else pb.MxStreamCommand(correlation_id=text)
    batch_of(pb.MxCommandBatch(**{field: [one] * MAX_BULK_ITEMS}).SerializeToString())
    with pytest.raises(InvalidRequestError, match=f"{field}.*{MAX_BULK_ITEMS}"):
        batch_of(pb.MxCommandBatch(**{field: [one] * (MAX_BULK_ITEMS + 1)}).SerializeToString())


async def test_a_command_of_a_long_batch_is_counted_like_one_of_its_own(gate: CommandGate) -> None:
    value = pb.MxValue(array_value=pb.MxArray(int32_values=pb.Int32Array(values=[1] * 300_000)))
    made = pb.MxStreamCommand(correlation_id="7", command=command("WRITE", value=value))
    with pytest.raises(InvalidRequestError, match="fields and elements"):
        await streamed_command(made.SerializeToString(), gate, call_of(*Scope))
    assert glance(made.SerializeToString()) == ("7", pb.MX_COMMAND_KIND_WRITE)


# What a long body is judged by at first is what can be seen of it without parsing it: the first kind that stands there.
# Protobuf takes the last one, and puts two payloads of one message together.
PING_FIRST = pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING).SerializeToString()
CHANGING = {
    "WRITE": command("WRITE", item_handle=1, value=pb.MxValue(string_value=LONG)),
    "WRITE_BULK": command("WRITE_BULK", entries=[pb.WriteBulkEntry(value=pb.MxValue(string_value=LONG))]),
    "INJECT_FAULT": command("INJECT_FAULT", parameters={"text": LONG}),
}


def two_faced(name: str) -> dict[str, bytes]:
    """A command that looks like a ping, and is parsed as one that changes something."""
    made = CHANGING[name].SerializeToString()
    unknown = (varint(999 << 3) + b"\1") * 20
    return {
        "two kinds": wrapped(3, PING_FIRST + made),
        "two commands": wrapped(3, PING_FIRST) + wrapped(3, made),
        "unknown fields first": wrapped(3, unknown + made),
    }


@pytest.mark.parametrize("name", CHANGING)
@pytest.mark.parametrize("form", ["two kinds", "two commands", "unknown fields first"])
@pytest.mark.parametrize("is_read_only", [True, False], ids=["read-only", "without its scope"])
async def test_a_body_is_judged_by_what_it_is_parsed_as_whatever_it_looked_like(
    gate: CommandGate, name: str, form: str, is_read_only: bool
) -> None:
    body = two_faced(name)[form]
    caller = Caller(
        key_id="key",
        scopes=frozenset(Scope) if is_read_only else frozenset({Scope.INVOKE_READ}),
        constraints=Constraints(read_only=is_read_only),
    )
    call = CallInfo(caller=caller, address="127.0.0.1", method="/m", correlation_id="call")
    request = await command_request(body, gate, call)
    assert len(body) > LARGE_BODY
    assert kind_name(request.command.kind) == name
    with pytest.raises(PermissionDeniedError, match="read-only" if is_read_only else f"{name} needs the scope"):
        gate.check(request.command, call, SESSION, "")
