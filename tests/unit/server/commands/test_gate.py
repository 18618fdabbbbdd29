"""The gate looks at no more of a command than its kind asks for, and at no less: every kind beside all checks."""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from tests.support.gateway import command

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.commands import COMMANDS, Group, Scope
from mxgateway_contract.constants import MAX_BULK_ITEMS
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.authenticator import Caller
from mxgateway_server.access.callers import CallInfo
from mxgateway_server.access.constraints import FREE, Constraints, TagFacts, Verdict, judge
from mxgateway_server.access.handles import HandleTracker
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.access.scopes import CHANGING_KINDS
from mxgateway_server.commands.checks import MAX_REFERENCE_CHARACTERS, check_command
from mxgateway_server.commands.command_audit import CommandAudit
from mxgateway_server.commands.gate import CommandGate
from mxgateway_server.errors import InvalidRequestError, PermissionDeniedError
from mxgateway_server.sessions.pending_writes import PendingWrites
from mxgateway_server.sessions.session import Session
from mxgateway_server.workers.command_table import ReplyFuture

KINDS = sorted(COMMANDS)
NAMES = [COMMANDS[kind].name for kind in KINDS]
TAGS = ["Mixer.PV", "Oven.PV", "Secret.PV"]
SERVER = 1
LIMITED = Constraints(read_tag_globs=("Mixer.*", "Oven.*"), write_tag_globs=("Mixer.*",), max_write_classification=2)
CLOSED = Constraints(read_tag_globs=("Nothing",), write_tag_globs=("Nothing",))
KEYS = {"free": FREE, "limited": LIMITED, "closed": CLOSED}
STAMP = pb.MxValue(string_value="2026-01-01")
SPARSE = pb.MxValue(
    sparse_array_value=pb.MxSparseArray(
        element_data_type=pb.MX_DATA_TYPE_INTEGER,
        total_length=3,
        elements=[pb.MxSparseElement(index=1, value=pb.MxValue(int32_value=5))],
    )
)


class Galaxy:
    is_pending = False

    def may_be_array(self, reference: str) -> bool:
        return True

    def none_may_be_array(self, references: Collection[str]) -> bool:
        return not any(map(self.may_be_array, references))

    def lookup(self, reference: str) -> TagFacts | None:
        name, _, attribute = reference.partition(".")
        known = {
            "Mixer": TagFacts(contained_path="Line/Mixer", is_array=False, security_classification=1),
            "Oven": TagFacts(contained_path="Line/Oven", is_array=True, security_classification=4),
        }
        return known.get(name) if attribute == "PV" else None


@dataclass
class Record:
    def require_ready(self) -> None:
        return


@dataclass
class FakeSession:
    """What the gate asks a session for; keeps what went to the worker."""

    handles: HandleTracker
    sent: list[pb.MxCommand] = field(default_factory=list)
    record: Record = field(default_factory=Record)
    writes: PendingWrites = field(default_factory=PendingWrites)
    session_id: str = "session-" + "0" * 32

    def touch(self) -> None:
        return

    def submit(
        self, command: pb.MxCommand, _timeout: float, _data: bytes | None = None, *, wants_times: bool = False
    ) -> ReplyFuture:
        assert not wants_times
        self.sent.append(command)
        return ReplyFuture()


class FakeAudit:
    has_room = True

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def add(self, record: AuditRecord) -> None:
        self.records.append(record)

    add_denial = add


def gate_with(audit: FakeAudit, *, allow_fault_injection: bool = True, is_read_only: bool = False) -> CommandGate:
    return CommandGate(
        Galaxy(),
        CommandAudit(cast(AuditLog, audit), audits_writes=True, audits_values=False),
        allow_fault_injection=allow_fault_injection,
        max_timeout=600,
        is_read_only=is_read_only,
        completes_array_names=True,
        max_reply_bytes=1024 * 1024,
    )


def call_with(constraints: Constraints = FREE, scopes: frozenset[Scope] = frozenset(Scope)) -> CallInfo:
    return CallInfo(
        caller=Caller(key_id="key", scopes=scopes, constraints=constraints),
        address="127.0.0.1",
        method="/m",
        correlation_id="c",
    )


def handles() -> HandleTracker:
    tracker = HandleTracker()
    reply = pb.MxCommandReply(kind=pb.MX_COMMAND_KIND_ADD_ITEM_BULK)
    for handle, tag in enumerate(TAGS, 1):
        reply.add_item_bulk.results.add(server_handle=SERVER, item_handle=handle, tag_address=tag, was_successful=True)
    tracker.learn(command("ADD_ITEM_BULK", server_handle=SERVER, tag_addresses=TAGS), reply)
    return tracker


