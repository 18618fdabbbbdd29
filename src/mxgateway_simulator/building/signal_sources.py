"""Whether every attribute that a signal looks at exists: `source` and `when`, judged as the run time will find them.

A template's signals are judged once, by what each of its instances has; only names that lead out of the object, such as
`MyArea.Demand`, are followed from every instance.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mxgateway_contract.references import (
    DEFAULT_ATTRIBUTE,
    RELATIVE_WORDS,
    Reference,
    ReferenceSyntaxError,
    is_property,
    parse_reference,
)
from mxgateway_simulator.building.instances import PlannedInstance
from mxgateway_simulator.classifications import ENGINE_CATEGORIES, PLATFORM_CATEGORY

KEYS = ("source", "when")
_OBJECT = "O"


@dataclass(frozen=True, slots=True)
class Use:
    """One name of an attribute in a signal.

    Attributes:
        path: its place in the description.
        attribute: the attribute whose signal it is.
    """

    path: str
    attribute: str
    name: str


def uses_of(path: str, attribute: str, behaviour: Mapping[str, Any]) -> list[Use]:
    """What the signal of an attribute looks at."""
    signal = behaviour.get("signal") or {}
    return [Use(f"{path}.signal.{key}", attribute, signal[key]) for key in KEYS if signal.get(key)]


def _nothing(_: str) -> Holder | None:
    return None


@dataclass(slots=True)
class Holder:
    """An object, or a template in place of its instances.

    Attributes:
        tag: of an instance; empty for a template.
        attributes: names in lower case.
        contained: by contained name in lower case.
        around: finds what a relative word in lower case stands for; nothing for a template.
    """

    tag: str
    attributes: frozenset[str]
    contained: Mapping[str, Holder] = field(default_factory=dict)
    around: Callable[[str], Holder | None] = field(default=_nothing)


def problem_of(use: Use, holder: Holder, instance: Callable[[str], Holder | None]) -> str:
    """Why a name leads nowhere, with the remedy; empty when it leads somewhere.

    Args:
        instance: finds an instance by tag name.
    """
    try:
        own = parse_reference(f"{_OBJECT}.{use.name}")
        if _leads(holder, own.segments[1:], own):
            return ""
        reference = parse_reference(use.name)
    except ReferenceSyntaxError as error:
        return f"{use.name!r} names no attribute: {error}"
    first, *rest = reference.segments
    word = first.lower()
    start = instance(first)
    if word in RELATIVE_WORDS:
        if not holder.tag:
            return ""  # told by the instances
        start = holder if word == "me" else holder.around(word)
    if start is not None and _leads(start, tuple(rest), reference):
        return ""
    near = difflib.get_close_matches(use.name.casefold(), holder.attributes, 1)
    hint = f"did you mean {near[0]!r}?" if near else "name one of this object, of a contained one, or Object.Attribute"
    of = f" of {holder.tag}" if holder.tag else ""
    return f"there is no attribute {use.name!r}{of} to look at; {hint}"


def goes_out(use: Use) -> bool:
    """Whether the name has to be followed from every instance."""
    return use.name.partition(".")[0].lower() in RELATIVE_WORDS


def _leads(holder: Holder, names: tuple[str, ...], reference: Reference) -> bool:
    """Whether names lead to an attribute: of the object, or of the first as a contained object, and so on down."""
    current: Holder | None = holder
    for depth in range(len(names) + 1):
        if current is None:
            return False
        if _has(current, names[depth:], reference):
            return True
        current = current.contained.get(names[depth].casefold()) if depth < len(names) else None
    return False


def _has(holder: Holder, names: tuple[str, ...], reference: Reference) -> bool:
    if reference.attribute:
        return not names and reference.attribute.casefold() in holder.attributes
    if (".".join(names) or DEFAULT_ATTRIBUTE).casefold() in holder.attributes:
        return True
    if not names or not is_property(names[-1]):
        return False
    return (".".join(names[:-1]) or DEFAULT_ATTRIBUTE).casefold() in holder.attributes


@dataclass(slots=True)
class KnownTemplate:
    """What a template's instances have.

    Attributes:
        attributes: names in lower case.
        contains: names of the contained templates in lower case, by contained name in lower case.
        uses: what its signals look at, inherited ones included, by attribute in lower case.
        is_derived_from: whether other templates derive from it; then only they need to be whole.
    """

    attributes: frozenset[str]
    contains: Mapping[str, str]
    uses: Mapping[str, Sequence[Use]]
    is_derived_from: bool


class SourceCheck:
    """Checks a planned Galaxy.

    Args:
        own: names and uses of the attributes that instances have of their own, by tag in lower case.
    """

    def __init__(
        self,
        templates: Mapping[str, KnownTemplate],
        planned: Sequence[PlannedInstance],
        own: Mapping[str, tuple[frozenset[str], Sequence[Use]]],
    ) -> None:
        self._templates = templates
        self._planned = {instance.tag.casefold(): instance for instance in planned}
        self._own = own
        self._inside: dict[str, list[PlannedInstance]] = {}
        for instance in planned:
            if instance.container is not None:
                self._inside.setdefault(instance.container.tag.casefold(), []).append(instance)
        self._holders: dict[str, Holder] = {}

    def problems(self) -> Iterator[tuple[str, str]]:
        """Places and what is wrong there."""
        used = {instance.template.casefold() for instance in self._planned.values()}
        for name, template in self._templates.items():
            if name in used or not template.is_derived_from:
                yield from self._judged(template.uses, self._of_template(name))
        for tag, instance in self._planned.items():
            _, uses = self._own.get(tag, (frozenset(), ()))
            outward = [
                use
                for group in self._templates[instance.template.casefold()].uses.values()
                for use in group
                if goes_out(use)
            ]
            if uses or outward:
                yield from self._judged({"": [*uses, *outward]}, self._of_instance(instance))

    def _judged(self, uses: Mapping[str, Sequence[Use]], holder: Holder) -> Iterator[tuple[str, str]]:
        for group in uses.values():
            for use in group:
                problem = problem_of(use, holder, self._find)
                if problem:
                    yield use.path, problem

    def _find(self, tag: str) -> Holder | None:
        instance = self._planned.get(tag.casefold())
        return None if instance is None else self._of_instance(instance)

    def _of_template(self, name: str) -> Holder:
        template = self._templates[name]
        contained = {key: self._of_template(inner) for key, inner in template.contains.items()}
        return Holder("", template.attributes, contained)

    def _of_instance(self, instance: PlannedInstance) -> Holder:
        tag = instance.tag.casefold()
        holder = self._holders.get(tag)
        if holder is None:
            names = self._templates[instance.template.casefold()].attributes | self._own.get(tag, (frozenset(), ()))[0]
            inside = {inner.contained_name.casefold(): self._of_instance(inner) for inner in self._inside.get(tag, ())}
            holder = Holder(instance.tag, names, inside, lambda word: self._around(instance, word))
            self._holders[tag] = holder
        return holder

    def _around(self, instance: PlannedInstance, word: str) -> Holder | None:
        found = {"mycontainer": instance.container, "myarea": instance.area, "myhost": instance.host}.get(word)
        if word in ("myengine", "myplatform"):
            found = instance
            wanted = (PLATFORM_CATEGORY,) if word == "myplatform" else ENGINE_CATEGORIES
            while found is not None and found.category_id not in wanted:
                found = found.host
        return None if found is None else self._of_instance(found)
