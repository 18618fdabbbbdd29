"""What a Galaxy database holds, in the compact form in which it is read, cached and kept on disk.

Attributes belong to packages, not to objects: an object inherits from its template's package, that one from its own
template's, and so on. Objects with equal packages share one `shape`, so a Galaxy of a hundred templates needs about a
hundred of them, however many objects it has.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, overload


class AttributeDefinition(NamedTuple):
    """One attribute as its defining package or primitive describes it."""

    name: str
    mx_data_type: int
    is_array: bool
    array_dimension: int | None
    mx_attribute_category: int
    security_classification: int


class PrimitiveDefinition(NamedTuple):
    """A kind of primitive: its name (`AlarmExtension`, …) and the indexes of its attribute definitions."""

    name: str
    attributes: tuple[int, ...]


class PrimitiveUse(NamedTuple):
    """A primitive of an object: its name ('' for the object's own ones) and the index of its definition.

    `is_extension` tells whether an engineer added it to an attribute, or as a script.
    """

    name: str
    definition: int
    is_extension: bool


AttributeText = tuple[str, str | None, str | None]
"""Name of an attribute without case, its engineering units and its description; None for what a package leaves to those
that it derives from. A plain tuple of texts costs the garbage collector nothing, and there may be one an object."""

Layer = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""What one package adds: indexes of configured attribute definitions, of primitive uses, and of attribute texts."""


class GalaxyObjectRow(NamedTuple):
    """A deployed object. `templates` and `shape` index `GalaxyData.template_chains` and `.shapes`."""

    gobject_id: int
    tag_name: str
    contained_name: str
    parent_gobject_id: int
    category_id: int
    hosted_by_gobject_id: int
    templates: int
    shape: int


class ObjectTable(Sequence[GalaxyObjectRow]):
    """The objects as columns, read as rows.

    Columns, and plain tuples in `GalaxyData`, because the garbage collector walks every row object that it tracks: with
    tens of thousands of them a full collection would hold up the event loop for as many microseconds.
    """

    def __init__(self) -> None:
        self.gobject_ids = array("i")
        self.tag_names: list[str] = []
        self.contained_names: list[str] = []
        self.parent_gobject_ids = array("i")
        self.category_ids = array("i")
        self.hosted_by_gobject_ids = array("i")
        self.templates = array("i")
        self.shapes = array("i")
        self._columns: tuple[Any, ...] = (
            self.gobject_ids,
            self.tag_names,
            self.contained_names,
            self.parent_gobject_ids,
            self.category_ids,
            self.hosted_by_gobject_ids,
            self.templates,
            self.shapes,
        )

    def append(self, row: GalaxyObjectRow) -> None:
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)

    def reordered(self, order: Iterable[int]) -> ObjectTable:
        """A table of the rows at these places."""
        table = ObjectTable()
        places = list(order)
        for mine, theirs in zip(self._columns, table._columns, strict=True):
            theirs.extend(map(mine.__getitem__, places))
        return table

    def __len__(self) -> int:
        return len(self.gobject_ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectTable) and self._columns == other._columns

    __hash__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, place: int) -> GalaxyObjectRow: ...

    @overload
    def __getitem__(self, place: slice) -> list[GalaxyObjectRow]: ...

    def __getitem__(self, place: int | slice) -> GalaxyObjectRow | list[GalaxyObjectRow]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        return GalaxyObjectRow._make(column[place] for column in self._columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class GalaxyData:
    """A whole deployed Galaxy.

    Attributes:
        deploy_time: galaxy.time_of_last_deploy as the driver gave it, without zone; None when never deployed.
        data_type_names: mx_data_type → name.
        definitions: distinct attribute definitions.
        primitive_definitions: distinct kinds of primitives.
        primitive_uses: distinct named primitives.
        attribute_texts: distinct units and descriptions of attributes.
        layers: distinct package contents.
        shapes: distinct derivations, as indexes of layers, nearest package first.
        template_chains: distinct chains of template names, nearest first.
        objects: the deployed objects, in no particular order.
    """

    deploy_time: datetime | None
    data_type_names: dict[int, str]
    definitions: Sequence[AttributeDefinition]
    primitive_definitions: Sequence[PrimitiveDefinition]
    primitive_uses: Sequence[PrimitiveUse]
    attribute_texts: Sequence[AttributeText]
    layers: Sequence[Layer]
    shapes: Sequence[tuple[int, ...]]
    template_chains: Sequence[tuple[str, ...]]
    objects: ObjectTable
