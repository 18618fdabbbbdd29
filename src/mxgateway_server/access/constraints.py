"""What a key may touch beyond its scopes: subtrees of the Galaxy, tag globs, and how strict a write may be.

All empty means free. A tag passes by a subtree or by a tag glob; either list alone restricts. What cannot be judged,
such as a handle this session did not make or a tag that the Galaxy does not know, does not pass. Until the Galaxy is
read that is every tag but those whose attribute a glob spells out, such as `Tank*.Level`. A gateway that has no Galaxy
judges by the texts.

What a key sees of the alarms follows from the tags that it may read, and is limited further by areas and priority.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Protocol

from mxgateway_contract.commands import COMMANDS, Scope, Touch
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.references import (
    DEFAULT_ATTRIBUTE,
    ItemReference,
    is_relative,
    is_simple,
    is_too_long,
    join_reference,
    readings,
    spelled_out,
)
from mxgateway_server.access.globs import check_glob, matches, spells_last_name, tag_glob_problem
from mxgateway_server.access.handles import HandleTracker

SIGNED_CLASSIFICATIONS = frozenset({2, 3})
"""Secured and verified write: a person signs for the value."""
_SIGNED = (
    "writing a tag with the classification secured or verified write needs the scope invoke:secure, whatever the way,"
    " and this API key does not have it"
)
MAX_CLASSIFICATION = 6
"""Security classifications of Galaxy attributes: 0 free access to 6 view only."""
MAX_ALARM_PRIORITY = 999
"""Priority of the least urgent alarms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagFacts:
    """What the Galaxy knows of a reference.

    Attributes:
        contained_path: path of the owning object by contained names, such as `Plant/Line1/Mixer`.
        is_array: whether the attribute is an array.
        security_classification: 0 to 6; None when unknown.
        full_reference: the tag by its object's own name, such as `Mixer_001.Speed`; empty when unknown.
    """

    contained_path: str
    is_array: bool = False
    security_classification: int | None = None
    full_reference: str = ""


class TagLookup(Protocol):
    """The Galaxy's answer for a reference, from memory: called for each command, so it must not wait."""

    @property
    def is_pending(self) -> bool:
        """Whether there is a Galaxy that could not be read so far: `lookup` knows nothing yet."""

    def lookup(self, reference: str) -> TagFacts | None: ...

    def may_be_array(self, reference: str) -> bool:
        """A glance at the reference's last name, for False only when no array is called so."""

    def none_may_be_array(self, references: Collection[str]) -> bool:
        """The same of names by the thousand, again and again: whether it is False for all."""


