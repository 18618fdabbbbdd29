"""The deployed objects in browse order, with the look-ups that browse needs. Immutable; built once per deployment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from mxgateway_server.galaxy.codes import AREA
from mxgateway_server.galaxy.data import GalaxyData, GalaxyObjectRow
from mxgateway_server.galaxy.shapes import Attribute, ShapeTable


class AttributeFacts(NamedTuple):
    """What a reference points to.

    Attributes:
        gobject_id: the object.
        tag_name: the object's tag name, as the Galaxy spells it.
        contained_path: browse names from the Galaxy's root to the object, joined with `/`.
        full_tag_reference: what AddItem takes: `tag_name.attribute`, with `[]` for an array.
        attribute: type, class, category and flags of the attribute.
    """

    gobject_id: int
    tag_name: str
    contained_path: str
    full_tag_reference: str
    attribute: Attribute


class GalaxyIndex:
    """Objects stand in preorder: a parent before its children, areas first among siblings, then by name without case.

    So the objects of a subtree are the positions from the root's own to `end[root]`. Parents that are not deployed or
    not browsable are taken as the Galaxy's root, and a cycle of parents is cut at its lowest gobject_id.
    """

    def __init__(self, data: GalaxyData) -> None:
        self.deploy_time: datetime | None = data.deploy_time
        self.data = data
        self.shapes = ShapeTable(data)
        rows = _distinct(data.objects)
        order, parents, depths = _preorder(rows)
        self.objects: Sequence[GalaxyObjectRow] = [rows[place] for place in order]
        self.parent: Sequence[int] = parents
        """Position of the parent, -1 for the Galaxy's root."""
        self.depth: Sequence[int] = depths
        """Levels below the Galaxy's root, 0 for its children."""
        self.end: Sequence[int] = _ends(depths)
        """Position after the last object of the subtree."""
        self.folded_tag_names: Sequence[str] = [row.tag_name.casefold() for row in self.objects]
        self._by_id = {row.gobject_id: place for place, row in enumerate(self.objects)}
        self._by_tag_name: dict[str, int] = {}
        for place, name in enumerate(self.folded_tag_names):
            self._by_tag_name.setdefault(name, place)
        self._contained = {
            (parents[place], row.contained_name.casefold()): place
            for place, row in enumerate(self.objects)
            if row.contained_name
        }
        self.attribute_count = sum(self.shapes.facts[row.shape].attribute_count for row in self.objects)

    def __len__(self) -> int:
        return len(self.objects)

    def browse_name(self, place: int) -> str:
        return browse_name(self.objects[place])

    def parent_gobject_id(self, place: int) -> int:
        """The parent as clients see it: 0 where the parent is the Galaxy's root, or stands in for it."""
        parent = self.parent[place]
        return self.objects[parent].gobject_id if parent >= 0 else 0

    def template_chain(self, place: int) -> tuple[str, ...]:
        return self.data.template_chains[self.objects[place].templates]

    def children(self, place: int) -> Iterator[int]:
        """Positions of the children of an object, or with -1 of the Galaxy's root, in browse order."""
        child, end = (0, len(self.objects)) if place < 0 else (place + 1, self.end[place])
        while child < end:
            yield child
            child = self.end[child]

    def contained_path(self, place: int) -> str:
        names: list[str] = []
        while place >= 0:
            names.append(self.browse_name(place))
            place = self.parent[place]
        return "/".join(reversed(names))

    def find_id(self, gobject_id: int) -> int | None:
        return self._by_id.get(gobject_id)

    def find_tag_name(self, tag_name: str) -> int | None:
        return self._by_tag_name.get(tag_name.casefold())

    def find_path(self, path: str) -> int | None:
        """The object at browse names joined with `/`, without case."""
        place = -1
        for name in path.strip("/").split("/"):
            found = self._child_named(place, name.casefold())
            if found is None:
                return None
            place = found
        return place

    def lookup(self, reference: str) -> AttributeFacts | None:
        """The attribute that an item definition names, or None when the deployed Galaxy has none.

        Takes `Object.Attribute`, `Object.Primitive.Attribute`, contained paths (`Container.Contained.Attribute`), a
        `[]` or `[n]` suffix and a `.property(…)` suffix.
        """
        object_name, dot, rest = strip_suffixes(reference).partition(".")
        place = self.find_tag_name(object_name)
        while dot and place is not None:
            attribute = self.shapes.get(self.objects[place].shape).find(rest.casefold())
            if attribute is not None:
                return self._facts(place, attribute)
            contained, dot, rest = rest.partition(".")
            place = self._contained.get((place, contained.casefold()))
        return None

    def alarm_attributes(self) -> Iterator[AttributeFacts]:
        """Every attribute with an alarm extension, in browse order."""
        for place, row in enumerate(self.objects):
            if self.shapes.facts[row.shape].is_alarm:
                for attribute in self.shapes.get(row.shape).attributes:
                    if attribute.is_alarm:
                        yield self._facts(place, attribute)

    def area_name(self, gobject_id: int) -> str:
        """Tag name of the nearest area above an object (an area is its own); '' when it is in none."""
        place = self._by_id.get(gobject_id, -1)
        while place >= 0 and self.objects[place].category_id != AREA:
            place = self.parent[place]
        return self.objects[place].tag_name if place >= 0 else ""

    def _facts(self, place: int, attribute: Attribute) -> AttributeFacts:
        row = self.objects[place]
        return AttributeFacts(
            row.gobject_id, row.tag_name, self.contained_path(place), attribute.reference(row.tag_name), attribute
        )

    def _child_named(self, place: int, folded: str) -> int | None:
        return next((child for child in self.children(place) if self.browse_name(child).casefold() == folded), None)


