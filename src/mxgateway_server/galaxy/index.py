"""The deployed objects in browse order, with the look-ups that browse needs; built once per deployment."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from mxgateway_contract.references import spelled_out
from mxgateway_server.galaxy.codes import AREA
from mxgateway_server.galaxy.data import GalaxyData, ObjectTable
from mxgateway_server.galaxy.shapes import Attribute, ShapeTable

_REMEMBERED_NAMES = 65_536
_REMEMBERED_CHARACTERS = 128


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

    is_loaded = True
    """Always true: an index is a loaded Galaxy. A GalaxyComponent may have none yet."""

    def __init__(self, data: GalaxyData) -> None:
        self.deploy_time: datetime | None = data.deploy_time
        self.data = data
        self.shapes = ShapeTable(data)
        order, parents, depths = _preorder(data.objects)
        self.objects = data.objects.reordered(order)
        self.parent: Sequence[int] = parents
        """Position of the parent, -1 for the Galaxy's root."""
        self.depth: Sequence[int] = depths
        """Levels below the Galaxy's root, 0 for its children."""
        self.end: Sequence[int] = _ends(depths)
        """Position after the last object of the subtree."""
        self.folded_tag_names: Sequence[str] = [name.casefold() for name in self.objects.tag_names]
        self._by_id = {gobject_id: place for place, gobject_id in enumerate(self.objects.gobject_ids)}
        self._by_tag_name: dict[str, int] = {}
        for place, name in enumerate(self.folded_tag_names):
            self._by_tag_name.setdefault(name, place)
        self._contained = {
            (parents[place], name.casefold()): place for place, name in enumerate(self.objects.contained_names) if name
        }
        self._array_names = frozenset(_last_name(each.name) for each in data.definitions if each.is_array)
        # The same lists are read again and again, up to thousands of names each time.
        self._plain_names: set[str] = set()
        self.attribute_count = sum(map(self.shapes.attribute_counts.__getitem__, self.objects.shapes))

    def __len__(self) -> int:
        return len(self.objects)

    def browse_name(self, place: int) -> str:
        return self.objects.contained_names[place] or self.objects.tag_names[place]

    def parent_gobject_id(self, place: int) -> int:
        """The parent as clients see it: 0 where the parent is the Galaxy's root, or stands in for it."""
        parent = self.parent[place]
        return self.objects.gobject_ids[parent] if parent >= 0 else 0

    def template_chain(self, place: int) -> tuple[str, ...]:
        return self.data.template_chains[self.objects.templates[place]]

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

        Takes `Object.Attribute`, `Object.Primitive.Attribute`, contained paths (`Container.Contained.Attribute`), the
        long form `Object.attribute(x)`, an array part and a `.property(…)` suffix.
        """
        object_name, dot, rest = spelled_out(reference).partition(".")
        place = self.find_tag_name(object_name)
        while dot and place is not None:
            attribute = self.shapes.get(self.objects.shapes[place]).find(rest.casefold())
            if attribute is not None:
                return self._facts(place, attribute)
            contained, dot, rest = rest.partition(".")
            place = self._contained.get((place, contained.casefold()))
        return None

    def may_be_array(self, reference: str) -> bool:
        """Whether an array attribute has this last name, or the last name is in long form; False when none has."""
        return reference.endswith(")") or _last_name(reference.rstrip()) in self._array_names

    def none_may_be_array(self, references: Collection[str]) -> bool:
        """Whether `may_be_array` is False for all of them; quick for names that were asked about before."""
        if self._plain_names.issuperset(references):
            return True
        if any(map(self.may_be_array, references)):
            return False
        if len(self._plain_names) + len(references) > _REMEMBERED_NAMES:
            self._plain_names.clear()
        self._plain_names.update(each for each in references if len(each) <= _REMEMBERED_CHARACTERS)
        return True

    def alarm_attributes(self) -> Iterator[AttributeFacts]:
        """What bears an alarm, in browse order: an attribute with an alarm extension, or `Tank.Level.Hi` below it.

        Whether an alarm of an analog or bad-value extension is turned on stands in no table, so all are told.
        """
        for place, shape in enumerate(self.objects.shapes):
            if self.shapes.has_alarms[shape]:
                for attribute in self.shapes.get(shape).alarms:
                    yield self._facts(place, attribute)

    def area_name(self, gobject_id: int) -> str:
        """Tag name of the nearest area above an object (an area is its own); '' when it is in none."""
        place = self._by_id.get(gobject_id, -1)
        while place >= 0 and self.objects.category_ids[place] != AREA:
            place = self.parent[place]
        return self.objects.tag_names[place] if place >= 0 else ""

    def _facts(self, place: int, attribute: Attribute) -> AttributeFacts:
        row = self.objects[place]
        return AttributeFacts(
            gobject_id=row.gobject_id,
            tag_name=row.tag_name,
            contained_path=self.contained_path(place),
            full_tag_reference=attribute.reference(row.tag_name),
            attribute=attribute,
        )

    def _child_named(self, place: int, folded: str) -> int | None:
        return next((child for child in self.children(place) if self.browse_name(child).casefold() == folded), None)


def _last_name(reference: str) -> str:
    return reference.rpartition(".")[2].casefold()


def _display_keys(table: ObjectTable) -> list[str]:
    """Texts that sort siblings: areas first, then by browse name and tag name without case."""
    return [
        f"{int(category != AREA)}{(contained or tag).casefold()}\0{tag.casefold()}"
        for category, contained, tag in zip(table.category_ids, table.contained_names, table.tag_names, strict=True)
    ]


def _preorder(table: ObjectTable) -> tuple[array[int], array[int], array[int]]:
    """Places of the rows in browse order; for each position the parent's position and the depth."""
    by_id: dict[int, int] = {}
    for place, gobject_id in enumerate(table.gobject_ids):
        by_id.setdefault(gobject_id, place)
    above = [by_id.get(parent, -1) for parent in table.parent_gobject_ids]
    for place in _cycle_cuts(table.gobject_ids, above):
        above[place] = -1
    children: defaultdict[int, array[int]] = defaultdict(lambda: array("i"))
    for place in by_id.values():
        children[above[place]].append(place)
    keys = _display_keys(table)
    order, parents, depths = array("i"), array("i"), array("i")
    pending: list[tuple[int, int, int]] = [(-1, -1, -1)]
    while pending:
        place, parent, depth = pending.pop()
        position = -1
        if place >= 0:
            position = len(order)
            order.append(place)
            parents.append(parent)
            depths.append(depth)
        if place in children:
            below = sorted(children[place], key=keys.__getitem__, reverse=True)
            pending.extend((child, position, depth + 1) for child in below)
    return order, parents, depths


def _cycle_cuts(gobject_ids: Sequence[int], above: Sequence[int]) -> list[int]:
    """One object of every cycle of parents, the one with the lowest id; it becomes a child of the Galaxy's root."""
    cuts: list[int] = []
    walk_of = array("i", [-1]) * len(above)
    for start in range(len(above)):
        walk: list[int] = []
        place = start
        while place >= 0 and walk_of[place] < 0:
            walk_of[place] = start
            walk.append(place)
            place = above[place]
        if place >= 0 and walk_of[place] == start:
            cuts.append(min(walk[walk.index(place) :], key=gobject_ids.__getitem__))
    return cuts


def _ends(depths: Sequence[int]) -> array[int]:
    ends = array("i", [len(depths)]) * len(depths)
    open_positions: list[int] = []
    for position, depth in enumerate(depths):
        while open_positions and depths[open_positions[-1]] >= depth:
            ends[open_positions.pop()] = position
        open_positions.append(position)
    return ends
