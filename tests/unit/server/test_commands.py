"""Commands before a worker sees them: shapes, scopes, limits of keys, sparse arrays, array names."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tests.support.gateway import command

from mxgateway.generated import galaxy_repository_pb2 as gpb
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.commands import COMMANDS, Scope
from mxgateway_server.access.constraints import FREE, Constraints, NoLookup, TagFacts, judge, merge_denied
from mxgateway_server.access.handles import HandleTracker
from mxgateway_server.access.references import join_reference
from mxgateway_server.access.scopes import (
    ADMIN_ONLY,
    COMMAND_SCOPES,
    RPC_SCOPES,
    allows,
    parse_scopes,
    scopes_of_command,
    scopes_of_rpc,
)
from mxgateway_server.commands import checks as shapes
from mxgateway_server.commands.arrays import MAX_SPARSE_LENGTH, complete_array_names, expand_sparse, has_sparse
from mxgateway_server.errors import InvalidRequestError

ONE = pb.MxValue(int32_value=1)
KINDS = [number for number in pb.MxCommandKind.values() if number]


def ok(kind: str) -> pb.MxCommandReply:
    return pb.MxCommandReply(
        kind=pb.MxCommandKind.Value(f"MX_COMMAND_KIND_{kind}"),
        protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK),
    )


# ------------------------------------------------------------------------------------------------------------- scopes


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_the_contract_has_a_scope_of_its_own(kind: int) -> None:
    assert scopes_of_command(kind) == frozenset({COMMANDS[pb.MxCommandKind.ValueType(kind)].scope})


def test_writes_need_write_scopes_and_nothing_else_of_the_plant_can_be_written_without() -> None:
    for kind in KINDS:
        name = shapes.kind_name(kind)
        if "WRITE" in name:
            expected = Scope.INVOKE_SECURE if "SECURED" in name else Scope.INVOKE_WRITE
            assert scopes_of_command(kind) == {expected}


def test_an_unknown_kind_and_an_unknown_method_need_admin() -> None:
    assert scopes_of_command(999) == ADMIN_ONLY
    assert scopes_of_rpc("/x/Y") == ADMIN_ONLY


def test_every_method_of_both_services_is_listed_and_the_list_has_no_other() -> None:
    listed = {method for method in RPC_SCOPES if not method.startswith("/grpc.")}
    existing = {
        f"/{service.full_name}/{method.name}"
        for descriptor in (pb.DESCRIPTOR, gpb.DESCRIPTOR)
        for service in descriptor.services_by_name.values()
        for method in service.methods
    }
    assert listed == existing


def test_admin_does_not_imply_the_others() -> None:
    assert not allows({Scope.ADMIN}, COMMAND_SCOPES[pb.MX_COMMAND_KIND_WRITE])


def test_unknown_scopes_are_refused_by_name() -> None:
    assert parse_scopes([" invoke:read", "admin", "admin", ""]) == (Scope.ADMIN, Scope.INVOKE_READ)
    with pytest.raises(ValueError, match="plant:own"):
        parse_scopes(["plant:own"])


# ------------------------------------------------------------------------------------------------------------- shapes


@pytest.mark.parametrize("kind", KINDS)
def test_a_command_without_its_payload_or_with_anothers_is_refused(kind: int) -> None:
    with pytest.raises(InvalidRequestError, match="payload"):
        shapes.check_command(pb.MxCommand(kind=pb.MxCommandKind.ValueType(kind)))
    wrong = pb.MxCommand(kind=pb.MxCommandKind.ValueType(kind))
    if kind == pb.MX_COMMAND_KIND_PING:
        wrong.register.SetInParent()
    else:
        wrong.ping.SetInParent()
    with pytest.raises(InvalidRequestError, match="takes"):
        shapes.check_command(wrong)


@pytest.mark.parametrize("kind", [0, 35, 999])
def test_an_unknown_kind_is_refused(kind: int) -> None:
    with pytest.raises(InvalidRequestError, match="unknown"):
        shapes.check_command(pb.MxCommand(kind=pb.MxCommandKind.ValueType(kind), ping=pb.PingCommand()))


@pytest.mark.parametrize(
    "made",
    [
        command("ADD_ITEM_BULK", tag_addresses=["t"] * 1001),
        command("READ_BULK", tag_addresses=["t"] * 1001),
        command("UNSUBSCRIBE_BULK", item_handles=[1] * 1001),
        command("WRITE_BULK", entries=[pb.WriteBulkEntry(item_handle=1, value=ONE)] * 1001),
        command("ADD_ITEM", item_definition="x" * 1025),
        command("ADD_ITEM2", item_definition="x", item_context="y" * 1025),
        command("SUBSCRIBE_BULK", tag_addresses=["x" * 1025]),
        command("WRITE", item_handle=1),
        command("WRITE2", item_handle=1, value=ONE),
        command("WRITE_BULK", entries=[pb.WriteBulkEntry(item_handle=1)]),
    ],
)
def test_commands_beyond_the_bounds_or_with_holes_are_refused(made: pb.MxCommand) -> None:
    with pytest.raises(InvalidRequestError):
        shapes.check_command(made)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "make",
    [
        lambda n: pb.MxValue(double_value=n),
        lambda n: pb.MxValue(float_value=n),
        lambda n: pb.MxValue(array_value=pb.MxArray(double_values=pb.DoubleArray(values=[1.0, n]))),
        lambda n: pb.MxValue(array_value=pb.MxArray(float_values=pb.FloatArray(values=[n]))),
        lambda n: pb.MxValue(
            sparse_array_value=pb.MxSparseArray(elements=[pb.MxSparseElement(value=pb.MxValue(double_value=n))])
        ),
    ],
)
def test_what_is_not_a_finite_number_is_never_written(make: Any, number: float) -> None:
    with pytest.raises(InvalidRequestError, match="finite"):
        shapes.check_command(command("WRITE", item_handle=1, value=make(number)))
    with pytest.raises(InvalidRequestError, match="finite"):
        shapes.check_command(command("WRITE_BULK", entries=[pb.WriteBulkEntry(item_handle=1, value=make(number))]))


def test_a_null_may_be_written() -> None:
    shapes.check_command(command("WRITE", item_handle=1, value=pb.MxValue(is_null=True)))


@pytest.mark.parametrize("session_id", ["", "session-", "session-" + "g" * 32, "session-" + "0" * 33, "x" * 9999])
def test_a_malformed_session_id_is_refused_and_not_repeated(session_id: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        shapes.check_session_id(session_id)
    assert session_id == "" or session_id not in str(caught.value)


@pytest.mark.parametrize("text", ["x" * 201, "a\nb", "\x1b[2J", "\x00", "\u202e"])
def test_correlation_ids_are_short_and_printable(text: str) -> None:
    shapes.check_correlation_id("x" * 200)
    shapes.check_correlation_id("Zähler 7")
    with pytest.raises(InvalidRequestError) as caught:
        shapes.check_correlation_id(text)
    assert text not in str(caught.value)


# ------------------------------------------------------------------------------------------------------------ handles


def test_handles_are_learned_from_replies_and_forgotten_with_their_end() -> None:
    handles = HandleTracker()
    reply = ok("ADD_ITEM2")
    reply.add_item2.item_handle = 7
    handles.learn(command("ADD_ITEM2", server_handle=1, item_definition="Me.PV", item_context="Tank"), reply)
    bulk = ok("SUBSCRIBE_BULK")
    bulk.subscribe_bulk.results.add(server_handle=1, item_handle=8, tag_address="A.B", was_successful=True)
    bulk.subscribe_bulk.results.add(server_handle=1, item_handle=0, tag_address="C.D")
    handles.learn(command("SUBSCRIBE_BULK", server_handle=1, tag_addresses=["A.B", "C.D"]), bulk)
    assert (handles.reference(1, 7), handles.reference(1, 8), len(handles)) == ("Tank.PV", "A.B", 2)
    assert handles.reference(2, 7) is None
    handles.learn(command("REMOVE_ITEM", server_handle=1, item_handle=7), ok("REMOVE_ITEM"))
    assert handles.reference(1, 7) is None
    handles.learn(command("UNREGISTER", server_handle=1), ok("UNREGISTER"))
    assert len(handles) == 0


def test_a_failed_command_changes_nothing_and_one_without_reply_forgets_what_it_may_have_freed() -> None:
    handles = HandleTracker()
    reply = ok("ADD_ITEM")
    reply.add_item.item_handle = 7
    handles.learn(command("ADD_ITEM", server_handle=1, item_definition="A"), reply)
    failed = pb.MxCommandReply(protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE))
    handles.learn(command("REMOVE_ITEM", server_handle=1, item_handle=7), failed)
    assert handles.reference(1, 7) == "A"
    handles.forget(command("UNSUBSCRIBE_BULK", server_handle=1, item_handles=[7]))
    assert handles.reference(1, 7) is None


@pytest.mark.parametrize(
    ("made", "succeeded"),
    [
        (command("REMOVE_ITEM", server_handle=1, item_handle=7), ok("REMOVE_ITEM")),
        (command("UNREGISTER", server_handle=1), ok("UNREGISTER")),
        (
            command("REMOVE_ITEM_BULK", server_handle=1, item_handles=[7, 8]),
            pb.MxCommandReply(
                remove_item_bulk=pb.BulkSubscribeReply(
                    results=[pb.SubscribeResult(server_handle=1, item_handle=7, was_successful=True)]
                )
            ),
        ),
    ],
)
def test_what_a_command_under_way_may_free_stands_for_nothing_until_its_reply(
    made: pb.MxCommand, succeeded: pb.MxCommandReply
) -> None:
    handles = HandleTracker()
    reply = ok("ADD_ITEM")
    reply.add_item.item_handle = 7
    handles.learn(command("ADD_ITEM", server_handle=1, item_definition="A"), reply)
    failed = pb.MxCommandReply(protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE))
    handles.begin(made)
    assert handles.reference(1, 7) is None
    handles.learn(made, failed)
    assert handles.reference(1, 7) == "A"
    handles.begin(made)
    handles.learn(made, succeeded)
    assert handles.reference(1, 7) is None
    handles.begin(made)
    handles.learn(made, failed)
    assert handles.reference(1, 7) is None, "what is gone does not come back"


def test_a_handle_that_is_freed_again_before_its_new_tag_is_known_stands_for_nothing_either() -> None:
    handles = HandleTracker()
    remove = command("REMOVE_ITEM", server_handle=1, item_handle=7)
    added = ok("ADD_ITEM")
    added.add_item.item_handle = 7
    handles.begin(remove)
    handles.begin(remove)
    handles.learn(remove, ok("REMOVE_ITEM"))
    handles.learn(command("ADD_ITEM", server_handle=1, item_definition="B"), added)
    assert handles.reference(1, 7) is None
    handles.learn(remove, ok("REMOVE_ITEM"))
    assert handles.reference(1, 7) is None
    handles.learn(command("ADD_ITEM", server_handle=1, item_definition="C"), added)
    assert handles.reference(1, 7) == "C"


@pytest.mark.parametrize(
    ("context", "definition", "expected"),
    [("", "A.B", "A.B"), ("Tank", "Me.PV", "Tank.PV"), ("Tank", "me", "Tank"), ("Tank", "PV", "Tank.PV")],
)
def test_relative_references_are_joined_with_their_context(context: str, definition: str, expected: str) -> None:
    assert join_reference(context, definition) == expected


# -------------------------------------------------------------------------------------------------------- constraints


class Galaxy:
    is_pending = False

    def __init__(self, **facts: TagFacts) -> None:
        self._facts = facts

    def lookup(self, reference: str) -> TagFacts | None:
        return self._facts.get(reference.partition(".")[0])


GALAXY = Galaxy(
    Mixer=TagFacts("Plant/Line1/Mixer", security_classification=1),
    Oven=TagFacts("Plant/Line2/Oven", is_array=True, security_classification=4),
    Odd=TagFacts("Plant/Line1/Odd"),
)


def handles_for(*references: str) -> HandleTracker:
    handles = HandleTracker()
    reply = ok("ADD_ITEM_BULK")
    for number, reference in enumerate(references, 1):
        reply.add_item_bulk.results.add(server_handle=1, item_handle=number, tag_address=reference, was_successful=True)
    handles.learn(command("ADD_ITEM_BULK", server_handle=1, tag_addresses=list(references)), reply)
    return handles


def test_a_free_key_passes_every_command_as_the_very_object() -> None:
    made = command("WRITE", server_handle=1, item_handle=99, value=ONE)
    assert judge(made, FREE, HandleTracker(), NoLookup()).command is made


@pytest.mark.parametrize(
    ("limits", "reference", "passes"),
    [
        (Constraints(read_tag_globs=("Mixer.*",)), "mixer.PV", True),
        (Constraints(read_tag_globs=("Mixer.*",)), "Oven.PV", False),
        (Constraints(read_subtrees=("Plant/Line1",)), "Mixer.PV", True),
        (Constraints(read_subtrees=("Plant/Line1",)), "Oven.PV", False),
        (Constraints(read_subtrees=("Plant/Line1",)), "Unknown.PV", False),
        (Constraints(read_subtrees=("Plant/Line",)), "Mixer.PV", False),
        (Constraints(read_subtrees=("Plant/Line1",), read_tag_globs=("Oven.PV",)), "Oven.PV", True),
        (Constraints(write_tag_globs=("Nothing",)), "Oven.PV", True),
    ],
)
def test_reads_pass_by_a_subtree_or_a_glob(limits: Constraints, reference: str, passes: bool) -> None:
    made = command("ADD_ITEM", server_handle=1, item_definition=reference)
    assert (judge(made, limits, HandleTracker(), GALAXY).denial is None) == passes


def test_a_context_does_not_get_around_a_glob() -> None:
    made = command("ADD_ITEM2", server_handle=1, item_definition="PV", item_context="Oven")
    assert judge(made, Constraints(read_tag_globs=("PV",)), HandleTracker(), GALAXY).denial is not None
    assert judge(made, Constraints(read_tag_globs=("Oven.PV",)), HandleTracker(), GALAXY).denial is None


@pytest.mark.parametrize(
    ("reference", "passes"),
    [
        ("Tank.PV", True),
        ("Tank.PV[]", True),
        ("Tank.PV[3]", True),
        ("Tank.MyContainer.Secret.PV", False),
        ("Tank.Me.PV", False),
        ("Tank.Inner.PV", False),
    ],
)
def test_other_names_of_a_tag_neither_hide_it_nor_open_it(reference: str, passes: bool) -> None:
    class Contained:
        is_pending = False

        def lookup(self, reference: str) -> TagFacts | None:
            return TagFacts("Tank/Inner", full_reference="Inner_001.PV") if "Inner" in reference else None

    made = command("ADD_ITEM", server_handle=1, item_definition=reference)
    assert (judge(made, Constraints(read_tag_globs=("Tank.*",)), HandleTracker(), Contained()).denial is None) == passes


OTHER_SPELLINGS = [
    "Tank.Inner",
    "Tank.Inner.Speed",
    "TANK.inner.SPEED",
    " Tank.Inner.Speed ",
    "Tank.Inner.Speed[]",
    "Tank.Inner.Speed[ 3 ]",
    "Tank.Inner.Speed[3].Value",
    "Tank.Inner.Speed.Value",
    "Tank.Inner.Speed.quality",
    "Tank.Inner.Speed.07",
    "Tank.Inner.Speed.property(Value)",
    "Tank.Inner.attribute(Speed)",
    "Tank.Inner.attribute( Speed ).Value",
    "Tank.Inner.attribute(Speed)[-1].property(Type)",
    "Tank.Unheard.Of.PV",
    "Tank.Me",
    "Tank.MyArea.PV",
    "Tank. Me .PV",
    "Tank.(x)",
    "Other.Speed",
    "Other",
    "",
]


@pytest.mark.parametrize(
    ("reference", "loaded"),
    [
        *((reference, True) for reference in OTHER_SPELLINGS),
        # Without a Galaxy the first may be an attribute of Tank, and just as well the PV of an object in it.
        *((reference, False) for reference in OTHER_SPELLINGS),
    ],
)
def test_no_spelling_leads_from_an_open_object_into_a_closed_one(reference: str, loaded: bool) -> None:
    """Tank is open, Inner_001, which it contains, is not."""
    tags = {
        "tank.pv": TagFacts("Tank", full_reference="Tank.PV"),
        "tank.inner.pv": TagFacts("Tank/Inner", full_reference="Inner_001.PV"),
        "tank.inner.speed": TagFacts("Tank/Inner", full_reference="Inner_001.Speed[]"),
        "other.speed": TagFacts("Other", full_reference="Other.Speed"),
    }

    class Known:
        is_pending = not loaded

        def lookup(self, reference: str) -> TagFacts | None:
            return tags.get(reference.casefold()) if loaded else None

    limits = Constraints(read_tag_globs=("Tank.*",), write_tag_globs=("Tank.*",))
    for kind in ("ADD_ITEM", "ADD_ITEM2", "ADD_BUFFERED_ITEM"):
        made = command(kind, server_handle=1, item_definition=reference)
        assert judge(made, limits, HandleTracker(), Known()).denial is not None, kind
    if reference:
        made = command("WRITE", server_handle=1, item_handle=1, value=ONE)
        assert judge(made, limits, handles_for(reference), Known()).denial is not None


class Unread(NoLookup):
    """A Galaxy that could not be read so far."""

    is_pending = True


@pytest.mark.parametrize(
    ("glob", "reference", "passes"),
    [
        ("Tank.PV", "Tank.PV", True),
        ("tank.pv", "Tank.PV", True),
        ("Tank.PV[]", "Tank.PV", True),
        ("Tank.Levels", "Tank.Levels[3]", True),
        ("Tank*.PV", "Tank.PV", True),
        ("*.PV", "Tank.PV", True),
        ("Tank.*", "Tank.PV", False),
        ("Tank.P?", "Tank.PV", False),
        ("*", "Tank.PV", False),
        ("Tank*", "Tank.PV", False),
        ("*.PV", "Tank.Inner", False),
        ("Tank.Inner.Speed", "Tank.Inner.Speed", False),
        ("Tank.PV", "Tank.Inner", False),
    ],
)
def test_until_the_galaxy_is_read_a_glob_has_to_spell_the_attribute_out(
    glob: str, reference: str, passes: bool
) -> None:
    """`Tank.Inner` fits `Tank.*`, and may be the default attribute of an object that the key is not to see."""
    limits = Constraints(read_tag_globs=(glob,), write_tag_globs=(glob,))
    denials = [
        judge(command("ADD_ITEM", server_handle=1, item_definition=reference), limits, HandleTracker(), Unread()),
        judge(command("WRITE", server_handle=1, item_handle=1, value=ONE), limits, handles_for(reference), Unread()),
    ]
    assert [each.denial is None for each in denials] == [passes, passes]
    if not passes:
        assert all("not read the Galaxy" in str(each.denial) for each in denials)
    free = judge(command("ADD_ITEM", server_handle=1, item_definition=reference), FREE, HandleTracker(), Unread())
    assert free.denial is None


def test_a_gateway_without_a_galaxy_judges_by_the_text() -> None:
    """There is nothing to wait for; what the reference says is what a glob is held against."""
    limits = Constraints(read_tag_globs=("Tank.*",))
    verdicts = {
        reference: judge(
            command("ADD_ITEM", server_handle=1, item_definition=reference), limits, HandleTracker(), NoLookup()
        ).denial
        for reference in ("Tank.PV", "Tank.Inner", "Oven.PV", "Tank.Inner.PV")
    }
    assert [denial is None for denial in verdicts.values()] == [True, True, False, False]
    assert "not read the Galaxy" not in str(verdicts["Oven.PV"])


@pytest.mark.parametrize(
    ("definition", "context"),
    [
        ("Other.Speed", "Tank"),
        ("Other", "Tank"),
        ("Other.attribute(Speed)", "Tank"),
        ("Unheard.Of", "Tank"),
        ("Inner.Speed", "Tank"),
        ("Speed", "Tank.Inner"),
        ("Me.Inner.Speed", "Tank"),
        ("MyContainer.PV", "Tank"),
        ("MyArea", "Tank"),
        (" Me.Inner.Speed", "Tank"),
    ],
)
def test_a_context_does_not_lead_out_of_what_is_open(definition: str, context: str) -> None:
    tags = {
        "tank.pv": TagFacts("Tank", full_reference="Tank.PV"),
        "tank.inner.speed": TagFacts("Tank/Inner", full_reference="Inner_001.Speed"),
        "other.pv": TagFacts("Other", full_reference="Other.PV"),
        "other.speed": TagFacts("Other", full_reference="Other.Speed"),
    }

    class Known:
        is_pending = False

        def lookup(self, reference: str) -> TagFacts | None:
            return tags.get(reference.casefold())

    limits = Constraints(read_tag_globs=("Tank.*",), write_tag_globs=("Tank.*",))
    handles = HandleTracker()
    for kind in ("ADD_ITEM2", "ADD_BUFFERED_ITEM"):
        made = command(kind, server_handle=1, item_definition=definition, item_context=context)
        assert judge(made, limits, handles, Known()).denial is not None, kind
        reply = ok(kind)
        getattr(reply, COMMANDS[made.kind].payload).item_handle = 1
        handles.learn(made, reply)
        write = command("WRITE", server_handle=1, item_handle=1, value=ONE)
        assert judge(write, limits, handles, Known()).denial is not None, kind
    for definition in ("PV", "Me.PV", "me.pv"):
        made = command("ADD_ITEM2", server_handle=1, item_definition=definition, item_context="Tank")
        assert judge(made, limits, handles, Known()).denial is None, definition


@pytest.mark.parametrize(
    ("limits", "handle", "passes"),
    [
        (Constraints(write_tag_globs=("Mixer.*",)), 1, True),
        (Constraints(write_tag_globs=("Mixer.*",)), 2, False),
        (Constraints(write_tag_globs=("*",)), 99, False),
        (Constraints(write_subtrees=("Plant/Line2",)), 2, True),
        (Constraints(max_write_classification=1), 1, True),
        (Constraints(max_write_classification=1), 2, False),
        (Constraints(max_write_classification=6), 3, False),
        (Constraints(read_tag_globs=("Nothing",)), 2, True),
    ],
)
@pytest.mark.parametrize("kind", ["WRITE", "WRITE2", "WRITE_SECURED", "WRITE_SECURED2"])
def test_writes_are_judged_by_the_tag_that_the_handle_was_made_for(
    kind: str, limits: Constraints, handle: int, passes: bool
) -> None:
    made = command(kind, server_handle=1, item_handle=handle, value=ONE)
    verdict = judge(made, limits, handles_for("Mixer.PV", "Oven.PV", "Odd.PV"), GALAXY)
    assert (verdict.denial is None) == passes
    assert (verdict.command is made) == passes


def test_entries_of_a_bulk_read_are_refused_one_by_one_and_come_back_at_their_places() -> None:
    made = command("READ_BULK", server_handle=1, tag_addresses=["Oven.A", "Mixer.A", "Oven.B", "Mixer.B"])
    verdict = judge(made, Constraints(read_tag_globs=("Mixer.*",)), HandleTracker(), GALAXY)
    assert verdict.command is not None
    assert list(verdict.command.read_bulk.tag_addresses) == ["Mixer.A", "Mixer.B"]
    assert list(made.read_bulk.tag_addresses) == ["Oven.A", "Mixer.A", "Oven.B", "Mixer.B"]
    reply = ok("READ_BULK")
    for tag in ("Mixer.A", "Mixer.B"):
        reply.read_bulk.results.add(tag_address=tag, was_successful=True)
    merge_denied(made, reply, verdict.denied or {})
    assert [(r.tag_address, r.was_successful) for r in reply.read_bulk.results] == [
        ("Oven.A", False),
        ("Mixer.A", True),
        ("Oven.B", False),
        ("Mixer.B", True),
    ]
    assert "may not read" in reply.read_bulk.results[0].error_message


@pytest.mark.parametrize("kind", ["WRITE_BULK", "WRITE2_BULK", "WRITE_SECURED_BULK", "WRITE_SECURED2_BULK"])
def test_entries_of_a_bulk_write_likewise_and_without_hresult(kind: str) -> None:
    arm = kind.lower()
    entry = {
        "WRITE_BULK": pb.WriteBulkEntry,
        "WRITE2_BULK": pb.Write2BulkEntry,
        "WRITE_SECURED_BULK": pb.WriteSecuredBulkEntry,
        "WRITE_SECURED2_BULK": pb.WriteSecured2BulkEntry,
    }[kind]
    made = command(kind, server_handle=1, entries=[entry(item_handle=n, value=ONE) for n in (1, 2)])
    verdict = judge(made, Constraints(write_tag_globs=("Mixer.*",)), handles_for("Mixer.PV", "Oven.PV"), GALAXY)
    assert verdict.command is not None
    assert [e.item_handle for e in getattr(verdict.command, arm).entries] == [1]
    reply = ok(kind)
    getattr(reply, arm).results.add(item_handle=1, was_successful=True)
    merge_denied(made, reply, verdict.denied or {})
    first, second = getattr(reply, arm).results
    assert (first.was_successful, second.was_successful) == (True, False)
    assert (second.item_handle, second.HasField("hresult")) == (2, False)


def test_a_bulk_command_without_any_allowed_entry_needs_no_worker() -> None:
    made = command("SUBSCRIBE_BULK", server_handle=1, tag_addresses=["Oven.A"])
    verdict = judge(made, Constraints(read_tag_globs=("Mixer.*",)), HandleTracker(), GALAXY)
    assert verdict.command is None
    reply = ok("SUBSCRIBE_BULK")
    merge_denied(made, reply, verdict.denied or {})
    assert reply.subscribe_bulk.results[0].tag_address == "Oven.A"


def test_constraints_survive_json_and_unknown_ones_are_refused() -> None:
    limits = Constraints(read_tag_globs=("A*",), max_write_classification=0)
    assert limits.to_json() == {"read_tag_globs": ["A*"], "max_write_classification": 0}
    assert Constraints.from_json(limits.to_json()) == limits
    with pytest.raises(ValueError, match="newer_limit"):
        Constraints.from_json({"newer_limit": 1})
    with pytest.raises(ValueError, match="0 to 6"):
        Constraints(max_write_classification=7)


# ------------------------------------------------------------------------------------------------------------- arrays


def sparse(kind: int, length: int, **elements: pb.MxValue) -> pb.MxCommand:
    value = pb.MxValue(
        sparse_array_value=pb.MxSparseArray(
            element_data_type=pb.MxDataType.ValueType(kind),
            total_length=length,
            elements=[pb.MxSparseElement(index=int(at[1:]), value=value) for at, value in elements.items()],
        )
    )
    return command("WRITE", server_handle=1, item_handle=1, value=value)


@pytest.mark.parametrize(
    ("made", "field", "expected"),
    [
        (sparse(pb.MX_DATA_TYPE_INTEGER, 3, _1=ONE), "int32_values", [0, 1, 0]),
        (
            sparse(pb.MX_DATA_TYPE_INTEGER, 2, _0=ONE, _1=pb.MxValue(int64_value=2**40)),
            "int64_values",
            [1, 2**40],
        ),
        (sparse(pb.MX_DATA_TYPE_BOOLEAN, 2, _0=pb.MxValue(bool_value=True)), "bool_values", [True, False]),
        (sparse(pb.MX_DATA_TYPE_DOUBLE, 2), "double_values", [0.0, 0.0]),
        (sparse(pb.MX_DATA_TYPE_FLOAT, 1, _0=pb.MxValue(float_value=1.5)), "float_values", [1.5]),
        (sparse(pb.MX_DATA_TYPE_STRING, 2, _1=pb.MxValue(string_value="x")), "string_values", ["", "x"]),
    ],
)
def test_a_sparse_array_becomes_whole_with_its_types_defaults(
    made: pb.MxCommand, field: str, expected: list[object]
) -> None:
    assert has_sparse(made)
    array = expand_sparse(made).write.value.array_value
    assert list(getattr(array, field).values) == expected
    assert list(array.dimensions) == [len(expected)]


def test_missing_times_are_the_epoch() -> None:
    array = expand_sparse(sparse(pb.MX_DATA_TYPE_TIME, 2)).write.value.array_value
    assert [stamp.ToNanoseconds() for stamp in array.timestamp_values.values] == [0, 0]


@pytest.mark.parametrize(
    "made",
    [
        sparse(pb.MX_DATA_TYPE_INTEGER, 0),
        sparse(pb.MX_DATA_TYPE_INTEGER, MAX_SPARSE_LENGTH + 1),
        sparse(pb.MX_DATA_TYPE_INTEGER, 2, _2=ONE),
        sparse(pb.MX_DATA_TYPE_INTEGER, 2, _1=ONE, _01=ONE),
        sparse(pb.MX_DATA_TYPE_BOOLEAN, 2, _1=ONE),
        sparse(pb.MX_DATA_TYPE_INTEGER, 2, _1=pb.MxValue()),
        sparse(pb.MX_DATA_TYPE_REFERENCE_TYPE, 2),
    ],
)
def test_sparse_arrays_that_make_no_sense_are_refused(made: pb.MxCommand) -> None:
    with pytest.raises(InvalidRequestError, match="sparse_array_value"):
        expand_sparse(made)


@pytest.mark.parametrize("kind", ["ADD_ITEM", "ADD_ITEM2", "ADD_BUFFERED_ITEM"])
def test_bare_names_of_arrays_are_completed_wherever_items_are_added(kind: str) -> None:
    made = command(kind, server_handle=1, item_definition="Oven.Temperatures")
    arm = kind.lower()
    assert getattr(complete_array_names(made, GALAXY), arm).item_definition == "Oven.Temperatures[]"
    for name in ("Oven.Temperatures[]", "Oven.Temperatures[3]", "Mixer.PV", "Unknown.PV"):
        made = command(kind, server_handle=1, item_definition=name)
        assert complete_array_names(made, GALAXY) is made


def test_bare_names_in_add_item_bulk_are_completed_one_by_one() -> None:
    made = command("ADD_ITEM_BULK", server_handle=1, tag_addresses=["Mixer.PV", "Oven.T"])
    assert list(complete_array_names(made, GALAXY).add_item_bulk.tag_addresses) == ["Mixer.PV", "Oven.T[]"]
    read = command("READ_BULK", server_handle=1, tag_addresses=["Oven.T"])
    assert complete_array_names(read, GALAXY) is read
