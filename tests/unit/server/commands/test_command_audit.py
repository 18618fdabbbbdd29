"""What a record holds is bounded, however much the command brought, and so is the work that goes into it."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from tests.support.gateway import command

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.constants import MAX_BULK_ITEMS
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.authenticator import Caller
from mxgateway_server.access.callers import CallInfo
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.commands import command_audit
from mxgateway_server.commands.checks import MAX_REFERENCE_CHARACTERS
from mxgateway_server.commands.command_audit import CommandAudit
from mxgateway_server.sessions.pending_writes import PendingWrites
from mxgateway_server.sessions.session import Session

MANY = 50_000
OK = pb.MxCommandReply(protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK))
CALL = CallInfo(
    caller=Caller(key_id="key", scopes=frozenset()), address="127.0.0.1", method="/m", correlation_id="call"
)


class Log:
    has_room = True

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def add(self, record: AuditRecord) -> None:
        self.records.append(record)

    add_denial = add


class FakeSession:
    session_id = "session-" + "0" * 32

    def __init__(self) -> None:
        self.writes = PendingWrites()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def audit(log: Log) -> CommandAudit:
    return CommandAudit(cast(AuditLog, log), audits_writes=True, audits_values=True)


@pytest.fixture
def worded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How large each message was of which the audit made words: every element of one is written out."""
    sizes: list[int] = []

    def words(value: Any) -> str:
        if hasattr(value, "ByteSize"):
            sizes.append(value.ByteSize())
        return builtins.str(value)

    monkeypatch.setattr(command_audit, "str", words, raising=False)
    return sizes


def array(**values: Any) -> pb.MxValue:
    return pb.MxValue(array_value=pb.MxArray(dimensions=[10] * 1000, **values))


LONG = {
    "numbers": array(double_values=pb.DoubleArray(values=[1.5] * MANY)),
    "texts": array(string_values=pb.StringArray(values=["text"] * MANY)),
    "times": array(timestamp_values=pb.TimestampArray(values=[{"seconds": 1}] * MANY)),  # type: ignore[list-item]
    "part of an array": pb.MxValue(
        sparse_array_value=pb.MxSparseArray(
            total_length=MANY,
            elements=[pb.MxSparseElement(index=index, value=pb.MxValue(int32_value=1)) for index in range(10_000)],
        )
    ),
    "a text": pb.MxValue(string_value="x" * 1_000_000),
}


@pytest.mark.parametrize("name", LONG)
def test_of_a_long_value_a_record_shows_the_beginning(
    name: str, audit: CommandAudit, log: Log, worded: list[int]
) -> None:
    made = command("WRITE", server_handle=1, item_handle=1, value=LONG[name])
    audit.finish(cast(Session, FakeSession()), made, ("Mixer.PV",), CALL, "call", [], OK, {})
    (record,) = log.records
    shown = record.details["value"]
    assert 100 < len(shown) <= 201
    assert shown.endswith("…")
    assert max(worded, default=0) < 1000


def test_each_write_of_a_bulk_shows_a_bounded_value(audit: CommandAudit, log: Log, worded: list[int]) -> None:
    entries = [pb.WriteBulkEntry(item_handle=1, value=LONG["numbers"])] * 20
    made = command("WRITE_BULK", server_handle=1, entries=entries)
    audit.finish(cast(Session, FakeSession()), made, ("Mixer.PV",) * 20, CALL, "call", [], OK, {})
    assert len(log.records) == 20
    assert all(len(record.details["value"]) <= 201 for record in log.records)
    assert max(worded) < 1000


def test_a_thousand_long_names_that_are_refused_are_one_short_record(audit: CommandAudit, log: Log) -> None:
    names = [f"{number}.{'x' * (MAX_REFERENCE_CHARACTERS - 5)}" for number in range(MAX_BULK_ITEMS)]
    audit.denied(CALL, "session", dict.fromkeys(names, "may not"), "call", pb.MX_COMMAND_KIND_READ_BULK)
    (record,) = log.records
    assert record.target == names[0]
    assert record.details["count"] == MAX_BULK_ITEMS
    assert record.details["targets"] == names[:20]
    assert len(json.dumps(record.details)) < 25 * MAX_REFERENCE_CHARACTERS


def test_a_write_whose_completion_has_not_come_is_handed_on_and_still_recorded(audit: CommandAudit, log: Log) -> None:
    before, after = cast(Session, FakeSession()), cast(Session, FakeSession())
    write = command("WRITE", server_handle=1, item_handle=2)
    followed = audit.begin(before, write, ("Tank.Level",), CALL, "first", {})
    assert command_audit.is_half_told(before.writes), "what MXAccess says to it is not recorded yet"
    audit.finish(before, write, ("Tank.Level",), CALL, "first", followed, OK, {})
    assert not command_audit.is_half_told(before.writes)
    kept = audit.keep(before)
    log.records.clear()
    audit.resume(after, kept)
    assert (len(after.writes), audit.keep(after)) == (1, kept)
    status = pb.MxStatusProxy(success=1, category=pb.MX_STATUS_CATEGORY_OK)
    family = pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE
    after.writes.complete(pb.MxEvent(family=family, server_handle=1, item_handle=2, statuses=[status]))
    (record,) = log.records
    assert (record.event, record.outcome, record.target) == ("write-completed", "ok", "Tank.Level")
    assert (record.key_id, record.remote_address, record.correlation_id) == ("key", "127.0.0.1", "first")
    assert record.details == {"kind": "WRITE"}
