"""Which objects a request asks for: filters, root selectors, depth, and what a key may browse."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import compress

from mxgateway_protocol.globs import compile_glob
from mxgateway_server.galaxy.errors import GalaxyArgumentError
from mxgateway_server.galaxy.index import GalaxyIndex

_MAX_TERMS = 100
_MAX_TERM_LENGTH = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFilter:
    """All conditions must hold; empty ones always do.

    Attributes:
        category_ids: the object's category is one of these.
        template_chain_contains: each is part of some template's name in the object's chain, without case.
        tag_name_glob: anchored, without case, `*` and `?`.
        alarm_bearing_only: at least one attribute has an alarm extension.
        historized_only: at least one attribute has a history extension.
        include_ancestors: also the objects above those, bare, as far as the scope shows them.
    """

    category_ids: frozenset[int] = frozenset()
    template_chain_contains: tuple[str, ...] = ()
    tag_name_glob: str = ""
    alarm_bearing_only: bool = False
    historized_only: bool = False
    include_ancestors: bool = False

    def __post_init__(self) -> None:
        for name, count in (
            ("category_ids", len(self.category_ids)),
            ("template_chain_contains", len(self.template_chain_contains)),
        ):
            if count > _MAX_TERMS:
                raise GalaxyArgumentError(f"{name} has {count} entries; at most {_MAX_TERMS} are taken")
        for name, texts in (
            ("template_chain_contains", self.template_chain_contains),
            ("tag_name_glob", (self.tag_name_glob,)),
        ):
            if any(len(text) > _MAX_TERM_LENGTH for text in texts):
                raise GalaxyArgumentError(f"{name} is longer than {_MAX_TERM_LENGTH} characters")

    @property
    def is_empty(self) -> bool:
        """Whether there is no condition."""
        return replace(self, include_ancestors=False) == _NO_FILTER


_NO_FILTER = ObjectFilter()


class FilteredIndex:
    """The objects of an index that pass a filter and a scope. Immutable, so that requests share it.

    Args:
        index: the objects.
        conditions: what an object must be.
        scope: contained-path globs; only objects at or below a match are shown. Empty for everything.
        navigable: also show the objects above those, without attributes, so that a tree can be walked down to them.
    """

    def __init__(
        self, index: GalaxyIndex, conditions: ObjectFilter, scope: Sequence[str] = (), *, navigable: bool = False
    ) -> None:
        self.index = index
        self._scope = in_scope(index, scope) if scope else None
        self._passes: bytearray | None = None
        self._only_above: bytearray | None = None
        if self._scope is not None or not conditions.is_empty:
            visible = _visible(index, self._scope, navigable)
            self._passes = bytearray(visible)
            _apply(index, conditions, self._passes)
            if self._scope is not None and (conditions.alarm_bearing_only or conditions.historized_only):
                # What stands above the scope is shown without attributes, so it must not pass by them either.
                _keep(self._passes, self._scope)
            if conditions.include_ancestors and not conditions.is_empty:
                found = self._passes
                self._passes = _with_ancestors(index, found, visible)
                self._only_above = bytearray(shown and not own for shown, own in zip(self._passes, found, strict=True))

    @property
    def is_restricted(self) -> bool:
        """Whether a scope leaves something out, whatever it is."""
        return self._scope is not None

    def passes(self, place: int) -> bool:
        return self._passes is None or bool(self._passes[place])

    def is_bare(self, place: int) -> bool:
        """Whether the object is shown only because of what is below it."""
        if self._only_above is not None and self._only_above[place]:
            return True
        return self._scope is not None and not self._scope[place]

    def reaches(self, root: int) -> bool:
        """Whether anything at or below an object is in scope."""
        return self._scope is None or self._scope.find(1, root, self.index.end[root]) >= 0

    def counts(self) -> tuple[int, int]:
        """Objects that pass, and their attributes."""
        if self._passes is None:
            return len(self.index), self.index.attribute_count
        attributes = map(self.index.shapes.attribute_counts.__getitem__, self.index.objects.shapes)
        return sum(self._passes), sum(compress(attributes, self._passes))

    def subtree(self, root: int | None, max_depth: int | None) -> Sequence[int]:
        """Positions below a root (itself included; None is the Galaxy's root), in browse order.

        `max_depth` counts levels from the root object, so 0 is the root alone; without a root object it counts from
        the children of the Galaxy's root.
        """
        index = self.index
        begin, end = (0, len(index)) if root is None else (root, index.end[root])
        if max_depth is None:
            if self._passes is None:
                return range(begin, end)
            return array("i", compress(range(begin, end), memoryview(self._passes)[begin:end]))
        deepest = max_depth + (0 if root is None else index.depth[root])
        depth = index.depth
        return array("i", (place for place in range(begin, end) if depth[place] <= deepest and self.passes(place)))

    def children(self, parent: int) -> Sequence[int]:
        """Positions of the children (-1 for the Galaxy's root) that pass."""
        return array("i", (place for place in self.index.children(parent) if self.passes(place)))

    def has_children(self, place: int) -> bool:
        return any(self.passes(child) for child in self.index.children(place))


def find_root(
    index: GalaxyIndex, *, gobject_id: int | None = None, tag_name: str | None = None, path: str | None = None
) -> int | None:
    """Position of the object that a selector names, or None when the deployed Galaxy has none.

    Raises:
        GalaxyArgumentError: the selector is empty.
    """
    if gobject_id is not None:
        return index.find_id(gobject_id)
    if tag_name is not None:
        if not tag_name:
            raise GalaxyArgumentError("the tag name is empty; leave the selector out to start at the Galaxy's root")
        return index.find_tag_name(tag_name)
    if path is not None:
        if not path.strip("/"):
            raise GalaxyArgumentError("the contained path is empty; leave the selector out to start at the root")
        return index.find_path(path)
    raise GalaxyArgumentError("no root given")


def shortened(text: str) -> str:
    """A caller's text as an error repeats it."""
    return repr(text[:_MAX_TERM_LENGTH])


def in_scope(index: GalaxyIndex, globs: Iterable[str]) -> bytearray:
    """Flags of the objects at or below a contained path that one of the globs matches."""
    compiled = [compile_glob(glob) for glob in globs]
    flags = bytearray(len(index))
    paths: list[str] = []
    for place in range(len(index)):
        parent = index.parent[place]
        name = index.browse_name(place).casefold()
        path = f"{paths[parent]}/{name}" if parent >= 0 else name
        paths.append(path)
        flags[place] = (parent >= 0 and flags[parent]) or any(glob.matches_folded(path) for glob in compiled)
    return flags


def _visible(index: GalaxyIndex, scope: bytearray | None, navigable: bool) -> bytearray:
    if scope is None:
        return bytearray(b"\1") * len(index)
    return _with_ancestors(index, scope, bytearray(b"\1") * len(index)) if navigable else bytearray(scope)


def _with_ancestors(index: GalaxyIndex, flags: bytearray, visible: bytearray) -> bytearray:
    """The flags, and those of everything visible above a flag."""
    found = bytearray(flags)
    for place in range(len(index) - 1, -1, -1):
        if found[place] and (parent := index.parent[place]) >= 0 and visible[parent]:
            found[parent] = 1
    return found


def _apply(index: GalaxyIndex, conditions: ObjectFilter, flags: bytearray) -> None:
    objects = index.objects
    if conditions.category_ids:
        _keep(flags, map(conditions.category_ids.__contains__, objects.category_ids))
    if conditions.alarm_bearing_only:
        _keep(flags, map(index.shapes.alarm_bearing.__getitem__, objects.shapes))
    if conditions.historized_only:
        _keep(flags, map(index.shapes.historized.__getitem__, objects.shapes))
    if conditions.template_chain_contains:
        terms = [term.casefold() for term in conditions.template_chain_contains]
        chains = [_contains_all(chain, terms) for chain in index.data.template_chains]
        _keep(flags, map(chains.__getitem__, objects.templates))
    if conditions.tag_name_glob:
        _keep(flags, map(compile_glob(conditions.tag_name_glob).matches_folded, index.folded_tag_names))


def _keep(flags: bytearray, wanted: Iterable[object]) -> None:
    for place, keep in enumerate(wanted):
        if not keep:
            flags[place] = 0


def _contains_all(chain: tuple[str, ...], folded_terms: Sequence[str]) -> bool:
    folded = [name.casefold() for name in chain]
    return all(any(term in name for name in folded) for term in folded_terms)