def whole(name: str, tag: int = 0, value: pb.MxValue = SPARSE) -> pb.MxCommand:
    """A well-formed command that names as much as its kind can: one of the tags, or all in a bulk."""
    made = command(name)
    payload = getattr(made, COMMANDS[made.kind].payload)
    for part in payload.DESCRIPTOR.fields:
        if part.name == "server_handle":
            payload.server_handle = SERVER
        elif part.name == "item_handle":
            payload.item_handle = tag + 1
        elif part.name == "item_handles":
            payload.item_handles.extend(range(1, len(TAGS) + 1))
        elif part.name == "item_definition":
            payload.item_definition = TAGS[tag]
        elif part.name == "tag_addresses":
            payload.tag_addresses.extend(TAGS)
        elif part.name in ("value", "timestamp_value"):
            getattr(payload, part.name).CopyFrom(value if part.name == "value" else STAMP)
        elif part.name == "entries":
            for handle in range(1, len(TAGS) + 1):
                entry = payload.entries.add(item_handle=handle, value=value)
                if "timestamp_value" in entry.DESCRIPTOR.fields_by_name:
                    entry.timestamp_value.CopyFrom(STAMP)
    return made


def seen(tracker: HandleTracker) -> list[str | None]:
    """What each handle stands for now."""
    return [tracker.reference(SERVER, handle) for handle in range(1, len(TAGS) + 1)]


# By hand, and not from the catalogue or the judging that it is to check.
MAY_READ = {"free": {0, 1, 2}, "limited": {0, 1}, "closed": set[int]()}
MAY_WRITE = {"free": {0, 1, 2}, "limited": {0}, "closed": set[int]()}
FREES = {"REMOVE_ITEM", "UNREGISTER", "REMOVE_ITEM_BULK", "UNSUBSCRIBE_BULK"}
WHOLE = pb.MxValue(
    array_value=pb.MxArray(
        element_data_type=pb.MX_DATA_TYPE_INTEGER, dimensions=[3], int32_values=pb.Int32Array(values=[0, 5, 0])
    )
)
AS_ADDED = {"Mixer.PV": "Mixer.PV", "Oven.PV": "Oven.PV[]", "Secret.PV": "Secret.PV"}
"""Oven.PV is an array, and its bare name is completed."""


def expected(made: pb.MxCommand, key: str, tag: int) -> pb.MxCommand | str | None:
    """What goes to the worker; the denial when the command is refused, None when a bulk has no entry left."""
    sent = copy.deepcopy(made)
    name = pb.MxCommandKind.Name(made.kind).removeprefix("MX_COMMAND_KIND_")
    payload = getattr(sent, name.lower())
    fields = payload.DESCRIPTOR.fields_by_name
    if "value" in fields:
        payload.value.CopyFrom(WHOLE)
        return sent if tag in MAY_WRITE[key] else "may not write"
    if "item_definition" in fields:
        payload.item_definition = AS_ADDED[TAGS[tag]]
        return sent if tag in MAY_READ[key] else "may not read"
    if "entries" in fields:
        for place in (2, 1, 0):
            if place in MAY_WRITE[key]:
                payload.entries[place].value.CopyFrom(WHOLE)
            else:
                del payload.entries[place]
        return sent if payload.entries else None
    if "tag_addresses" in fields:
        tags = [text for place, text in enumerate(TAGS) if place in MAY_READ[key]]
        payload.tag_addresses[:] = [AS_ADDED[text] for text in tags]
        return sent if tags else None
    return sent


def still_known(name: str, tag: int) -> list[str | None]:
    """What each handle stands for while a command is under way that may free some."""
    if name not in FREES:
        return list(TAGS)
    return [text if name == "REMOVE_ITEM" and place != tag else None for place, text in enumerate(TAGS)]