def browse_name(row: GalaxyObjectRow) -> str:
    """The name in trees: the contained name, else the tag name."""
    return row.contained_name or row.tag_name


def strip_suffixes(reference: str) -> str:
    """A reference without `.property(…)`, `[]` and `[n]`."""
    folded = reference.casefold()
    if folded.endswith(")") and (start := folded.rfind(".property(")) >= 0:
        reference = reference[:start]
    if reference.endswith("]") and (start := reference.rfind("[")) >= 0:
        index = reference[start + 1 : -1]
        if not index or index.isdecimal() or index == "-1":
            reference = reference[:start]
    return reference


def _distinct(rows: Sequence[GalaxyObjectRow]) -> list[GalaxyObjectRow]:
    found: dict[int, GalaxyObjectRow] = {}
    for row in rows:
        found.setdefault(row.gobject_id, row)
    return list(found.values())


def _display_key(row: GalaxyObjectRow) -> tuple[bool, str, str, int]:
    return (row.category_id != AREA, browse_name(row).casefold(), row.tag_name.casefold(), row.gobject_id)


def _preorder(rows: Sequence[GalaxyObjectRow]) -> tuple[list[int], list[int], list[int]]:
    """Places of the rows in browse order; for each position the parent's position and the depth."""
    by_id = {row.gobject_id: place for place, row in enumerate(rows)}
    children: defaultdict[int, list[int]] = defaultdict(list)
    cut = _cycle_cuts(rows, by_id)
    for place, row in enumerate(rows):
        parent = -1 if place in cut else by_id.get(row.parent_gobject_id, -1)
        children[parent].append(place)
    for siblings in children.values():
        siblings.sort(key=lambda place: _display_key(rows[place]), reverse=True)
    order: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    pending = [(place, -1, 0) for place in children.get(-1, ())]
    while pending:
        place, parent, depth = pending.pop()
        position = len(order)
        order.append(place)
        parents.append(parent)
        depths.append(depth)
        pending.extend((child, position, depth + 1) for child in children.get(place, ()))
    return order, parents, depths


def _cycle_cuts(rows: Sequence[GalaxyObjectRow], by_id: dict[int, int]) -> set[int]:
    """One object of every cycle of parents, the one with the lowest id; it becomes a child of the Galaxy's root."""
    cuts: set[int] = set()
    walk_of: list[int] = [-1] * len(rows)
    for start in range(len(rows)):
        walk: list[int] = []
        place = start
        while place >= 0 and walk_of[place] < 0:
            walk_of[place] = start
            walk.append(place)
            place = by_id.get(rows[place].parent_gobject_id, -1)
        if place >= 0 and walk_of[place] == start:
            cycle = walk[walk.index(place) :]
            cuts.add(min(cycle, key=lambda member: rows[member].gobject_id))
    return cuts


def _ends(depths: Sequence[int]) -> list[int]:
    ends = [len(depths)] * len(depths)
    open_positions: list[int] = []
    for position, depth in enumerate(depths):
        while open_positions and depths[open_positions[-1]] >= depth:
            ends[open_positions.pop()] = position
        open_positions.append(position)
    return ends
