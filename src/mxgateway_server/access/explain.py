"""What a key may do with one tag, and by which rule: the gate's own questions, asked one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mxgateway_contract.commands import COMMANDS, Kind, Scope, Touch
from mxgateway_contract.references import ItemReference
from mxgateway_server.access.constraints import (
    Constraints,
    TagLookup,
    may_bypass_signatures,
    read_denial,
    signature_denial,
    write_denial,
)
from mxgateway_server.access.records import KeyRecord
from mxgateway_server.access.scopes import CHANGING_KINDS, allows, scopes_of_command

ALLOWED = "allowed"


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a command would pass the gate.

    Attributes:
        rule: what decides: `key-state`, `read_only`, `scope`, the limits by their names, `signature`, or `allowed`.
        why: a sentence; empty when it passes.
    """

    rule: str
    why: str = ""

    @property
    def is_allowed(self) -> bool:
        return self.rule == ALLOWED


def explain(
    key: KeyRecord, kind: Kind, tag: str, lookup: TagLookup, *, now_ns: int, gateway_is_read_only: bool = False
) -> Answer:
    """The rule that decides about this command on this tag, in the order in which the gate asks."""
    refusal = key.refusal(now_ns)
    if refusal is not None:
        return Answer("key-state", f"the key is not valid: {refusal}")
    if kind in CHANGING_KINDS:
        if gateway_is_read_only:
            return Answer("read_only", "the gateway writes nothing (setting read_only)")
        if key.constraints.read_only:
            return Answer("read_only", "the key is read-only, whatever its scopes")
    needed = scopes_of_command(kind)
    if not allows(key.scopes, needed):
        return Answer("scope", f"it needs the scope {' or '.join(sorted(needed))}")
    return _of_tag(key, kind, ItemReference(tag), lookup) if tag else Answer(ALLOWED)


def _of_tag(key: KeyRecord, kind: Kind, item: ItemReference, lookup: TagLookup) -> Answer:
    facts, limits = COMMANDS[kind], key.constraints
    if facts.touches in (Touch.NAME, Touch.NAMES):
        denial = read_denial(limits, item, lookup)
        return Answer("read_subtrees, read_tag_globs", denial) if denial else Answer(ALLOWED)
    if facts.touches in (Touch.WRITE, Touch.WRITES):
        # A tag is added before it is written.
        if denial := read_denial(limits, item, lookup):
            return Answer("read_subtrees, read_tag_globs", f"it has to be added first: {denial}")
        if denial := write_denial(limits, item, lookup):
            is_of_tag = write_denial(replace(limits, max_write_classification=None), item, lookup) is not None
            return Answer("write_subtrees, write_tag_globs" if is_of_tag else "max_write_classification", denial)
        if may_bypass_signatures(facts.scope, frozenset(key.scopes)) and (denial := signature_denial(item, lookup)):
            return Answer("signature", denial)
    if facts.touches is Touch.UNKNOWN and limits.limits_tags:
        return Answer("unknown-touch", f"which tags {facts.method} touches cannot be told, and the key is limited")
    return Answer(ALLOWED)


def needs_lookup(limits: Constraints, scopes: frozenset[Scope]) -> bool:
    """Whether the Galaxy has to be asked at all."""
    return limits.limits_tags or may_bypass_signatures(Scope.INVOKE_WRITE, scopes)
