"""The rule that `access-check` names is the one by which the gate decides."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from typing import Any

import pytest
from tests.support.gateway import command

from mxgateway_contract.commands import COMMANDS, Scope, Touch
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.constraints import FREE, Constraints, TagFacts, judge
from mxgateway_server.access.explain import explain
from mxgateway_server.access.handles import HandleTracker
from mxgateway_server.access.records import KeyRecord
from mxgateway_server.access.scopes import CHANGING_KINDS, allows, scopes_of_command

TAGS = ["Mixer.PV", "Oven.PV", "Lock.PV", "Nowhere.PV"]
LIMITS = {
    "free": FREE,
    "reads": Constraints(read_tag_globs=("Mixer.*",)),
    "writes": Constraints(write_subtrees=("Line",)),
    "class": Constraints(max_write_classification=1),
    "read-only": Constraints(read_only=True),
}
SCOPES = {
    "all": frozenset(Scope),
    "unsigned": frozenset(Scope) - {Scope.INVOKE_SECURE},
    "plain": frozenset({Scope.INVOKE_READ, Scope.INVOKE_WRITE}),
    "reading": frozenset({Scope.INVOKE_READ}),
}


class Galaxy:
    is_pending = False

    def may_be_array(self, reference: str) -> bool:
        return False

    def none_may_be_array(self, references: Collection[str]) -> bool:
        return not any(map(self.may_be_array, references))

    def lookup(self, reference: str) -> TagFacts | None:
        return {
            "Mixer.PV": TagFacts(contained_path="Line/Mixer", security_classification=1),
            "Oven.PV": TagFacts(contained_path="Hall/Oven", security_classification=4),
            "Lock.PV": TagFacts(contained_path="Line/Lock", security_classification=3),
        }.get(reference)


def key(constraints: Constraints = FREE, scopes: frozenset[Scope] = frozenset(Scope), **times: Any) -> KeyRecord:
    moments = {"not_before_ns": None, "expires_ns": None, "revoked_ns": None, **times}
    return KeyRecord(
        key_id="k",
        display_name="k",
        scopes=tuple(scopes),
        constraints=constraints,
        created_ns=1,
        last_used_ns=None,
        secret_hash=b"",
        **moments,
    )


def gate_says(kind: int, tag: str, held: frozenset[Scope], limits: Constraints) -> bool:
    """What the gate would do, through adding the tag and then the command itself."""
    if (kind in CHANGING_KINDS and limits.read_only) or not allows(held, scopes_of_command(kind)):
        return False
    facts = COMMANDS[kind]
    if facts.touches not in (Touch.NAME, Touch.NAMES, Touch.WRITE, Touch.WRITES):
        return not (facts.touches is Touch.UNKNOWN and limits.limits_tags)
    handles = HandleTracker()
    adding = command("ADD_ITEM_BULK", server_handle=1, tag_addresses=[tag])
    if judge(adding, limits, handles, Galaxy(), held).denied:
        return False
    reply = pb.MxCommandReply(kind=adding.kind)
    reply.add_item_bulk.results.add(server_handle=1, item_handle=7, tag_address=tag, was_successful=True)
    handles.learn(adding, reply)
    made = command(facts.name)
    payload = getattr(made, facts.payload)
    payload.server_handle = 1
    if facts.touches is Touch.NAME:
        payload.item_definition = tag
    elif facts.touches is Touch.NAMES:
        payload.tag_addresses.append(tag)
    elif facts.touches is Touch.WRITE:
        payload.item_handle = 7
    else:
        payload.entries.add(item_handle=7)
    verdict = judge(made, limits, handles, Galaxy(), held)
    return verdict.denial is None and not verdict.denied


@pytest.mark.parametrize(("limits", "scopes"), list(itertools.product(LIMITS, SCOPES)))
def test_it_agrees_with_the_gate_on_every_kind_and_tag(limits: str, scopes: str) -> None:
    held, constraints = SCOPES[scopes], LIMITS[limits]
    for kind, tag in itertools.product(sorted(COMMANDS), TAGS):
        answer = explain(key(constraints, held), kind, tag, Galaxy(), now_ns=10)
        assert answer.is_allowed == gate_says(kind, tag, held, constraints), (COMMANDS[kind].name, tag, answer)
        assert bool(answer.why) != answer.is_allowed


WRITE = pb.MX_COMMAND_KIND_WRITE


@pytest.mark.parametrize(
    ("record", "tag", "rule"),
    [
        (key(revoked_ns=5), "Mixer.PV", "key-state"),
        (key(expires_ns=5), "Mixer.PV", "key-state"),
        (key(not_before_ns=50), "Mixer.PV", "key-state"),
        (key(LIMITS["read-only"]), "Mixer.PV", "read_only"),
        (key(scopes=SCOPES["reading"]), "Mixer.PV", "scope"),
        (key(LIMITS["reads"]), "Oven.PV", "read_subtrees, read_tag_globs"),
        (key(LIMITS["writes"]), "Oven.PV", "write_subtrees, write_tag_globs"),
        (key(LIMITS["class"]), "Oven.PV", "max_write_classification"),
        (key(scopes=SCOPES["unsigned"]), "Lock.PV", "signature"),
        (key(scopes=SCOPES["unsigned"]), "Mixer.PV", "allowed"),
        (key(), "Lock.PV", "allowed"),
    ],
)
def test_the_rule_is_named(record: KeyRecord, tag: str, rule: str) -> None:
    assert explain(record, WRITE, tag, Galaxy(), now_ns=10).rule == rule


def test_a_gateway_that_writes_nothing_is_named_first() -> None:
    answer = explain(key(), WRITE, "Mixer.PV", Galaxy(), now_ns=10, gateway_is_read_only=True)
    assert (answer.rule, "setting read_only" in answer.why) == ("read_only", True)