@pytest.mark.parametrize("tag", range(len(TAGS)))
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("name", NAMES)
async def test_every_kind_is_judged_sent_and_tracked_as_if_nothing_were_skipped(name: str, key: str, tag: int) -> None:
    made = whole(name, tag)
    if COMMANDS[made.kind].group is Group.ALARM:
        return  # never goes to a worker, see below
    audit, session = FakeAudit(), FakeSession(handles())
    gate, call = gate_with(audit), call_with(KEYS[key])
    wanted = expected(made, key, tag)
    checked = gate.check(made, call, session.session_id, "")
    if isinstance(wanted, str):
        with pytest.raises(PermissionDeniedError, match=wanted):
            gate.admit(cast(Session, session), checked, call, 5)
        assert session.sent == []
        assert [record.event for record in audit.records] == ["denied"]
    else:
        gate.admit(cast(Session, session), checked, call, 5)
        assert session.sent == ([] if wanted is None else [wanted])
    assert seen(session.handles) == still_known(name, tag)


@pytest.mark.parametrize("name", NAMES)
async def test_what_a_worker_has_no_part_in_is_answered_here(name: str) -> None:
    """Alarm kinds always, faults unless they may be injected; nothing else."""
    made, session, call = whole(name, 0), FakeSession(handles()), call_with()
    gate = gate_with(FakeAudit(), allow_fault_injection=False)
    admitted = gate.admit(cast(Session, session), gate.check(made, call, session.session_id, ""), call, 5)
    is_ours = COMMANDS[made.kind].group in (Group.ALARM, Group.FAULT)
    assert admitted.future.done() == is_ours
    assert bool(session.sent) != is_ours


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_asks_for_its_own_scope(name: str) -> None:
    """With every other scope the caller is told which one is missing."""
    made = whole(name)
    needed = COMMANDS[made.kind].scope
    audit = FakeAudit()
    gate = gate_with(audit)
    assert gate.check(made, call_with(scopes=frozenset({needed})), "s", "").command is made
    with pytest.raises(PermissionDeniedError, match=str(needed)):
        gate.check(made, call_with(scopes=frozenset(Scope) - {needed}), "s", "")
    assert [record.event for record in audit.records] == ["denied"]


# --------------------------------------------------------------------------------------------------------- malformed


def damaged(name: str) -> Iterator[tuple[str, pb.MxCommand]]:
    """One command for each thing that may be wrong with this kind's payload, by its fields."""
    long = "x" * (MAX_REFERENCE_CHARACTERS + 1)
    sound = whole(name, 0, pb.MxValue(int32_value=1))
    arm = COMMANDS[sound.kind].payload
    fields = getattr(sound, arm).DESCRIPTOR.fields_by_name

    def copied() -> tuple[pb.MxCommand, Any]:
        made = copy.deepcopy(sound)
        return made, getattr(made, arm)

    for text in ("item_definition", "item_context"):
        if text in fields:
            made, payload = copied()
            setattr(payload, text, long)
            yield f"long {text}", made
    for many, one in (("tag_addresses", "t"), ("item_handles", 1)):
        if many in fields:
            made, payload = copied()
            getattr(payload, many)[:] = [one] * (MAX_BULK_ITEMS + 1)
            yield f"many {many}", made
    if "tag_addresses" in fields:
        made, payload = copied()
        payload.tag_addresses.append(long)
        yield "long tag", made
    if "entries" in fields:
        made, payload = copied()
        payload.entries.extend([payload.entries[0]] * MAX_BULK_ITEMS)
        yield "many entries", made
    if "entries" in fields or "value" in fields:
        holder = fields["entries"].message_type.fields_by_name if "entries" in fields else fields
        for part in (each for each in ("value", "timestamp_value") if each in holder):
            made, payload = copied()
            (payload.entries[-1] if "entries" in fields else payload).ClearField(part)
            yield f"no {part}", made
        made, payload = copied()
        (payload.entries[-1] if "entries" in fields else payload).value.double_value = math.nan
        yield "not a number", made


DAMAGED = [(f"{name} {what}", made) for name in NAMES for what, made in damaged(name)]


@pytest.mark.parametrize("name", NAMES)
def test_a_sound_command_of_every_kind_is_taken(name: str) -> None:
    check_command(whole(name))


@pytest.mark.parametrize("made", [made for _, made in DAMAGED], ids=[what for what, _ in DAMAGED])
def test_a_payload_that_is_wrong_in_one_thing_is_refused_whatever_its_kind(made: pb.MxCommand) -> None:
    with pytest.raises(InvalidRequestError):
        check_command(made)


# -------------------------------------------------------------------------------------------- read-only and signatures

