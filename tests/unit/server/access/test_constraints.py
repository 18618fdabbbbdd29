"""What a limited key may read and write, however the tag is spelled."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from tests.support.gateway import command, ok
from tests.support.tag_facts import GALAXY

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.commands import COMMANDS
from mxgateway_server.access.constraints import (
    FREE,
    Constraints,
    NoLookup,
    TagFacts,
    area_denial,
    judge,
    merge_denied,
    priority_denial,
)
from mxgateway_server.access.handles import HandleTracker

ONE = pb.MxValue(int32_value=1)


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

        def may_be_array(self, reference: str) -> bool:
            return True

        def none_may_be_array(self, references: Collection[str]) -> bool:
            return not any(map(self.may_be_array, references))

        def lookup(self, reference: str) -> TagFacts | None:
            return (
                TagFacts(contained_path="Tank/Inner", full_reference="Inner_001.PV") if "Inner" in reference else None
            )

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
        "tank.pv": TagFacts(contained_path="Tank", full_reference="Tank.PV"),
        "tank.inner.pv": TagFacts(contained_path="Tank/Inner", full_reference="Inner_001.PV"),
        "tank.inner.speed": TagFacts(contained_path="Tank/Inner", full_reference="Inner_001.Speed[]"),
        "other.speed": TagFacts(contained_path="Other", full_reference="Other.Speed"),
    }

    class Known:
        is_pending = not loaded

        def may_be_array(self, reference: str) -> bool:
            return True

        def none_may_be_array(self, references: Collection[str]) -> bool:
            return not any(map(self.may_be_array, references))

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
        "tank.pv": TagFacts(contained_path="Tank", full_reference="Tank.PV"),
        "tank.inner.speed": TagFacts(contained_path="Tank/Inner", full_reference="Inner_001.Speed"),
        "other.pv": TagFacts(contained_path="Other", full_reference="Other.PV"),
        "other.speed": TagFacts(contained_path="Other", full_reference="Other.Speed"),
    }

    class Known:
        is_pending = False

        def may_be_array(self, reference: str) -> bool:
            return True

        def none_may_be_array(self, references: Collection[str]) -> bool:
            return not any(map(self.may_be_array, references))

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


@pytest.mark.parametrize("kind", ["ADD_ITEM_BULK", "SUBSCRIBE_BULK"])
def test_what_stands_beside_an_entry_stays_beside_it_when_others_are_refused(kind: str) -> None:
    tags = ["Oven.A", "Mixer.A", "Oven.B", "Mixer.B"]
    made = command(kind, server_handle=1, tag_addresses=tags, client_handles=[11, 12, 13, 14])
    verdict = judge(made, Constraints(read_tag_globs=("Mixer.*",)), HandleTracker(), GALAXY)
    assert verdict.command is not None
    sent = getattr(verdict.command, kind.lower())
    assert (list(sent.tag_addresses), list(sent.client_handles)) == (["Mixer.A", "Mixer.B"], [12, 14])
    assert list(getattr(made, kind.lower()).client_handles) == [11, 12, 13, 14]


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


@pytest.mark.parametrize(
    ("limits", "areas", "priority", "sees"),
    [
        (FREE, ("Line1",), 999, True),
        (Constraints(alarm_areas=("line?",)), ("Mixing", "Line1", "Plant"), 1, True),
        (Constraints(alarm_areas=("Plant*",)), ("Line1",), 1, False),
        (Constraints(alarm_areas=("Plant",)), ("Plant2",), 1, False),
        (Constraints(alarm_areas=("*",)), (), 1, False),
        (Constraints(alarm_min_priority=250), (), 250, True),
        (Constraints(alarm_min_priority=250), (), 251, False),
    ],
)
def test_limits_on_alarms(limits: Constraints, areas: tuple[str, ...], priority: int, sees: bool) -> None:
    denials = (area_denial(limits, areas), priority_denial(limits, priority))
    assert (denials == (None, None)) is sees
    assert Constraints.from_json(limits.to_json()) == limits
    assert limits.limits_alarms is (limits != FREE)
    assert not limits.limits_tags, "tags have limits of their own"


@pytest.mark.parametrize("wrong", [{"alarm_min_priority": 0}, {"alarm_min_priority": 1000}, {"alarm_areas": ("",)}])
def test_limits_on_alarms_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"alarm_min_priority is 1|a glob has 1"):
        Constraints(**wrong)