class NoLookup:
    """The lookup of a gateway without a Galaxy: it knows nothing, now and later, so texts are all there is to judge."""

    is_pending = False

    def lookup(self, reference: str) -> TagFacts | None:
        return None

    def may_be_array(self, reference: str) -> bool:
        return False

    def none_may_be_array(self, references: Collection[str]) -> bool:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """Limits of one key; see the module."""

    read_subtrees: tuple[str, ...] = ()
    write_subtrees: tuple[str, ...] = ()
    read_tag_globs: tuple[str, ...] = ()
    write_tag_globs: tuple[str, ...] = ()
    browse_subtrees: tuple[str, ...] = ()
    alarm_areas: tuple[str, ...] = ()
    """Globs over names of areas; an area's alarms are also those of the areas in it."""
    alarm_min_priority: int | None = None
    """The least urgent priority that is seen: 250 shows the alarms with 1 (most urgent) to 250."""
    max_write_classification: int | None = None
    read_only: bool = False
    """Beats all: no scope and no other limit lets the key change anything in the plant."""

    def __post_init__(self) -> None:
        for globs in (
            self.read_subtrees,
            self.write_subtrees,
            self.read_tag_globs,
            self.write_tag_globs,
            self.browse_subtrees,
            self.alarm_areas,
        ):
            for glob in globs:
                check_glob(glob)
        if self.read_only is not True and self.read_only is not False:
            raise ValueError("read_only is true or false")
        limit = self.max_write_classification
        if limit is not None and not 0 <= limit <= MAX_CLASSIFICATION:
            raise ValueError(f"max_write_classification is 0 to {MAX_CLASSIFICATION}, not {limit}")
        least = self.alarm_min_priority
        if least is not None and not 1 <= least <= MAX_ALARM_PRIORITY:
            raise ValueError(f"alarm_min_priority is 1 (most urgent) to {MAX_ALARM_PRIORITY}, not {least}")

    def check_new(self) -> None:
        """Raises ValueError for what no new key should get, though kept ones may have it: globs that match nothing."""
        for glob in (*self.read_tag_globs, *self.write_tag_globs):
            problem = tag_glob_problem(glob)
            if problem:
                raise ValueError(problem)

    @property
    def limits_reads(self) -> bool:
        return bool(self.read_subtrees or self.read_tag_globs)

    @property
    def limits_writes(self) -> bool:
        return bool(self.write_subtrees or self.write_tag_globs or self.max_write_classification is not None)

    @property
    def limits_alarms(self) -> bool:
        """Whether some alarms of tags that may be read are not seen."""
        return bool(self.alarm_areas) or self.alarm_min_priority is not None

    @property
    def least_urgent(self) -> int:
        """The least urgent priority of an alarm that is seen."""
        return MAX_ALARM_PRIORITY if self.alarm_min_priority is None else self.alarm_min_priority

    @property
    def limits_tags(self) -> bool:
        """Whether a tag has to be looked up before it may be touched."""
        return self.limits_reads or self.limits_writes

    def to_json(self) -> dict[str, Any]:
        """The limits that are set, by name."""
        found: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not False and (value or value == 0):
                found[item.name] = list(value) if isinstance(value, tuple) else value
        return found

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Constraints:
        """Raises ValueError for a limit that this version does not know: ignoring one would open what was closed."""
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown:
            raise ValueError(f"unknown constraint {unknown[0]!r}; there are: {', '.join(sorted(known))}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        return cls(**values)


FREE = Constraints()


def _texts(item: ItemReference, lookup: TagLookup) -> tuple[str, ...]:
    """The references that an item may be: with a context, a definition may count from it or be whole by itself."""
    definition, context = item.definition, item.context
    joined = join_reference(context, definition)
    if not context or joined != f"{context}.{definition}":
        return (joined,)
    known_from_context = lookup.lookup(joined) is not None
    known_by_itself = lookup.lookup(definition) or lookup.lookup(f"{definition}.{DEFAULT_ATTRIBUTE}")
    return (joined,) if known_from_context and known_by_itself is None else (joined, definition)


def _known(item: ItemReference, lookup: TagLookup) -> tuple[tuple[str, tuple[TagFacts, ...]], ...]:
    """Each text that the item may be, with what the Galaxy knows of its readings."""
    return tuple(
        (text, tuple(facts for each in _readings(text) if (facts := lookup.lookup(each)) is not None))
        for text in _texts(item, lookup)
    )


def _readings(text: str) -> tuple[str, ...]:
    # What is longer than any tag's name costs no search, however many of them a command has.
    return () if is_too_long(text) else readings(text)


def _passes(
    known: Sequence[tuple[str, tuple[TagFacts, ...]]], subtrees: Sequence[str], globs: Sequence[str], is_pending: bool
) -> bool:
    if not subtrees and not globs:
        return True
    for text, readings_known in known:
        if not readings_known and not _unknown_passes(text, globs, is_pending):
            return False
        if not all(_tag_passes(text, facts, subtrees, globs) for facts in readings_known):
            return False
    return True


def _unknown_passes(text: str, globs: Sequence[str], is_pending: bool) -> bool:
    # Only what can mean nothing else is judged by its text: a longer reference may lead into a contained object, and
    # until the Galaxy is read so may two names, the second then being the object's for its default attribute.
    if is_too_long(text):
        return False
    if is_pending:
        globs = [glob for glob in globs if spells_last_name(glob)]
    name = spelled_out(text)
    return is_simple(name) and not is_relative(name) and _matches(globs, name)


def _tag_passes(text: str, facts: TagFacts, subtrees: Sequence[str], globs: Sequence[str]) -> bool:
    # One tag has many names; the Galaxy's own name of it is what counts.
    name = spelled_out(facts.full_reference or text)
    if _matches(globs, name):
        return True
    path = facts.contained_path
    return any(matches(glob, path) or matches(f"{glob}/*", path) for glob in subtrees)


def _matches(globs: Sequence[str], name: str) -> bool:
    return any(matches(glob, name) or matches(glob, f"{name}[]") for glob in globs)


def _pending_hint(lookup: TagLookup) -> str:
    return ", or it cannot be told yet: the gateway has not read the Galaxy" if lookup.is_pending else ""


def read_denial(constraints: Constraints, item: ItemReference, lookup: TagLookup) -> str | None:
    """Why the key may not read or subscribe this item; None when it may."""
    if not constraints.limits_reads:
        return None
    if _passes(_known(item, lookup), constraints.read_subtrees, constraints.read_tag_globs, lookup.is_pending):
        return None
    return f"the API key may not read this tag{_pending_hint(lookup)}"


def area_denial(constraints: Constraints, areas: Iterable[str]) -> str | None:
    """Why the key does not see the alarms of an area; None when it does.

    Args:
        areas: the alarm's area, and those around it.
    """
    globs = constraints.alarm_areas
    if not globs or any(matches(glob, area) for area in areas for glob in globs):
        return None
    return "the API key sees only the alarms of certain areas"


def priority_denial(constraints: Constraints, priority: int) -> str | None:
    """Why the key does not see alarms of this priority; None when it does."""
    if priority <= constraints.least_urgent:
        return None
    return (
        f"the API key sees alarms with priority 1 (most urgent) to {constraints.least_urgent}; this one has {priority}"
    )


def write_denial(constraints: Constraints, item: ItemReference | None, lookup: TagLookup) -> str | None:
    """Why the key may not write this item; None when it may."""
    if not constraints.limits_writes:
        return None
    if item is None:
        return "the API key is limited to certain tags and this handle is not one that the session made"
    known = _known(item, lookup)
    if not _passes(known, constraints.write_subtrees, constraints.write_tag_globs, lookup.is_pending):
        return f"the API key may not write this tag{_pending_hint(lookup)}"
    limit = constraints.max_write_classification
    if limit is not None:
        for _, readings_known in known:
            found = [facts.security_classification for facts in readings_known]
            if not found or None in found:
                return "the API key is limited by security classification and this tag's is not known"
            highest = max(each for each in found if each is not None)
            if highest > limit:
                return f"the API key may write up to security classification {limit}; this tag has {highest}"
    return None


def signature_denial(item: ItemReference | None, lookup: TagLookup) -> str | None:
    """Why a key that may use supervisory connections, but not sign, may not write this item; None when it may.

    There a plant takes writes to secured and verified attributes that no person signs for.
    """
    found: list[int | None] = []
    for _, readings_known in _known(item, lookup) if item is not None else ():
        found += [facts.security_classification for facts in readings_known] or [None]
    if not found or None in found:
        return f"{_SIGNED}, and whether this tag has one is not known{_pending_hint(lookup)}"
    return _SIGNED if any(each in SIGNED_CLASSIFICATIONS for each in found) else None


class Verdict(NamedTuple):
    """What constraints say of one command.

    Attributes:
        command: what may go to the worker; None when nothing of it may.
        denial: why a single command is refused; None when it is not.
        denied: for a bulk command: original index → why that entry is refused.
        references: the tags that the command touches, in order, `?` for a handle that is not known.
    """

    command: pb.MxCommand | None
    denial: str | None = None
    denied: dict[int, str] | None = None
    references: tuple[str, ...] = ()


def judge(
    command: pb.MxCommand,
    constraints: Constraints,
    handles: HandleTracker,
    lookup: TagLookup,
    scopes: frozenset[Scope] = frozenset(),
) -> Verdict:
    """Applies a key's limits to a command; entries of a bulk command are refused one by one."""
    facts = COMMANDS[command.kind]
    touch = facts.touches
    request = getattr(command, facts.payload)
    if touch is Touch.NAME:
        context = request.item_context if "item_context" in facts.fields else ""
        item = ItemReference(request.item_definition, context)
        denial = read_denial(constraints, item, lookup)
        return Verdict(None if denial else command, denial, None, (item.text,))
    if touch is Touch.WRITE:
        target = handles.item(request.server_handle, request.item_handle)
        denial = write_denial(constraints, target, lookup)
        if denial is None and may_bypass_signatures(facts.scope, scopes):
            denial = signature_denial(target, lookup)
        return Verdict(None if denial else command, denial, None, (_name(target),))
    if touch is Touch.NAMES:
        if not constraints.limits_reads:
            return Verdict(command)
        tags = request.tag_addresses
        denials = [read_denial(constraints, ItemReference(tag), lookup) for tag in tags]
        return _judge_entries(command, facts.payload, denials, tags)
    if touch is Touch.WRITES:
        targets = [handles.item(request.server_handle, entry.item_handle) for entry in request.entries]
        denials = [write_denial(constraints, target, lookup) for target in targets]
        if may_bypass_signatures(facts.scope, scopes):
            denials = [
                denial or signature_denial(target, lookup) for denial, target in zip(denials, targets, strict=True)
            ]
        return _judge_entries(command, facts.payload, denials, map(_name, targets))
    if touch is Touch.UNKNOWN and constraints.limits_tags:
        denial = f"the API key is limited to certain tags and which {facts.method} touches cannot be told"
        return Verdict(None, denial)
    return Verdict(command)


def may_bypass_signatures(needed: Scope, held: frozenset[Scope]) -> bool:
    """Whether a plain write of this key could reach what wants a signature: by a supervisory connection alone."""
    return needed is Scope.INVOKE_WRITE and Scope.INVOKE_SUPERVISORY in held and Scope.INVOKE_SECURE not in held


def _name(target: ItemReference | None) -> str:
    return "?" if target is None else target.text


def _judge_entries(command: pb.MxCommand, arm: str, denials: list[str | None], references: Iterable[str]) -> Verdict:
    denied = {index: denial for index, denial in enumerate(denials) if denial}
    names = tuple(references)
    if not denied:
        return Verdict(command, references=names)
    if len(denied) == len(denials):
        return Verdict(None, denied=denied, references=names)
    # Only what may go is copied: the entries of a command may be megabytes.
    allowed = pb.MxCommand(kind=command.kind)
    payload = getattr(allowed, arm)
    for part, value in getattr(command, arm).ListFields():
        if part.is_repeated:
            # The entries, or what stands beside each of them.
            getattr(payload, part.name).extend(each for index, each in enumerate(value) if index not in denied)
        elif part.message_type is not None:
            raise TypeError(f"{arm}.{part.name} is neither a number nor a text: say here how it is kept")
        else:
            setattr(payload, part.name, value)
    return Verdict(allowed, denied=denied, references=names)


def merge_denied(command: pb.MxCommand, reply: pb.MxCommandReply, denied: dict[int, str]) -> None:
    """Puts the refused entries of the original command back at their places in the reply's results."""
    facts = COMMANDS[command.kind]
    request = getattr(command, facts.payload)
    target = getattr(reply, facts.reply)
    answered = iter(target.results)
    merged = type(target)()
    are_names = facts.touches is Touch.NAMES
    for index, entry in enumerate(request.tag_addresses if are_names else request.entries):
        if index in denied:
            name = {"tag_address": entry} if are_names else {"item_handle": entry.item_handle}
            merged.results.add(server_handle=request.server_handle, error_message=denied[index], **name)
        else:
            found = next(answered, None)
            if found is not None:
                merged.results.append(found)
    del target.results[:]
    target.results.MergeFrom(merged.results)
    target.SetInParent()