PLAIN_WRITES = [name for name in NAMES if name in ("WRITE", "WRITE2", "WRITE_BULK", "WRITE2_BULK")]
UNSIGNED = frozenset(Scope) - {Scope.INVOKE_SECURE}


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
@pytest.mark.parametrize("by", ["key", "gateway"])
def test_read_only_beats_every_scope_for_what_changes_the_plant_and_for_nothing_else(kind: int, by: str) -> None:
    gate = gate_with(FakeAudit(), is_read_only=by == "gateway")
    call = call_with(Constraints(read_only=by == "key"))
    made = whole(COMMANDS[kind].name)
    if kind in CHANGING_KINDS:
        with pytest.raises(PermissionDeniedError, match=r"read-only|read_only"):
            gate.check(made, call, "session-" + "0" * 32, "")
    else:
        gate.check(made, call, "session-" + "0" * 32, "")


def test_what_carries_a_value_or_a_fault_or_acknowledges_may_change_the_plant() -> None:
    changing = {
        kind
        for kind, facts in COMMANDS.items()
        if facts.values or facts.group is Group.FAULT or "ACKNOWLEDGE" in facts.name or "SHELVE" in facts.name
    }
    assert changing <= CHANGING_KINDS
    assert not [name for kind, name in zip(KINDS, NAMES, strict=True) if kind in CHANGING_KINDS - changing]


class Signing(Galaxy):
    """A Galaxy of one attribute for each classification, `Mixer.PV` of this one."""

    def __init__(self, classification: int | None, *, is_pending: bool = False) -> None:
        self.classification = classification
        self.is_pending = is_pending

    def lookup(self, reference: str) -> TagFacts | None:
        if self.classification is None or reference != "Mixer.PV":
            return None
        return TagFacts(contained_path="Line/Mixer", security_classification=self.classification)


def verdict(name: str, classification: int | None, scopes: frozenset[Scope], *, is_pending: bool = False) -> Verdict:
    made = whole(name, value=pb.MxValue(int32_value=1))
    return judge(made, FREE, handles(), Signing(classification, is_pending=is_pending), scopes)


def first_denial(found: Verdict) -> str | None:
    return found.denial or (found.denied or {}).get(0)


@pytest.mark.parametrize("name", PLAIN_WRITES)
@pytest.mark.parametrize("classification", range(7))
def test_a_plain_write_of_what_wants_a_signature_needs_the_scope_for_signing(name: str, classification: int) -> None:
    denial = first_denial(verdict(name, classification, UNSIGNED))
    assert ("invoke:secure" in (denial or "")) == (classification in (2, 3))
    assert first_denial(verdict(name, classification, frozenset(Scope))) is None
    # Without a supervisory connection the plant asks for the signature itself.
    assert first_denial(verdict(name, classification, UNSIGNED - {Scope.INVOKE_SUPERVISORY})) is None


@pytest.mark.parametrize("name", PLAIN_WRITES)
def test_what_cannot_be_told_to_want_no_signature_is_refused(name: str) -> None:
    assert "is not known" in (first_denial(verdict(name, None, UNSIGNED)) or "")
    assert "has not read the Galaxy" in (first_denial(verdict(name, None, UNSIGNED, is_pending=True)) or "")


def test_an_entry_of_a_bulk_is_refused_alone() -> None:
    found = verdict("WRITE_BULK", 2, UNSIGNED)
    assert found.command is None, "two are unknown here, and the first wants a signature"
    assert set(found.denied or {}) == {0, 1, 2}


def test_a_supervisory_connection_needs_the_scope_of_its_own() -> None:
    gate, made = gate_with(FakeAudit()), whole("ADVISE_SUPERVISORY")
    with pytest.raises(PermissionDeniedError, match="invoke:supervisory"):
        gate.check(made, call_with(scopes=frozenset(Scope) - {Scope.INVOKE_SUPERVISORY}), "session-" + "0" * 32, "")
    gate.check(made, call_with(scopes=frozenset({Scope.INVOKE_SUPERVISORY})), "session-" + "0" * 32, "")


def test_a_key_without_the_scope_learns_nothing_of_its_commands_shape() -> None:
    audit = FakeAudit()
    gate = gate_with(audit)
    for kind in KINDS:
        nobody = call_with(scopes=frozenset())
        for made in (pb.MxCommand(kind=kind), whole(COMMANDS[kind].name, value=pb.MxValue(double_value=math.nan))):
            with pytest.raises(PermissionDeniedError):
                gate.check(made, nobody, "no session at all", "x" * 100_000)
    assert {(record.session_id, record.correlation_id) for record in audit.records} == {("", "c")}
    assert len(audit.records) == 2 * len(KINDS)
